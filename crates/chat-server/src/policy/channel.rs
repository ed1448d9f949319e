//! What a person may do in a channel.
//!
//! Every predicate is about what a channel knows of somebody ([`Standing`]). What restricts people doesn't
//! hit the channel's operators.

use chat_proto::event::Restricted;
use chat_proto::limits::MAX_PATTERNS;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::{Setting, WordsChange};
use chat_proto::text::Text;
use chat_proto::verb::{self, Kind};

use crate::hub::channel::mod_action::{Act, Aim, Authority, Deed, Standing};
use crate::hub::channel::moderation::{Hit, MAX_MARKS, MAX_OPERATORS};
use crate::hub::ports::What;

/// Whether somebody may say or do what they ask for, at the moment when it is its turn.
pub(crate) fn may(standing: &Standing<'_>, what: &What) -> Result<(), Refusal> {
    match what {
        What::Line { text, .. } => may_say(standing, text),
        What::Topic(topic) => may_set_topic(standing, topic),
        What::Act(act) => may_act(standing, act),
    }
}

/// Whether somebody may enter. Who may not know of the channel isn't told anything of it in the first place.
pub(crate) fn may_enter(standing: &Standing<'_>) -> Result<(), Refusal> {
    let Standing { channel, member, operator, invited, settings, .. } = standing;
    // Who is in it enters again to read on, or to make it current.
    if *member || *operator {
        return Ok(());
    }
    not_banned(standing)?;
    if *invited {
        return Ok(());
    }
    if settings.invite_only {
        return Err(Refusal::invite_only(channel));
    }
    match standing.name {
        Some(name) if hit(standing, name.as_str()).is_some() => {
            Err(Refusal::name_refused_at_entry(name, channel))
        }
        _ => Ok(()),
    }
}

/// Whether a member may take another name, which everybody in the channel is shown.
pub(crate) fn may_be_renamed(standing: &Standing<'_>, name: &UserName) -> Result<(), Refusal> {
    let Standing { channel, operator, ban, mute, .. } = standing;
    if *operator {
        return Ok(());
    }
    match (ban, mute) {
        (Some(ban), _) => Err(Refusal::banned_from_renaming(channel, ban.term)),
        (None, Some(mute)) => Err(Refusal::muted_from_renaming(channel, mute.term)),
        (None, None) if hit(standing, name.as_str()).is_some() => {
            Err(Refusal::name_refused(name, channel))
        }
        (None, None) => Ok(()),
    }
}

/// Whether a text may be shown as that of a member, in a place where slow mode doesn't count.
pub(crate) fn may_show(standing: &Standing<'_>, text: &Text) -> Result<(), Refusal> {
    if standing.operator {
        return Ok(());
    }
    not_muted(standing)?;
    not_filtered(standing, text)
}

/// Whether somebody may read what was said there, or take part in another way.
pub(crate) fn may_take_part(standing: &Standing<'_>) -> Result<(), Refusal> {
    if standing.member {
        return Ok(());
    }
    not_banned(standing)?;
    Err(Refusal::not_in_channel(standing.channel))
}

/// Whether somebody may see who is there.
pub(crate) fn may_see_members(standing: &Standing<'_>) -> Result<(), Refusal> {
    if standing.member { Ok(()) } else { not_banned(standing) }
}

/// Whether somebody may say something there.
pub(crate) fn may_say(standing: &Standing<'_>, text: &Text) -> Result<(), Refusal> {
    may_take_part(standing)?;
    if standing.operator {
        return Ok(());
    }
    not_muted(standing)?;
    not_filtered(standing, text)?;
    match standing.wait {
        Some((every, secs)) => Err(Refusal::slow(standing.channel, every, secs)),
        None => Ok(()),
    }
}

/// Whether somebody may set the topic.
pub(crate) fn may_set_topic(standing: &Standing<'_>, topic: &Text) -> Result<(), Refusal> {
    may_take_part(standing)?;
    if standing.operator {
        return Ok(());
    }
    if standing.settings.topic_lock {
        return Err(Refusal::topic_locked(standing.channel));
    }
    not_muted(standing)?;
    not_filtered(standing, topic)
}

/// Whether somebody may do or see what is for operators. Only to end a channel one needn't be in it.
pub(crate) fn may_run(standing: &Standing<'_>, kind: Kind) -> Result<(), Refusal> {
    if standing.authority == Authority::Server {
        return Ok(());
    }
    if kind != Kind::Drop || !standing.operator {
        may_take_part(standing)?;
    }
    if standing.operator {
        return Ok(());
    }
    Err(Refusal::for_operators(verb::of(kind), standing.channel, &standing.operators))
}

