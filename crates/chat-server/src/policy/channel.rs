//! Permissions in a channel.
//!
//! Each predicate takes the channel's facts about a client ([`AccessContext`]). Restrictions don't
//! apply to the channel's operators.

use chat_proto::command_table::CommandKind;
use chat_proto::event::Restriction;
use chat_proto::limits::MAX_PATTERNS;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::{ChannelSetting, WordFilterChange};
use chat_proto::text::Text;

use crate::hub::channel::mod_action::{
    AccessContext, ActionTarget, Authority, ModAction, ModActionKind,
};
use crate::hub::channel::moderation::{FilterMatch, MAX_LIST_ENTRIES, MAX_OPERATORS};
use crate::hub::proposal::Payload;

/// Checks a payload at commit time.
pub(crate) fn may(access: &AccessContext<'_>, what: &Payload) -> Result<(), Refusal> {
    match what {
        Payload::Message { text, .. } => may_say(access, text),
        Payload::Topic(topic) => may_set_topic(access, topic),
        Payload::ModAction(action) => may_act(access, action),
    }
}

/// Joining. A hidden channel is reported as missing before this.
pub(crate) fn may_enter(access: &AccessContext<'_>) -> Result<(), Refusal> {
    let AccessContext { channel, member, operator, invited, settings, .. } = access;
    // A member joins again to read on, or to make it current.
    if *member || *operator {
        return Ok(());
    }
    not_banned(access)?;
    if *invited {
        return Ok(());
    }
    if settings.invite_only {
        return Err(Refusal::invite_only(channel));
    }
    match access.name {
        Some(name) if hit(access, name.as_str()).is_some() => {
            Err(Refusal::name_refused_at_entry(name, channel))
        }
        _ => Ok(()),
    }
}

/// Renaming as a member; the name is shown in the channel.
pub(crate) fn may_be_renamed(access: &AccessContext<'_>, name: &UserName) -> Result<(), Refusal> {
    let AccessContext { channel, operator, ban, mute, .. } = access;
    if *operator {
        return Ok(());
    }
    match (ban, mute) {
        (Some(ban), _) => Err(Refusal::banned_from_renaming(channel, ban.term)),
        (None, Some(mute)) => Err(Refusal::muted_from_renaming(channel, mute.term)),
        (None, None) if hit(access, name.as_str()).is_some() => {
            Err(Refusal::name_refused(name, channel))
        }
        (None, None) => Ok(()),
    }
}

/// Showing a text as a member where slow mode doesn't apply.
pub(crate) fn may_show(access: &AccessContext<'_>, text: &Text) -> Result<(), Refusal> {
    if access.operator {
        return Ok(());
    }
    not_muted(access)?;
    not_filtered(access, text)
}

/// Reading and other participation.
pub(crate) fn may_take_part(access: &AccessContext<'_>) -> Result<(), Refusal> {
    if access.member {
        return Ok(());
    }
    not_banned(access)?;
    Err(Refusal::not_in_channel(access.channel))
}

/// Listing the members.
pub(crate) fn may_see_members(access: &AccessContext<'_>) -> Result<(), Refusal> {
    if access.member { Ok(()) } else { not_banned(access) }
}

/// Sending a message.
pub(crate) fn may_say(access: &AccessContext<'_>, text: &Text) -> Result<(), Refusal> {
    may_take_part(access)?;
    if access.operator {
        return Ok(());
    }
    not_muted(access)?;
    not_filtered(access, text)?;
    match access.wait {
        Some((every, secs)) => Err(Refusal::slow(access.channel, every, secs)),
        None => Ok(()),
    }
}

/// Setting the topic.
pub(crate) fn may_set_topic(access: &AccessContext<'_>, topic: &Text) -> Result<(), Refusal> {
    may_take_part(access)?;
    if access.operator {
        return Ok(());
    }
    if access.settings.topic_lock {
        return Err(Refusal::topic_locked(access.channel));
    }
    not_muted(access)?;
    not_filtered(access, topic)
}

/// Operator commands. Only `/drop` doesn't need membership.
pub(crate) fn may_run(access: &AccessContext<'_>, kind: CommandKind) -> Result<(), Refusal> {
    if access.authority == Authority::Server {
        return Ok(());
    }
    if kind != CommandKind::Drop || !access.operator {
        may_take_part(access)?;
    }
    if access.operator {
        return Ok(());
    }
    Err(Refusal::for_operators(kind.spec(), access.channel, &access.operators))
}

