//! Long replies: history, searches and lists, page by page, while live events are delivered.

use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command::{Command, HistoryAnchor, HistoryRange, SearchCursor, SearchQuery};
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, OkReply};
use chat_proto::id::MessageId;
use chat_proto::limits::HISTORY_LINES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::account::PendingEntry;
use super::{Re, Session};
use crate::commands::Rows;
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{ActionTarget, ModAction, ModActionKind, PurgeScope};
use crate::hub::client::notification::Kick;
use crate::hub::fanout::delivery::SequencedEvent;
use crate::hub::id::ConversationKey;
use crate::hub::query::{
    ConversationRef, HistoryQuery, IdRange, QueryResult, RangeCount, SearchRequest, UnreadCount,
    UnreadQuery, VisibleRange,
};

/// A query whose reply is being printed. There is one at a time, and it must be complete before the
/// next command runs.
pub(super) struct ActiveQuery {
    re: Re,
    kind: QueryKind,
    /// Rows that aren't printed yet.
    rows: Rows,
    /// The next page.
    rest: Option<IdRange>,
    /// Whether a page has been requested.
    is_asked: bool,
    /// Number of printed rows.
    count: usize,
    /// Where the results continue past the requested number.
    next: Option<SearchCursor>,
    /// A kick during the query, with the sequence number below which events come first.
    kick: Option<(u64, Kick)>,
}

/// A purge that waits for the number of messages that it hides.
struct PurgeRequest {
    channel: Arc<Channel>,
    target: ActionTarget,
    reason: Option<Text>,
    counted: PurgeScope,
    /// The last message at the time of the command.
    last: MessageId,
    now: Timestamp,
}

impl PurgeRequest {
    fn question(&self) -> HistoryQuery {
        let Self { channel, counted: PurgeScope { names, upto, .. }, last, .. } = self;
        HistoryQuery::CountBy(channel.name.clone(), names.clone(), *upto, *last)
    }
}

/// Private messages printed from history that may arrive live as well: the peer, and the range
/// `after` to `upto`.
pub(super) struct ReplayedRange {
    with: UserName,
    after: MessageId,
    upto: MessageId,
}

/// What the query is for, which decides its reply.
enum QueryKind {
    History(Conversation),
    Search(Box<SearchQuery>),
    Mentions(u32),
    Acts(ChannelName),
    /// Counts what a purge hides.
    Purge(Box<PurgeRequest>),
    /// The reply of `/enter`, unless it is printed already, and the channel whose live messages
    /// wait.
    Entered(Option<OkReply>, ChannelName),
    /// The reply of `/login`, unless it is printed already.
    SignedIn(Option<OkReply>),
    /// The reply after a list.
    Listed(OkReply),
}

/// Bytes of a list that are printed at once, so that a usual list isn't interleaved with events.
const AT_ONCE: usize = 16 * 1024;

impl Session {
    /// `/history`.
    pub(super) fn query_history(
        &mut self,
        re: Re,
        conversation: Conversation,
        of: ConversationRef,
        span: HistoryRange,
    ) {
        // History ends where delivery has got to.
        let reach = match &conversation {
            Conversation::Channel(name) => self.inbox.last_line(name).map(|upto| {
                let floor = self.inbox.channel(name).map(|channel| channel.floor());
                VisibleRange { after: floor.unwrap_or_default(), upto }
            }),
            Conversation::Private(_) => None,
        };
        if reach.is_none() {
            // Stored messages that aren't delivered yet must not come twice.
            self.inbox.hold_chats();
        }
        self.start_query(
            re,
            QueryKind::History(conversation),
            HistoryQuery::Lines(of, span, reach, self.state.hidden_authors()),
        );
    }

    /// `/search`.
    pub(super) fn query_search(
        &mut self,
        re: Re,
        search: SearchQuery,
        only: Option<ConversationRef>,
    ) {
        let asked = SearchRequest {
            search: search.clone(),
            // The event that the client was removed from a channel may not be delivered yet.
            channels: self
                .inbox
                .channels()
                .filter(|channel| channel.role(&self.client).member)
                .map(|channel| (channel.name.clone(), channel.floor()))
                .collect(),
            user_id: self.client.user_id(),
            only,
            hidden: self.state.hidden_authors(),
        };
        let kind = QueryKind::Search(Box::new(search));
        self.start_query(re, kind, HistoryQuery::Search(Box::new(asked)));
    }

    /// `/log`.
    pub(super) fn query_channel_log(&mut self, re: Re, channel: ChannelName, most: u32) {
        self.start_query(
            re,
            QueryKind::Acts(channel.clone()),
            HistoryQuery::ChannelLog(channel, most),
        );
    }

