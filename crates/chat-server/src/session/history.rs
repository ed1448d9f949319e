//! What a person is told at length, of the past or as a list: page by page, while they hear what happens meanwhile.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use chat_proto::command::{Command, HistoryAnchor, HistoryRange, SearchCursor, SearchQuery};
use chat_proto::conversation::Conversation;
use chat_proto::encoding::encode;
use chat_proto::event::{Event, OkReply};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::limits::HISTORY_LINES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::Session;
use super::account::Entry;
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

/// A question with a long answer, from its asking to its answer. There is one at a time, and no further line is
/// carried out until it is answered.
pub(super) struct Lookup {
    re: Cow<'static, str>,
    then: Then,
    /// Found, and not told yet.
    rows: Rows,
    /// What comes after these.
    rest: Option<IdRange>,
    /// A question is on its way.
    is_asked: bool,
    /// How many lines were told.
    count: usize,
    /// If there is more than was asked for, where that begins.
    next: Option<SearchCursor>,
    /// They were put out of the channel meanwhile, with the number below which everything was before.
    kick: Option<(u64, Kick)>,
}

/// A purge that is carried out once it is counted what it hides.
struct Purge {
    channel: Arc<Channel>,
    aim: ActionTarget,
    reason: Option<Text>,
    counted: PurgeScope,
    /// The last line when it was asked for.
    last: MessageId,
    now: Timestamp,
}

impl Purge {
    fn question(&self) -> HistoryQuery {
        let Self { channel, counted: PurgeScope { names, upto, .. }, last, .. } = self;
        HistoryQuery::CountBy(channel.name.clone(), names.clone(), *upto, *last)
    }
}

/// Private lines that were told out of the past, and may still come live: with whom, after which, up to which.
pub(super) struct ToldPrivately {
    with: UserName,
    after: MessageId,
    upto: MessageId,
}

/// What the answer is.
enum Then {
    History(Conversation),
    Search(Box<SearchQuery>),
    Mentions(u32),
    Acts(ChannelName),
    /// A purge, of which it is counted what it hides.
    Purge(Box<Purge>),
    /// The answer of `/enter`, unless it was told before the lines; and the channel whose live lines are held
    /// back for as long.
    Entered(Option<OkReply>, ChannelName),
    /// The answer of `/login`, unless it was told before; and how many lines wait, once that is known.
    SignedIn(Option<OkReply>),
    /// The answer after a list.
    Listed(OkReply),
}

/// Bytes of a list that are told at once, whatever waits: a list of a usual size stays together.
const AT_ONCE: usize = 16 * 1024;

impl Session {
    /// `/history`.
    pub(super) fn look_back(
        &mut self,
        re: Cow<'static, str>,
        conversation: Conversation,
        of: ConversationRef,
        span: HistoryRange,
    ) {
        // What is in the past for this person ends where they have heard of the channel.
        let reach = match &conversation {
            Conversation::Channel(name) => self.inbox.last_line(name).map(|upto| {
                let floor = self.inbox.channel(name).map(|channel| channel.floor());
                VisibleRange { after: floor.unwrap_or_default(), upto }
            }),
            Conversation::Private(_) => None,
        };
        if reach.is_none() {
            // What is stored and not heard yet may be told in either way, and in one only.
            self.inbox.hold_chats();
        }
        self.ask_archive(
            re,
            Then::History(conversation),
            HistoryQuery::Lines(of, span, reach, self.me.hidden_authors()),
        );
    }

    /// `/search`.
    pub(super) fn look_for(
        &mut self,
        re: Cow<'static, str>,
        search: SearchQuery,
        only: Option<ConversationRef>,
    ) {
        let asked = SearchRequest {
            search: search.clone(),
            // Of a channel that they have just been put out of they may hear by and by.
            channels: self
                .inbox
                .channels()
                .filter(|channel| channel.role(&self.client).member)
                .map(|channel| (channel.name.clone(), channel.floor()))
                .collect(),
            user_id: self.client.user_id(),
            only,
            hidden: self.me.hidden_authors(),
        };
        let then = Then::Search(Box::new(search));
        self.ask_archive(re, then, HistoryQuery::Search(Box::new(asked)));
    }

    /// `/log`.
    pub(super) fn tell_acts(&mut self, re: Cow<'static, str>, channel: ChannelName, most: u32) {
        self.ask_archive(re, Then::Acts(channel.clone()), HistoryQuery::ChannelLog(channel, most));
    }

