//! What those who run a channel do: as it is asked for, as policy looks at it, and as it is kept.

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
use crate::hub::channel::operators::Right;
use crate::hub::client::Client;
use crate::hub::id::UserDetails;
use crate::hub::id::{NameRecord, UserId};

use crate::util::clock::on_the_wall;

/// Somebody an act is about, by the name that was typed.
#[derive(Clone)]
pub(crate) struct ActionTarget {
    pub(crate) user: UserName,
    /// Who has the name, if anybody has.
    pub(crate) client: Option<Arc<Client>>,
    /// The account of that name, also if nobody is signed in to it.
    pub(crate) account: Option<UserId>,
}

impl ActionTarget {
    /// The name as whoever has it writes it.
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

/// Against whom a ban is.
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

/// What a purge hides, as far as it was counted before the purge takes its place among the lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct PurgeScope {
    /// Lines under these names.
    pub(crate) names: Vec<NameRecord>,
    /// So many are at or before this id.
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

/// What is to be done.
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

/// What is to be done, and why.
pub(crate) struct ModAction {
    pub(crate) kind: ModActionKind,
    pub(crate) reason: Option<Text>,
}

impl ModAction {
    /// The command that asks for it.
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

    /// Whether the channel has one more ban, mute, invitation or refused word after it.
    pub(in crate::hub) fn adds_rule(&self) -> bool {
        matches!(
            self.kind,
            ModActionKind::Ban(..)
                | ModActionKind::Mute(..)
                | ModActionKind::Invite(_)
                | ModActionKind::Set(ChannelSetting::Words(WordFilterChange::Add(_)))
        )
    }

    /// Whom it is about, if that is a person.
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

    /// How long it holds, from its time on, as it is shown.
    pub(in crate::hub) fn term(&self, time: Timestamp) -> Option<Term> {
        let (ModActionKind::Ban(_, period) | ModActionKind::Mute(_, period)) = &self.kind else {
            return None;
        };
        Some(period.map_or(Term::Permanent, |period| {
            let millis = i64::try_from(period.secs()).unwrap_or(i64::MAX).saturating_mul(1000);
            Term::Until(Timestamp(on_the_wall(time).0.saturating_add(millis)))
        }))
    }

    /// The mark that it makes, and the list into which that goes.
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

    /// What the record of the server's operators gets. `None` acts at the shell.
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

/// What is kept of an act.
pub(crate) struct ModActionRecord {
    pub(crate) moderation: Vec<ModerationChange>,
    /// Lines that are hidden.
    pub(crate) purged: Option<PurgeScope>,
    /// None if it changes nothing.
    pub(crate) logged: Option<ModLogEntry>,
    /// An operator of the server did it, in a channel of others.
    pub(crate) recorded: Option<Box<AuditEntry>>,
}

/// One change of how a channel is run, as it is kept.
#[derive(Clone, Debug)]
pub(crate) enum ModerationChange {
    Add(ListKind, ListEntry),
    Remove(ListKind, String),
    /// The same of a mark that has ended by itself before this moment, and of no later one.
    Expire(ListKind, ListEntry),
    /// The setting's name and value.
    Setting(&'static str, String),
    /// An account is an operator.
    Operator(UserId, Right),
    RemoveOperator(UserId),
    /// An account is in it no more, here or when it comes back.
    RemoveMember(UserId),
    /// The channel is gone, with everything.
    DropChannel,
}

/// How much a person may do to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// No operator.
    None,
    /// An operator because the others left.
    Inherited,
    /// An operator who made it, or was given the right, and has no account.
    Unregistered,
    /// The same with an account.
    Full,
    /// An operator of the server.
    Server,
}

/// What a channel knows of somebody who wants something there, for policy to decide.
pub(crate) struct AccessContext<'a> {
    pub(crate) channel: &'a ChannelName,
    /// Their name, once they have one.
    pub(crate) name: Option<&'a UserName>,
    pub(crate) member: bool,
    pub(crate) operator: bool,
    pub(crate) authority: Authority,
    pub(crate) invited: bool,
    pub(crate) ban: Option<&'a Restriction>,
    pub(crate) mute: Option<&'a Restriction>,
    pub(crate) settings: &'a Settings,
    /// In a slow channel: every how long one may say something, and the seconds to wait still.
    pub(crate) wait: Option<(Period, u64)>,
    /// The operators who are there, if somebody else wants what is for them.
    pub(crate) operators: Vec<UserName>,
    /// Of the one whom an act is about.
    pub(crate) target: TargetFacts,
    /// How many bans and mutes there are.
    pub(crate) list_entries: [usize; 2],
    /// What the channel's filter has found in the text that is to be shown there, if it was asked.
    pub(crate) verdict: Option<&'a FilterVerdict>,
}

impl AccessContext<'_> {
    /// Whether they may know that there is such a channel.
    pub(crate) fn knows(&self) -> bool {
        !self.settings.hidden
            || self.member
            || self.operator
            || self.invited
            || self.authority == Authority::Server
    }
}

/// What a channel knows of the one whom an act is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct TargetFacts {
    /// It is the one who acts.
    pub(crate) oneself: bool,
    pub(crate) member: bool,
    pub(crate) operator: bool,
    /// It has an account.
    pub(crate) registered: bool,
    /// An operator, and no other is there.
    pub(crate) sole_operator: bool,
    /// The channel has as many operators as it can.
    pub(crate) many_operators: bool,
    pub(crate) banned: bool,
    /// A mark of the same target is there already, in whose place a new one comes.
    pub(crate) listed: bool,
}