    /// `/purge`: the history service counts in slices; messages sent meanwhile are counted at apply
    /// time.
    pub(super) fn purge(
        &mut self,
        re: Re,
        channel: Arc<Channel>,
        (target, reason): (ActionTarget, Option<Text>),
        counted: PurgeScope,
        now: Timestamp,
    ) {
        let last = channel.last_line();
        // Earlier messages belong to a dropped channel of the same name.
        let counted = PurgeScope { upto: channel.floor(), ..counted };
        let purge = PurgeRequest { channel, target, reason, counted, last, now };
        let question = purge.question();
        self.start_query(re, QueryKind::Purge(Box::new(purge)), question);
    }

    /// Replays messages before an entry; live ones wait until then.
    pub(super) fn replay_on_entry(
        &mut self,
        re: Re,
        done: OkReply,
        channel: ChannelName,
        after: Option<MessageId>,
        upto: MessageId,
        out: &mut BytesMut,
    ) {
        let span = self.span_on_entry(after);
        let nothing = upto == MessageId(0) || after == Some(upto) || span.count == Some(0);
        if nothing {
            self.reply(re, done, out);
            return;
        }
        self.replay(re, PendingEntry { done, channel, after, last: upto, kick: None }, span, out);
    }

    /// Replays messages of a channel whose live messages wait already.
    pub(super) fn replay_entry(&mut self, re: Re, entry: PendingEntry, out: &mut BytesMut) {
        let span = self.span_on_entry(entry.after);
        self.replay(re, entry, span, out);
    }

    fn span_on_entry(&self, after: Option<MessageId>) -> HistoryRange {
        match after {
            Some(after) => HistoryRange { count: None, from: HistoryAnchor::After(after) },
            None => {
                HistoryRange { count: Some(self.hub.bounds.replay_lines), from: HistoryAnchor::End }
            }
        }
    }

    fn replay(&mut self, re: Re, entry: PendingEntry, span: HistoryRange, out: &mut BytesMut) {
        let PendingEntry { done, channel, last: upto, kick, .. } = entry;
        let done = if self.state.dialect.reply_first() {
            self.reply(re.clone(), done, out);
            None
        } else {
            Some(done)
        };
        self.inbox.hold(&channel);
        let of = ConversationRef::Channel(channel.clone());
        let floor = self.inbox.channel(&channel).map(|channel| channel.floor());
        let reach = VisibleRange { after: floor.unwrap_or_default(), upto };
        let question = HistoryQuery::Lines(of, span, Some(reach), self.state.hidden_authors());
        self.start_query(re, QueryKind::Entered(done, channel), question);
        match (&mut self.query, kick) {
            (Some(query), kick) => query.kick = kick,
            (None, Some((number, kick))) => self.on_kick(number, kick, out),
            (None, None) => {}
        }
    }

    /// Queries unread messages of the account.
    pub(super) fn query_unread(&mut self, re: Re, done: Option<OkReply>) {
        if let Some(reader) = self.reader() {
            self.start_query(re, QueryKind::SignedIn(done), HistoryQuery::Unread(reader));
        }
    }

    /// `/mentions`.
    pub(super) fn query_mentions(
        &mut self,
        re: Re,
        most: u32,
        before: Option<SearchCursor>,
    ) -> Result<(), Refusal> {
        let reader = self.reader().ok_or_else(|| Refusal::not_named(None))?;
        let channels = self.inbox.channels();
        let channels = channels.map(|channel| (channel.name.clone(), channel.floor())).collect();
        let question = HistoryQuery::Mentions { reader, channels, most, before };
        self.start_query(re, QueryKind::Mentions(most), question);
        Ok(())
    }

    fn reader(&self) -> Option<UnreadQuery> {
        Some(UnreadQuery {
            user_id: self.client.user_id(),
            hidden: self.state.hidden_authors(),
            name: self.state.name.clone()?,
            read: self.client.signed_in().map(|account| account.read()).unwrap_or_default(),
        })
    }

    /// Cancels the query at a sign-out.
    pub(super) fn cancel_query(&mut self, out: &mut BytesMut) {
        let Some(query) = self.query.take() else { return };
        let ActiveQuery { re, kind, .. } = *query;
        if !matches!(kind, QueryKind::Entered(None, _) | QueryKind::SignedIn(None)) {
            self.show(&Event::Refused { re, refusal: Refusal::not_named(None) }, out);
        }
    }

    fn start_query(&mut self, re: Re, kind: QueryKind, question: HistoryQuery) {
        self.query = Some(Box::new(ActiveQuery {
            re,
            kind,
            rows: Box::new(std::iter::empty()),
            rest: None,
            is_asked: true,
            count: 0,
            next: None,
            kick: None,
        }));
        self.hub.history.ask(question, &self.client);
    }