    /// `/purge`: what it hides is counted by the archive, in slices, and what is said meanwhile when it takes its place.
    pub(super) fn purge(
        &mut self,
        re: Cow<'static, str>,
        channel: Arc<Channel>,
        (aim, reason): (ActionTarget, Option<Text>),
        counted: PurgeScope,
        now: Timestamp,
    ) {
        let last = channel.last_line();
        // What is before went with an earlier channel of the name.
        let counted = PurgeScope { upto: channel.floor(), ..counted };
        let purge = Purge { channel, aim, reason, counted, last, now };
        let question = purge.question();
        self.ask_archive(re, Then::Purge(Box::new(purge)), question);
    }

    /// The lines before an entry, which has just been; live ones wait until they are told. In the text form the
    /// answer comes first, so that a person sees where they are.
    pub(super) fn look_back_on_entry(
        &mut self,
        re: Cow<'static, str>,
        done: OkReply,
        channel: ChannelName,
        after: Option<MessageId>,
        upto: MessageId,
        out: &mut BytesMut,
    ) {
        let span = self.span_on_entry(after);
        let nothing = upto == MessageId(0) || after == Some(upto) || span.count == Some(0);
        if nothing {
            self.done(re, done, out);
            return;
        }
        self.look_back_over(re, Entry { done, channel, after, last: upto, kick: None }, span, out);
    }

    /// The same for a channel whose live lines are held back already.
    pub(super) fn look_back_from(
        &mut self,
        re: Cow<'static, str>,
        entry: Entry,
        out: &mut BytesMut,
    ) {
        let span = self.span_on_entry(entry.after);
        self.look_back_over(re, entry, span, out);
    }

    fn span_on_entry(&self, after: Option<MessageId>) -> HistoryRange {
        match after {
            Some(after) => HistoryRange { count: None, from: HistoryAnchor::After(after) },
            None => {
                HistoryRange { count: Some(self.hub.bounds.replay_lines), from: HistoryAnchor::End }
            }
        }
    }

    fn look_back_over(
        &mut self,
        re: Cow<'static, str>,
        entry: Entry,
        span: HistoryRange,
        out: &mut BytesMut,
    ) {
        let Entry { done, channel, last: upto, kick, .. } = entry;
        let done = if self.me.format == Format::Text {
            self.done(re.clone(), done, out);
            None
        } else {
            Some(done)
        };
        self.inbox.hold(&channel);
        let of = ConversationRef::Key(ConversationKey::Channel(channel.clone()));
        let floor = self.inbox.channel(&channel).map(|channel| channel.floor());
        let reach = VisibleRange { after: floor.unwrap_or_default(), upto };
        let question = HistoryQuery::Lines(of, span, Some(reach), self.me.hidden_authors());
        self.ask_archive(re, Then::Entered(done, channel), question);
        match (&mut self.lookup, kick) {
            (Some(lookup), kick) => lookup.kick = kick,
            (None, Some((number, kick))) => self.on_kick(number, kick, out),
            (None, None) => {}
        }
    }

    /// What was written privately to this person while they were away.
    pub(super) fn ask_what_waits(&mut self, re: Cow<'static, str>, done: Option<OkReply>) {
        if let Some(reader) = self.reader() {
            self.ask_archive(re, Then::SignedIn(done), HistoryQuery::Unread(reader));
        }
    }

    /// `/mentions`.
    pub(super) fn look_for_mentions(
        &mut self,
        re: Cow<'static, str>,
        most: u32,
        before: Option<SearchCursor>,
    ) -> Result<(), Refusal> {
        let reader = self.reader().ok_or_else(|| Refusal::not_named(None))?;
        let channels = self.inbox.channels();
        let channels = channels.map(|channel| (channel.name.clone(), channel.floor())).collect();
        let question = HistoryQuery::Mentions { reader, channels, most, before };
        self.ask_archive(re, Then::Mentions(most), question);
        Ok(())
    }

    fn reader(&self) -> Option<UnreadQuery> {
        Some(UnreadQuery {
            user_id: self.client.user_id(),
            hidden: self.me.hidden_authors(),
            name: self.me.name.clone()?,
            read: self.client.signed_in().map(|account| account.read()).unwrap_or_default(),
        })
    }

    /// The person has signed out: what they asked is not told.
    pub(super) fn give_up_lookup(&mut self, out: &mut BytesMut) {
        let Some(lookup) = self.lookup.take() else { return };
        let Lookup { re, then, .. } = *lookup;
        if !matches!(then, Then::Entered(None, _) | Then::SignedIn(None)) {
            self.show(&Event::Refused { re, refusal: Refusal::not_named(None) }, out);
        }
    }

