//! Moderation actions: as requested, as facts for the policy, and as stored.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::event::{ModLogEntry, Restriction, Term};
use chat_proto::id::MessageId;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::period::Period;
use chat_proto::setting::{ChannelSetting, WordFilterChange};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::admin::command::AuditEntry;
use crate::hub::channel::moderation::{FilterVerdict, ListEntry, ListKind, Settings};
use crate::hub::channel::operators::OperatorRight;
use crate::hub::client::Client;
use crate::hub::id::UserDetails;
use crate::hub::id::{NameRecord, UserId};

use crate::util::clock::on_the_wall;

/// The target of an action, by the name as typed.
#[derive(Clone)]
pub(crate) struct ActionTarget {
    pub(crate) user: UserName,
    /// The client with this name, if any.
    pub(crate) client: Option<Arc<Client>>,
    /// The account of this name, online or not.
    pub(crate) account: Option<UserId>,
}

impl ActionTarget {
    /// The name as its owner writes it.
    pub(crate) fn name(&self) -> UserName {
        self.client.as_ref().and_then(|client| client.name()).unwrap_or_else(|| self.user.clone())
    }

    pub(in crate::hub) fn user_id(&self) -> Option<UserId> {
        self.client.as_ref().map(|client| client.user_id()).or(self.account)
    }

    pub(in crate::hub) fn who(&self) -> Option<UserDetails> {
        self.client.as_ref().map(|client| client.who())
    }
}

/// The subject of a ban.
pub(crate) enum BanSubject {
    User(ActionTarget),
    Net(ModTarget),
}

impl BanSubject {
    pub(crate) fn target(&self) -> ModTarget {
        match self {
            Self::User(subject) => ModTarget::User(subject.name()),
            Self::Net(net) => net.clone(),
        }
    }

    fn subject(&self) -> Option<&ActionTarget> {
        match self {
            Self::User(subject) => Some(subject),
            Self::Net(_) => None,
        }
    }
}

/// What a purge hides, as far as it was counted before the purge is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct PurgeScope {
    /// Messages under these names.
    pub(crate) names: Vec<NameRecord>,
    /// The number at or before `upto`.
    pub(crate) lines: u64,
    pub(crate) upto: MessageId,
}

impl PurgeScope {
    /// Nothing is counted yet.
    pub(crate) fn of(subject: &ActionTarget) -> Self {
        let mut names = vec![NameRecord { name: subject.name(), from: None, upto: None }];
        names.extend(subject.client.iter().flat_map(|client| client.previous_names()));
        Self { names, ..Self::default() }
    }
}

/// The kind of an action.
pub(crate) enum ModActionKind {
    Kick(ActionTarget),
    Ban(BanSubject, Option<Period>),
    Unban(BanSubject),
    Mute(ActionTarget, Option<Period>),
    Unmute(ActionTarget),
    Invite(ActionTarget),
    Op(ActionTarget),
    Deop(ActionTarget),
    Set(ChannelSetting),
    Purge(ActionTarget, PurgeScope),
    Drop,
}

/// A moderation action and its reason.
pub(crate) struct ModAction {
    pub(crate) kind: ModActionKind,
    pub(crate) reason: Option<Text>,
}

impl ModAction {
    /// The command for it.
    pub(crate) fn kind(&self) -> CommandKind {
        match self.kind {
            ModActionKind::Kick(_) => CommandKind::Kick,
            ModActionKind::Ban(..) => CommandKind::Ban,
            ModActionKind::Unban(_) => CommandKind::Unban,
            ModActionKind::Mute(..) => CommandKind::Mute,
            ModActionKind::Unmute(_) => CommandKind::Unmute,
            ModActionKind::Invite(_) => CommandKind::Invite,
            ModActionKind::Op(_) => CommandKind::Op,
            ModActionKind::Deop(_) => CommandKind::Deop,
            ModActionKind::Set(_) => CommandKind::Set,
            ModActionKind::Purge(..) => CommandKind::Purge,
            ModActionKind::Drop => CommandKind::Drop,
        }
    }

    /// Whether it adds a list entry or a refused word.
    pub(in crate::hub) fn adds_rule(&self) -> bool {
        matches!(
            self.kind,
            ModActionKind::Ban(..)
                | ModActionKind::Mute(..)
                | ModActionKind::Invite(_)
                | ModActionKind::Set(ChannelSetting::Words(WordFilterChange::Add(_)))
        )
    }

    /// Its target, if that is a user.
    pub(crate) fn subject(&self) -> Option<&ActionTarget> {
        match &self.kind {
            ModActionKind::Ban(against, _) | ModActionKind::Unban(against) => against.subject(),
            ModActionKind::Kick(subject)
            | ModActionKind::Mute(subject, _)
            | ModActionKind::Unmute(subject)
            | ModActionKind::Invite(subject)
            | ModActionKind::Op(subject)
            | ModActionKind::Deop(subject)
            | ModActionKind::Purge(subject, _) => Some(subject),
            ModActionKind::Set(_) | ModActionKind::Drop => None,
        }
    }

    pub(in crate::hub) fn target(&self) -> Option<ModTarget> {
        match &self.kind {
            ModActionKind::Ban(BanSubject::Net(net), _)
            | ModActionKind::Unban(BanSubject::Net(net)) => Some(net.clone()),
            _ => self.subject().map(|subject| ModTarget::User(subject.name())),
        }
    }