    /// Prints a list: the first part at once, the rest as the peer reads it.
    pub(super) fn show_list(&mut self, re: Re, rows: Rows, done: OkReply, out: &mut BytesMut) {
        self.query = Some(Box::new(ActiveQuery {
            re,
            kind: QueryKind::Listed(done),
            rows,
            rest: None,
            is_asked: false,
            count: 0,
            next: None,
            kick: None,
        }));
        self.show_rows(out.len() + AT_ONCE, out);
    }

    /// Whether rows can be printed.
    pub(super) fn has_rows_to_show(&self) -> bool {
        self.query.as_ref().is_some_and(|query| !query.is_asked)
    }

    /// Takes a page of results.
    pub(super) fn on_query_result(
        &mut self,
        found: Result<QueryResult, Refusal>,
        out: &mut BytesMut,
    ) {
        let Some(query) = &mut self.query else { return };
        query.is_asked = false;
        match found {
            Ok(QueryResult {
                rows,
                rest,
                next,
                unread,
                waiting,
                waiting_from,
                last_writer,
                said_by,
            }) => {
                if let QueryKind::Purge(purge) = &mut query.kind {
                    purge.counted.lines += said_by.0;
                    purge.counted.upto = said_by.1;
                }
                if matches!(query.kind, QueryKind::SignedIn(_)) {
                    // The other channels have nothing unread.
                    self.inbox
                        .catch_up_except(|name| unread.iter().any(|one| one.channel == *name));
                }
                for UnreadCount { channel, count, mentions, after } in unread {
                    if self.inbox.channel(&channel).is_none() {
                        continue;
                    }
                    let event = Event::Unread { channel, count, mentions, after };
                    self.state.dialect.encode(&event, out);
                }
                if waiting > 0 {
                    let told = rows.len() as u64;
                    let event = Event::UnreadPrivate { count: waiting, told };
                    self.state.dialect.encode(&event, out);
                }
                query.rows = Box::new(rows.into_iter());
                query.rest = rest;
                query.next = next;
                if let Some(writer) = last_writer {
                    self.state.set_reply_to(writer);
                }
                for (with, line) in waiting_from {
                    self.record_private_delivery(with, line);
                }
            }
            Err(refusal)
                if matches!(query.kind, QueryKind::Entered(..) | QueryKind::SignedIn(_)) =>
            {
                // The entry or sign-in succeeds even if history can't be read.
                self.notice(refusal.text(), out);
            }
            Err(refusal) => {
                let re = std::mem::take(&mut query.re);
                self.query = None;
                self.inbox.release_chats();
                self.show(&Event::Refused { re, refusal }, out);
            }
        }
    }

    /// Prints rows until `out` holds `enough` bytes, and requests further pages.
    pub(super) fn show_rows(&mut self, enough: usize, out: &mut BytesMut) {
        while self.has_rows_to_show() && out.len() < enough {
            let Some(query) = &mut self.query else { return };
            if let Some(row) = query.rows.next() {
                if let (
                    Event::Private { stamp, with, .. },
                    QueryKind::History(_) | QueryKind::SignedIn(_),
                ) = (&row, &query.kind)
                {
                    let told = &mut self.cold.get_or_insert_default().replayed;
                    record_replayed(told, with, stamp.id);
                }
                let hidden = match &row {
                    Event::Message { from, .. } | Event::Private { from, .. } => {
                        self.state.ignores_name(from)
                    }
                    _ => false,
                };
                if !hidden {
                    query.count += usize::from(!matches!(row, Event::ModListHead { .. }));
                    self.show(&row, out);
                }
            } else if let Some(rest) = query.rest.take() {
                query.is_asked = true;
                self.hub
                    .history
                    .ask(HistoryQuery::NextPage(rest, self.state.hidden_authors()), &self.client);
            } else if let QueryKind::Purge(purge) = &query.kind
                && purge.counted.upto < purge.last
            {
                query.is_asked = true;
                self.hub.history.ask(purge.question(), &self.client);
            } else if let QueryKind::Entered(_, channel) = &query.kind
                && let Some((after, upto)) = self.inbox.release(channel)
            {
                // The ring no longer holds some of the messages sent during the replay.
                let key = ConversationKey::Channel(channel.clone());
                query.is_asked = true;
                let range = IdRange { key, after, upto, count: RangeCount::All };
                self.hub
                    .history
                    .ask(HistoryQuery::NextPage(range, self.state.hidden_authors()), &self.client);
            } else {
                self.finish_query(out);
            }
        }
    }