    fn ask_archive(&mut self, re: Cow<'static, str>, then: Then, question: HistoryQuery) {
        self.lookup = Some(Box::new(Lookup {
            re,
            then,
            rows: Box::new(std::iter::empty()),
            rest: None,
            is_asked: true,
            count: 0,
            next: None,
            kick: None,
        }));
        self.hub.history.ask(question, &self.client);
    }

    /// Tells a list: as much of it as is written at once, and the rest as the peer takes it.
    pub(super) fn tell_list(
        &mut self,
        re: Cow<'static, str>,
        rows: Rows,
        done: OkReply,
        out: &mut BytesMut,
    ) {
        self.lookup = Some(Box::new(Lookup {
            re,
            then: Then::Listed(done),
            rows,
            rest: None,
            is_asked: false,
            count: 0,
            next: None,
            kick: None,
        }));
        self.tell_past(out.len() + AT_ONCE, out);
    }

    /// Whether some of the past can be told.
    pub(super) fn has_past_to_tell(&self) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| !lookup.is_asked)
    }

    /// An answer has come.
    pub(super) fn on_found(&mut self, found: Result<QueryResult, Refusal>, out: &mut BytesMut) {
        let Some(lookup) = &mut self.lookup else { return };
        lookup.is_asked = false;
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
                if let Then::Purge(purge) = &mut lookup.then {
                    purge.counted.lines += said_by.0;
                    purge.counted.upto = said_by.1;
                }
                if matches!(lookup.then, Then::SignedIn(_)) {
                    // Of the others nothing is to be looked at.
                    self.inbox.catch_up_but(|name| unread.iter().any(|one| one.channel == *name));
                }
                for UnreadCount { channel, count, mentions, after } in unread {
                    if self.inbox.channel(&channel).is_none() {
                        continue;
                    }
                    let event = Event::Unread { channel, count, mentions, after };
                    encode(&event, self.me.format, out);
                }
                if waiting > 0 {
                    let told = rows.len() as u64;
                    encode(&Event::UnreadPrivate { count: waiting, told }, self.me.format, out);
                }
                lookup.rows = Box::new(rows.into_iter());
                lookup.rest = rest;
                lookup.next = next;
                if let Some(writer) = last_writer {
                    self.me.was_written_to(writer);
                }
                for (with, line) in waiting_from {
                    self.note_told_privately(with, line);
                }
            }
            Err(refusal) if matches!(lookup.then, Then::Entered(..) | Then::SignedIn(_)) => {
                // They are in, whether the past can be read or not.
                self.notice(refusal.text(), out);
            }
            Err(refusal) => {
                let re = std::mem::take(&mut lookup.re);
                self.lookup = None;
                self.inbox.release_chats();
                self.show(&Event::Refused { re, refusal }, out);
            }
        }
    }

    /// Tells of the past until `out` holds `enough` bytes, and asks for more of it.
    pub(super) fn tell_past(&mut self, enough: usize, out: &mut BytesMut) {
        while self.has_past_to_tell() && out.len() < enough {
            let Some(lookup) = &mut self.lookup else { return };
            if let Some(row) = lookup.rows.next() {
                if let (Event::Private { stamp, with, .. }, Then::History(_) | Then::SignedIn(_)) =
                    (&row, &lookup.then)
                {
                    let told = &mut self.aside.get_or_insert_default().told_privately;
                    note_told(told, with, stamp.id);
                }
                let hidden = match &row {
                    Event::Message { from, .. } | Event::Private { from, .. } => {
                        self.me.ignores_name(from)
                    }
                    _ => false,
                };
                if !hidden {
                    lookup.count += usize::from(!matches!(row, Event::ModListHead { .. }));
                    self.show(&row, out);
                }
            } else if let Some(rest) = lookup.rest.take() {
                lookup.is_asked = true;
                self.hub
                    .history
                    .ask(HistoryQuery::NextPage(rest, self.me.hidden_authors()), &self.client);
            } else if let Then::Purge(purge) = &lookup.then
                && purge.counted.upto < purge.last
            {
                lookup.is_asked = true;
                self.hub.history.ask(purge.question(), &self.client);
            } else if let Then::Entered(_, channel) = &lookup.then
                && let Some((after, upto)) = self.inbox.release(channel)
            {
                // So much was said meanwhile that the ring doesn't hold it any more.
                let key = ConversationKey::Channel(channel.clone());
                lookup.is_asked = true;
                let range = IdRange { key, after, upto, count: RangeCount::All };
                self.hub
                    .history
                    .ask(HistoryQuery::NextPage(range, self.me.hidden_authors()), &self.client);
            } else {
                self.end_lookup(out);
            }
        }
    }

    fn end_lookup(&mut self, out: &mut BytesMut) {
        let Some(lookup) = self.lookup.take() else { return };
        let Lookup { re, then, count, next, kick, .. } = *lookup;
        self.inbox.release_chats();
        if let Then::History(Conversation::Channel(channel)) | Then::Entered(_, channel) = &then {
            self.inbox.catch_up(channel);
        }
        let done = match then {
            Then::History(conversation) => Some(OkReply::History { conversation, count }),
            Then::Search(search) => {
                let command =
                    |before| Command::Search(SearchQuery { before: Some(before), ..*search });
                Some(OkReply::Found { count, next: next_line(next.map(command)) })
            }
            Then::Mentions(most) => {
                let count_of = (most != HISTORY_LINES).then_some(most);
                let command = |before| Command::Mentions { count: count_of, before: Some(before) };
                Some(OkReply::Mentions { count, next: next_line(next.map(command)) })
            }
            Then::Acts(channel) => Some(OkReply::ListedOf { channel, count }),
            Then::Purge(purge) => {
                let Purge { channel, aim, reason, counted, now, .. } = *purge;
                let act = ModAction { kind: ModActionKind::Purge(aim, counted), reason };
                if let Err(refusal) = self.act(re.clone(), &channel, act, now) {
                    self.show(&Event::Refused { re, refusal }, out);
                }
                return;
            }
            Then::Entered(done, _) | Then::SignedIn(done) => done,
            Then::Listed(done) => Some(done),
        };
        if let Some(done) = done {
            self.done(re, done, out);
        }
        if let Some((number, kick)) = kick {
            self.on_kick(number, kick, out);
        }
    }

    /// Who is put out while they are told what was before their entry, is told so afterwards.
    pub(super) fn put_off(&mut self, number: u64, kick: Kick) -> Option<Kick> {
        // One of an earlier entry, perhaps into another channel of the name, is told before.
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
        match &mut self.lookup {
            Some(lookup)
                if matches!(&lookup.then, Then::Entered(_, channel) if *channel == kick.channel)
                    && lookup.kick.is_none() =>
            {
                lookup.kick = Some((number, kick));
                None
            }
            _ => Some(kick),
        }
    }

    /// Whether a private line that comes live was told out of the past already.
    pub(super) fn was_told(&mut self, told: &SequencedEvent) -> bool {
        let Event::Private { stamp, with, .. } = &told.event else { return false };
        let Some(aside) = &mut self.aside else { return false };
        let mut was = false;
        aside.told_privately.retain(|told| {
            let theirs = told.with == *with;
            was |= theirs && told.after < stamp.id && stamp.id <= told.upto;
            // Ids grow: what is before this one has come or was told.
            !theirs || told.upto > stamp.id
        });
        if aside.told_privately.is_empty() {
            aside.told_privately = Vec::new();
        }
        was
    }
}