/// Whether an operator may do this.
pub(crate) fn may_act(standing: &Standing<'_>, act: &Act) -> Result<(), Refusal> {
    may_run(standing, act.kind())?;
    may_destroy(standing, act)?;
    let Standing { channel, subject, settings, marks: [bans, mutes], .. } = standing;
    let verb = verb::of(act.kind());
    let user = act.aim().map(Aim::name);
    let user = user.as_ref();
    let is_full = |marks: usize| marks >= MAX_MARKS && !subject.marked;
    match (&act.deed, user) {
        (Deed::Ban(..) | Deed::Mute(..), Some(user)) if subject.operator => {
            Err(Refusal::is_operator(verb, user, channel))
        }
        (Deed::Ban(..), _) if is_full(*bans) => {
            Err(Refusal::too_many_restricted(verb, channel, MAX_MARKS))
        }
        (Deed::Mute(..), _) if is_full(*mutes) => {
            Err(Refusal::too_many_restricted(verb, channel, MAX_MARKS))
        }
        (Deed::Op(_), _) if subject.many_operators => {
            Err(Refusal::too_many_operators(channel, MAX_OPERATORS))
        }
        // The right can be given back to the owner of a channel, who may find no way in any more.
        (Deed::Op(_), _) if standing.authority == Authority::Server && subject.registered => Ok(()),
        (Deed::Kick(_) | Deed::Op(_), Some(user)) if !subject.member => {
            Err(Refusal::user_not_in_channel(user, channel))
        }
        (Deed::Invite(_), Some(user)) if subject.member => {
            Err(Refusal::is_in_already(user, channel))
        }
        (Deed::Invite(_), Some(user)) if subject.banned && !subject.operator => {
            Err(Refusal::invited_is_banned(user, channel))
        }
        (Deed::Deop(_), _) if subject.sole_operator => Err(Refusal::last_operator(channel)),
        (Deed::Set(Setting::Words(WordsChange::Add(_))), _)
            if settings.words.patterns().len() >= MAX_PATTERNS =>
        {
            Err(Refusal::too_many_patterns(channel, MAX_PATTERNS))
        }
        _ => Ok(()),
    }
}

/// Some acts can't be taken back, or take a channel from its owners: they need a right that a person was given, and an
/// account to which it belongs.
fn may_destroy(standing: &Standing<'_>, act: &Act) -> Result<(), Refusal> {
    let is_inherited = standing.authority == Authority::Inherited;
    if !is_inherited && standing.authority != Authority::Unregistered {
        return Ok(());
    }
    let verb = verb::of(act.kind());
    let command = match &act.deed {
        Deed::Drop | Deed::Purge(..) | Deed::Op(_) => verb.name,
        Deed::Deop(_) if !standing.subject.oneself => verb.name,
        // The maker of a channel sets it up, with an account or without.
        Deed::Set(Setting::History(false)) if is_inherited => "set history off",
        Deed::Set(Setting::Hidden(true)) if is_inherited => "set hidden on",
        _ => return Ok(()),
    };
    Err(if is_inherited {
        Refusal::right_inherited(command, standing.channel)
    } else {
        Refusal::needs_account_to_run(verb, standing.channel)
    })
}

fn not_banned(standing: &Standing<'_>) -> Result<(), Refusal> {
    match standing.ban {
        Some(Restricted { term, reason, .. }) if !standing.operator => {
            Err(Refusal::banned(standing.channel, *term, reason.as_ref()))
        }
        _ => Ok(()),
    }
}

fn not_muted(standing: &Standing<'_>) -> Result<(), Refusal> {
    match standing.mute {
        Some(Restricted { term, reason, .. }) => {
            Err(Refusal::muted(standing.channel, *term, reason.as_ref()))
        }
        None => Ok(()),
    }
}

/// What is refused in a text. Mostly it was looked for already.
fn hit(standing: &Standing<'_>, text: &str) -> Option<Hit> {
    let filter = standing.settings.filter()?;
    match standing.verdict.filter(|verdict| verdict.is_of(&filter)) {
        Some(verdict) => verdict.hit.clone(),
        None => filter.find(text),
    }
}

fn not_filtered(standing: &Standing<'_>, text: &Text) -> Result<(), Refusal> {
    match hit(standing, text.as_str()) {
        None => Ok(()),
        Some(Hit::Word(pattern)) => Err(Refusal::word_refused(standing.channel, pattern.as_str())),
        Some(Hit::Link) => Err(Refusal::link_refused(standing.channel)),
    }
}

#[cfg(test)]
mod tests;