    /// How long it holds, from its time on.
    pub(in crate::hub) fn term(&self, time: Timestamp) -> Option<Term> {
        let (ModActionKind::Ban(_, period) | ModActionKind::Mute(_, period)) = &self.kind else {
            return None;
        };
        Some(period.map_or(Term::Permanent, |period| {
            let millis = i64::try_from(period.secs()).unwrap_or(i64::MAX).saturating_mul(1000);
            Term::Until(Timestamp(on_the_wall(time).0.saturating_add(millis)))
        }))
    }

    /// The list entry that it adds, and to which list.
    pub(in crate::hub) fn list_entry(
        &self,
        by: &UserName,
        time: Timestamp,
    ) -> Option<(ListKind, ListEntry)> {
        let (list, subject) = match &self.kind {
            ModActionKind::Ban(against, _) => (ListKind::Bans, against.subject()),
            ModActionKind::Mute(subject, _) => (ListKind::Mutes, Some(subject)),
            ModActionKind::Invite(subject) => (ListKind::Invitations, Some(subject)),
            _ => return None,
        };
        let shown = Restriction {
            target: self.target()?,
            by: by.clone(),
            time: on_the_wall(time),
            term: self.term(time).unwrap_or(Term::Permanent),
            reason: self.reason.clone(),
        };
        let account = subject.and_then(|subject| subject.account);
        Some((list, ListEntry::new(shown, subject.and_then(ActionTarget::user_id), account)))
    }

    /// The audit entry for an action of a server operator; `None` is the shell.
    pub(in crate::hub) fn recorded(
        &self,
        by: Option<UserName>,
        channel: &ChannelName,
        time: Timestamp,
    ) -> AuditEntry {
        let target = self.target().map(|target| target.to_string());
        let setting = match &self.kind {
            ModActionKind::Set(setting) => Some(setting.to_string()),
            _ => None,
        };
        let whom = target.or(setting).map(|whom| format!("{channel} {whom}"));
        let until = match self.term(time) {
            Some(Term::Until(until)) => Some(until),
            _ => None,
        };
        AuditEntry {
            time: on_the_wall(time),
            by,
            did: self.kind().spec().name.into(),
            whom: whom.unwrap_or_else(|| channel.to_string()).into(),
            until,
            reason: self.reason.clone(),
        }
    }
}

/// What is stored of an action.
pub(crate) struct ModActionRecord {
    pub(crate) moderation: Vec<ModerationChange>,
    /// The messages that it hides.
    pub(crate) purged: Option<PurgeScope>,
    /// `None` if it changes nothing.
    pub(crate) logged: Option<ModLogEntry>,
    /// Set if a server operator acts in another's channel.
    pub(crate) recorded: Option<Box<AuditEntry>>,
}

/// One change of a channel's moderation.
#[derive(Clone, Debug)]
pub(crate) enum ModerationChange {
    Add(ListKind, ListEntry),
    Remove(ListKind, String),
    /// Removes an entry that expired, but not a later one of the same target.
    Expire(ListKind, ListEntry),
    /// The setting's name and value.
    Setting(&'static str, String),
    /// Makes an account an operator.
    Operator(UserId, OperatorRight),
    RemoveOperator(UserId),
    /// Removes an account's membership.
    RemoveMember(UserId),
    /// Drops the channel.
    DropChannel,
}

/// A client's authority over a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Not an operator.
    None,
    /// An operator since no other was left.
    Inherited,
    /// The maker or an appointed operator, as a guest.
    Unregistered,
    /// The same with an account.
    Full,
    /// A server operator.
    Server,
}

/// The facts about a client that a channel's policy decides on.
pub(crate) struct AccessContext<'a> {
    pub(crate) channel: &'a ChannelName,
    /// The name, if any.
    pub(crate) name: Option<&'a UserName>,
    pub(crate) member: bool,
    pub(crate) operator: bool,
    pub(crate) authority: Authority,
    pub(crate) invited: bool,
    pub(crate) ban: Option<&'a Restriction>,
    pub(crate) mute: Option<&'a Restriction>,
    pub(crate) settings: &'a Settings,
    /// In slow mode: the interval, and the seconds left.
    pub(crate) wait: Option<(Period, u64)>,
    /// The operators who are members, named in a refusal.
    pub(crate) operators: Vec<UserName>,
    /// The facts about the target of an action.
    pub(crate) target: TargetFacts,
    /// The number of bans and of mutes.
    pub(crate) list_entries: [usize; 2],
    /// The filter's result for the text to be shown, if it ran.
    pub(crate) verdict: Option<&'a FilterVerdict>,
}

impl AccessContext<'_> {
    /// Whether the client may know of the channel.
    pub(crate) fn knows(&self) -> bool {
        !self.settings.hidden
            || self.member
            || self.operator
            || self.invited
            || self.authority == Authority::Server
    }
}

/// The facts about the target of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(crate) struct TargetFacts {
    /// It is the client itself.
    pub(crate) oneself: bool,
    pub(crate) member: bool,
    pub(crate) operator: bool,
    /// It has an account.
    pub(crate) registered: bool,
    /// It is the only operator.
    pub(crate) sole_operator: bool,
    /// The list of operators is full.
    pub(crate) many_operators: bool,
    pub(crate) banned: bool,
    /// An entry of the same target exists, which a new one replaces.
    pub(crate) listed: bool,
}