    fn finish_query(&mut self, out: &mut BytesMut) {
        let Some(query) = self.query.take() else { return };
        let ActiveQuery { re, kind, count, next, kick, .. } = *query;
        self.inbox.release_chats();
        if let QueryKind::History(Conversation::Channel(channel)) | QueryKind::Entered(_, channel) =
            &kind
        {
            self.inbox.catch_up(channel);
        }
        let done = match kind {
            QueryKind::History(conversation) => Some(OkReply::History { conversation, count }),
            QueryKind::Search(search) => {
                let command =
                    |before| Command::Search(SearchQuery { before: Some(before), ..*search });
                Some(OkReply::Found { count, next: next_line(next.map(command)) })
            }
            QueryKind::Mentions(most) => {
                let count_of = (most != HISTORY_LINES).then_some(most);
                let command = |before| Command::Mentions { count: count_of, before: Some(before) };
                Some(OkReply::Mentions { count, next: next_line(next.map(command)) })
            }
            QueryKind::Acts(channel) => Some(OkReply::ListedOf { channel, count }),
            QueryKind::Purge(purge) => {
                let PurgeRequest { channel, target, reason, counted, now, .. } = *purge;
                let action = ModAction { kind: ModActionKind::Purge(target, counted), reason };
                if let Err(refusal) = self.moderate(re.clone(), &channel, action, now) {
                    self.show(&Event::Refused { re, refusal }, out);
                }
                return;
            }
            QueryKind::Entered(done, _) | QueryKind::SignedIn(done) => done,
            QueryKind::Listed(done) => Some(done),
        };
        if let Some(done) = done {
            self.reply(re, done, out);
        }
        if let Some((number, kick)) = kick {
            self.on_kick(number, kick, out);
        }
    }

    /// Defers a kick during the replay of an entry until after the replay. Returns any other kick.
    pub(super) fn defer_kick(&mut self, number: u64, kick: Kick) -> Option<Kick> {
        // A kick from an earlier entry, perhaps of an earlier channel of the name, comes first.
        if self.inbox.subscription(&kick.channel).is_none_or(|current| current.entry != kick.entry)
        {
            return Some(kick);
        }
        if let Some(entry) = self.entry_under_way(&kick.channel)
            && entry.kick.is_none()
        {
            entry.kick = Some((number, kick));
            return None;
        }
        match &mut self.query {
            Some(query)
                if matches!(&query.kind, QueryKind::Entered(_, channel) if *channel == kick.channel)
                    && query.kick.is_none() =>
            {
                query.kick = Some((number, kick));
                None
            }
            _ => Some(kick),
        }
    }

    /// Whether a live private message was printed from history already.
    pub(super) fn was_replayed(&mut self, told: &SequencedEvent) -> bool {
        let Event::Private { stamp, with, .. } = &told.event else { return false };
        let Some(cold) = &mut self.cold else { return false };
        let mut was = false;
        cold.replayed.retain(|told| {
            let theirs = told.with == *with;
            was |= theirs && told.after < stamp.id && stamp.id <= told.upto;
            // Ids rise: every message before this one has arrived or was replayed.
            !theirs || told.upto > stamp.id
        });
        if cold.replayed.is_empty() {
            cold.replayed = Vec::new();
        }
        was
    }
}

/// The command that continues the results.
fn next_line(command: Option<Command>) -> Option<Text> {
    command.and_then(|command| Text::new(&command.to_string()))
}

/// Upper bound on the ranges in memory; the oldest is dropped. A message arrives live within
/// moments of its commit, so few ranges matter at a time.
const MAX_REPLAYED: usize = 64;

fn record_replayed(all: &mut Vec<ReplayedRange>, with: &UserName, id: MessageId) {
    let before = MessageId(id.0.saturating_sub(1));
    let touches = |told: &&mut ReplayedRange| {
        told.with == *with && told.after <= before && before <= told.upto
    };
    if let Some(told) = all.iter_mut().find(touches) {
        told.upto = told.upto.max(id);
        return;
    }
    if all.len() == MAX_REPLAYED {
        all.remove(0);
    }
    all.push(ReplayedRange { with: with.clone(), after: before, upto: id });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_messages_are_recorded_in_ranges() {
        let [bob, carol] = ["bob", "carol"].map(|name| UserName::new(name).unwrap());
        let mut all = Vec::new();
        for id in [6, 7, 8, 8, 9, 10, 15, 16] {
            record_replayed(&mut all, &bob, MessageId(id));
        }
        record_replayed(&mut all, &carol, MessageId(11));
        let ranges: Vec<_> = all.iter().map(|told| (told.after.0, told.upto.0)).collect();
        assert_eq!(ranges, [(5, 10), (14, 16), (10, 11)]);
        for id in (100..1000).step_by(2) {
            record_replayed(&mut all, &bob, MessageId(id));
        }
        assert_eq!(all.len(), MAX_REPLAYED);
    }
}