/// The line to type for what comes next.
fn next_line(command: Option<Command>) -> Option<Text> {
    command.and_then(|command| Text::new(&command.to_string()))
}

/// How many ranges are remembered; past it the oldest is given up. A line comes live within moments of being kept,
/// so few matter at any time.
const MAX_TOLD: usize = 64;

fn note_told(all: &mut Vec<ToldPrivately>, with: &UserName, id: MessageId) {
    let before = MessageId(id.0.saturating_sub(1));
    let touches = |told: &&mut ToldPrivately| {
        told.with == *with && told.after <= before && before <= told.upto
    };
    if let Some(told) = all.iter_mut().find(touches) {
        told.upto = told.upto.max(id);
        return;
    }
    if all.len() == MAX_TOLD {
        all.remove(0);
    }
    all.push(ToldPrivately { with: with.clone(), after: before, upto: id });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_remembered_in_ranges() {
        let [bob, carol] = ["bob", "carol"].map(|name| UserName::new(name).unwrap());
        let mut all = Vec::new();
        for id in [6, 7, 8, 8, 9, 10, 15, 16] {
            note_told(&mut all, &bob, MessageId(id));
        }
        note_told(&mut all, &carol, MessageId(11));
        let ranges: Vec<_> = all.iter().map(|told| (told.after.0, told.upto.0)).collect();
        assert_eq!(ranges, [(5, 10), (14, 16), (10, 11)]);
        for id in (100..1000).step_by(2) {
            note_told(&mut all, &bob, MessageId(id));
        }
        assert_eq!(all.len(), MAX_TOLD);
    }
}
