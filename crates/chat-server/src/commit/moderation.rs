//! Channel moderation, to the store and back.

use std::collections::HashMap;

use chat_proto::event::{ModLogEntry, Restriction, Sentence, Term};
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::admin::record;
use crate::hub::admin::command::AuditEntry;
use crate::hub::channel::StoredModeration;
use crate::hub::channel::mod_action::{ModActionRecord, ModerationChange, PurgeScope};
use crate::hub::channel::moderation::{ListEntry, ListKind};
use crate::hub::channel::operators::OperatorRight;
use crate::hub::id::{NameRecord, UserId};
use crate::store::{
    AccountOp, AuthorPeriod, ChannelModerationOp, ListEntryRow, NewListEntry, NewModAction,
    OperatorRow, PurgeOp, StoreError, WriteOp, Writer,
};

/// Ids read at commit time to count what a purge hides. Of more messages since the count, the reply
/// counts none, though they are hidden.
const MOST_COUNTED: u64 = 4096;

/// The moderation of each channel, by number; and a user id above all that occur.
pub(super) fn load(writer: &Writer) -> Result<(HashMap<u32, StoredModeration>, u64), StoreError> {
    let mut all: HashMap<u32, StoredModeration> = HashMap::new();
    let mut next_user_id = 0;
    for (number, name, value) in writer.settings()? {
        all.entry(number).or_default().moderation.settings.restore(&name, &value);
    }
    for row in writer.marks()? {
        let parties = row.user_id.into_iter().chain(row.account);
        next_user_id = parties.fold(next_user_id, |next, user_id| next.max(user_id + 1));
        let list = ListKind::ALL.into_iter().find(|list| list.number() == row.list);
        let moderation = &mut all.entry(row.number).or_default().moderation;
        if let (Some(list), Some(mark)) = (list, mark(&row)) {
            moderation.add(list, mark);
        }
    }
    for OperatorRow { number, user_id, inherited } in writer.operators()? {
        next_user_id = next_user_id.max(user_id + 1);
        let right = if inherited { OperatorRight::Inherited } else { OperatorRight::Full };
        all.entry(number).or_default().operators.push((UserId(user_id), right));
    }
    Ok((all, next_user_id))
}

/// `None` for an entry of a version with other names.
fn mark(row: &ListEntryRow) -> Option<ListEntry> {
    let shown = Restriction {
        target: ModTarget::read(&row.target)?,
        by: UserName::stored(&row.by).ok()?,
        time: Timestamp(row.time),
        term: term(row.until),
        reason: row.reason.as_deref().and_then(Text::new),
    };
    Some(ListEntry::new(shown, row.user_id.map(UserId), row.account.map(UserId)))
}

fn term(until: Option<i64>) -> Term {
    until.map_or(Term::Permanent, |until| Term::Until(Timestamp(until)))
}

fn end(term: Term) -> Option<i64> {
    match term {
        Term::Permanent => None,
        Term::Until(end) => Some(end.0),
    }
}

fn author(name_record: &NameRecord) -> AuthorPeriod<'_> {
    let millis = |time: Option<Timestamp>| time.map(|time| time.0);
    AuthorPeriod {
        name: name_record.name.key(),
        from: millis(name_record.from),
        upto: millis(name_record.upto),
    }
}

/// A moderation action with all that is written of it.
pub(super) struct PlannedModAction {
    moderation: Vec<ModerationChange>,
    logged: Option<ModLogEntry>,
    target: Option<String>,
    /// A purge: the names, and the number of messages hidden.
    purged: Vec<NameRecord>,
    hidden: u64,
    /// For the audit log.
    recorded: Option<Box<AuditEntry>>,
}

impl PlannedModAction {
    /// Counts the messages hidden by a purge, as far as they are not counted yet.
    pub(super) fn of(
        kept: ModActionRecord,
        number: u32,
        last: u64,
        writer: &Writer,
    ) -> Result<Self, StoreError> {
        let ModActionRecord { moderation, purged, logged, recorded } = kept;
        let target = logged.as_ref().and_then(|logged| logged.target.as_ref());
        let target = target.map(ToString::to_string);
        let mut written =
            Self { moderation, logged, target, purged: Vec::new(), hidden: 0, recorded };
        if let Some(PurgeScope { names, lines, upto }) = purged {
            let authors: Vec<AuthorPeriod<'_>> = names.iter().map(author).collect();
            let rest = writer.count_by(number, &authors, (upto.0, last), MOST_COUNTED)?;
            written.hidden = lines + rest.lines;
            // Without a match there is nothing to hide, unless not every id was read.
            if written.hidden > 0 || (rest.upto < last) {
                written.purged = names;
            }
        }
        Ok(written)
    }