/// A moderation action by an operator.
pub(crate) fn may_act(access: &AccessContext<'_>, action: &ModAction) -> Result<(), Refusal> {
    may_run(access, action.kind())?;
    may_destroy(access, action)?;
    let AccessContext { channel, target, settings, list_entries: [bans, mutes], .. } = access;
    let spec = action.kind().spec();
    let user = action.subject().map(ActionTarget::name);
    let user = user.as_ref();
    let is_full = |list_entries: usize| list_entries >= MAX_LIST_ENTRIES && !target.listed;
    match (&action.kind, user) {
        (ModActionKind::Ban(..) | ModActionKind::Mute(..), Some(user)) if target.operator => {
            Err(Refusal::is_operator(spec, user, channel))
        }
        (ModActionKind::Ban(..), _) if is_full(*bans) => {
            Err(Refusal::too_many_restricted(spec, channel, MAX_LIST_ENTRIES))
        }
        (ModActionKind::Mute(..), _) if is_full(*mutes) => {
            Err(Refusal::too_many_restricted(spec, channel, MAX_LIST_ENTRIES))
        }
        (ModActionKind::Op(_), _) if target.many_operators => {
            Err(Refusal::too_many_operators(channel, MAX_OPERATORS))
        }
        // Restores the right of a channel's owner, who may have no other way back.
        (ModActionKind::Op(_), _) if access.authority == Authority::Server && target.registered => {
            Ok(())
        }
        (ModActionKind::Kick(_) | ModActionKind::Op(_), Some(user)) if !target.member => {
            Err(Refusal::user_not_in_channel(user, channel))
        }
        (ModActionKind::Invite(_), Some(user)) if target.member => {
            Err(Refusal::is_in_already(user, channel))
        }
        (ModActionKind::Invite(_), Some(user)) if target.banned && !target.operator => {
            Err(Refusal::invited_is_banned(user, channel))
        }
        (ModActionKind::Deop(_), _) if target.sole_operator => Err(Refusal::last_operator(channel)),
        (ModActionKind::Set(ChannelSetting::Words(WordFilterChange::Add(_))), _)
            if settings.words.patterns().len() >= MAX_PATTERNS =>
        {
            Err(Refusal::too_many_patterns(channel, MAX_PATTERNS))
        }
        _ => Ok(()),
    }
}

/// Destructive actions, and those that take a channel from its owners, need an appointed operator
/// with an account.
fn may_destroy(access: &AccessContext<'_>, action: &ModAction) -> Result<(), Refusal> {
    let is_inherited = access.authority == Authority::Inherited;
    if !is_inherited && access.authority != Authority::Unregistered {
        return Ok(());
    }
    let spec = action.kind().spec();
    let command = match &action.kind {
        ModActionKind::Drop | ModActionKind::Purge(..) | ModActionKind::Op(_) => spec.name,
        ModActionKind::Deop(_) if !access.target.oneself => spec.name,
        // The maker sets a channel up, as a guest too.
        ModActionKind::Set(ChannelSetting::History(false)) if is_inherited => "set history off",
        ModActionKind::Set(ChannelSetting::Hidden(true)) if is_inherited => "set hidden on",
        _ => return Ok(()),
    };
    Err(if is_inherited {
        Refusal::right_inherited(command, access.channel)
    } else {
        Refusal::needs_account_to_run(spec, access.channel)
    })
}

fn not_banned(access: &AccessContext<'_>) -> Result<(), Refusal> {
    match access.ban {
        Some(Restriction { term, reason, .. }) if !access.operator => {
            Err(Refusal::banned(access.channel, *term, reason.as_ref()))
        }
        _ => Ok(()),
    }
}

fn not_muted(access: &AccessContext<'_>) -> Result<(), Refusal> {
    match access.mute {
        Some(Restriction { term, reason, .. }) => {
            Err(Refusal::muted(access.channel, *term, reason.as_ref()))
        }
        None => Ok(()),
    }
}

/// The filter's match in a text; usually it is computed already.
fn hit(access: &AccessContext<'_>, text: &str) -> Option<FilterMatch> {
    let filter = access.settings.filter()?;
    match access.verdict.filter(|verdict| verdict.is_of(&filter)) {
        Some(verdict) => verdict.hit.clone(),
        None => filter.find(text),
    }
}

fn not_filtered(access: &AccessContext<'_>, text: &Text) -> Result<(), Refusal> {
    match hit(access, text.as_str()) {
        None => Ok(()),
        Some(FilterMatch::Word(pattern)) => {
            Err(Refusal::word_refused(access.channel, pattern.as_str()))
        }
        Some(FilterMatch::Link) => Err(Refusal::link_refused(access.channel)),
    }
}

#[cfg(test)]
mod tests;