    /// The number of messages hidden.
    pub(super) fn hidden(&self) -> usize {
        usize::try_from(self.hidden).unwrap_or(usize::MAX)
    }

    /// The number of names with messages to be marked as hidden.
    pub(super) fn purges(&self) -> usize {
        self.purged.len()
    }

    /// The audit entry.
    pub(super) fn take_recorded(&mut self) -> Option<Box<AuditEntry>> {
        self.recorded.take()
    }

    /// Whether it drops the channel.
    pub(super) fn ends(&self) -> bool {
        self.moderation.iter().any(|rule| matches!(rule, ModerationChange::DropChannel))
    }

    /// The write operations. `last` is the last id of the conversation.
    pub(super) fn add_to<'a>(&'a self, number: u32, last: u64, entries: &mut Vec<WriteOp<'a>>) {
        entries.extend(self.recorded.as_deref().map(record));
        if self.ends() {
            entries.push(WriteOp::ChannelClosed { number });
            entries.push(WriteOp::Floor { number, floor: last });
            entries.push(WriteOp::ChannelModeration { number, op: ChannelModerationOp::Clear });
            return;
        }
        for rule in &self.moderation {
            add_rule(rule, number, entries);
        }
        for name_record in &self.purged {
            let rule =
                ChannelModerationOp::Purge(PurgeOp { author: author(name_record), upto: last });
            entries.push(WriteOp::ChannelModeration { number, op: rule });
        }
        let Some(logged) = &self.logged else { return };
        let ModLogEntry { time, by, did, term, setting, reason, .. } = logged;
        let act = NewModAction {
            time: time.0,
            by: by.as_str(),
            did: did.spec().name,
            target: self.target.as_deref(),
            until: term.and_then(end),
            setting: setting.as_ref().map(Sentence::as_str),
            reason: reason.as_ref().map(Text::as_str),
        };
        entries.push(WriteOp::ChannelModeration { number, op: ChannelModerationOp::Log(act) });
    }
}

/// The write operation of a moderation change.
pub(super) fn add_rule<'a>(
    keep: &'a ModerationChange,
    number: u32,
    entries: &mut Vec<WriteOp<'a>>,
) {
    let rule = match keep {
        ModerationChange::Add(list, mark) => {
            let (user_id, account) = mark.user_ids();
            let Restriction { by, time, term, reason, .. } = &mark.shown;
            ChannelModerationOp::AddListEntry(NewListEntry {
                list: list.number(),
                key: mark.key(),
                target: mark.target(),
                user_id: user_id.map(|user_id| user_id.0),
                account: account.map(|account| account.0),
                by: by.as_str(),
                time: time.0,
                until: end(*term),
                reason: reason.as_ref().map(Text::as_str),
            })
        }
        ModerationChange::Remove(list, key) => {
            ChannelModerationOp::RemoveListEntry { list: list.number(), key, ended: None }
        }
        // A later entry of the same target stays.
        ModerationChange::Expire(list, mark) => ChannelModerationOp::RemoveListEntry {
            list: list.number(),
            key: mark.key(),
            ended: end(mark.shown.term),
        },
        ModerationChange::Setting(name, value) => ChannelModerationOp::Setting { name, value },
        ModerationChange::Operator(UserId(user_id), right) => ChannelModerationOp::GrantOperator {
            user_id: *user_id,
            inherited: *right == OperatorRight::Inherited,
        },
        ModerationChange::RemoveOperator(UserId(user_id)) => {
            ChannelModerationOp::RevokeOperator { user_id: *user_id }
        }
        ModerationChange::RemoveMember(UserId(user_id)) => {
            entries.push(AccountOp::NotMember { user_id: *user_id, number }.into());
            return;
        }
        ModerationChange::DropChannel => ChannelModerationOp::Clear,
    };
    entries.push(WriteOp::ChannelModeration { number, op: rule });
}
