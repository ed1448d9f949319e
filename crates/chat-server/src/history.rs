//! Answers queries about stored messages: pages of history, and searches.
//!
//! Reads may block on a disk, so they run on threads: one for history, one for searches and one for
//! slow searches, which then delay nothing else. Each serves addresses, and the connections of an
//! address, in turns. A query is dropped once its client has disconnected. Implements
//! [`crate::hub::ports::HistoryReader`].

mod unread;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_proto::command::{HistoryAnchor, HistoryRange, SearchCursor, SearchQuery};
use chat_proto::command_table::{self, COMMANDS};
use chat_proto::conversation::Conversation;
use chat_proto::event::{Event, MessageStamp, ModLogEntry, Sentence, Term};
use chat_proto::id::MessageId;
use chat_proto::limits::HISTORY_LINES;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::id::ConversationKey;
use crate::hub::id::{NameRecord, UserId};
use crate::hub::ports;
use crate::hub::query::{
    ConversationRef, HiddenAuthors, HistoryQuery, IdRange, QueryResult, RangeCount, SearchRequest,
    VisibleRange,
};
use crate::store::{
    self, AuthorPeriod, ConversationInfo, Cutoff, FullTextQuery, LastLines, LineCount,
    ModActionRow, OpenError, Reader, ReaderFactory, SearchHit, SearchScope, StoreErrorKind,
    StoreKey, StoredLine, channel_key,
};
use crate::util::fair_queue::{FairQueue, FlowId};
use crate::util::work_queue::{Popped, Wait};

/// Lines per page. A long answer comes in several pages, each requested when the one before is
/// sent, which bounds the memory in use.
const LINES_A_PAGE: usize = 200;

/// Bytes of text that end a page.
const BYTES_A_PAGE: usize = 32 * 1024;

/// Ids scanned per slice, some milliseconds; then other queries get their turn.
const IDS_A_SLICE: u64 = 10_000;

/// Hits per search.
const MAX_FOUND: usize = 50;

/// Bounds on processor time and on time for a search. Past either, it is run again from the start
/// on the thread for slow searches.
const QUICK_SEARCH: Duration = Duration::from_millis(50);
const QUICK_SEARCH_DEADLINE: Duration = Duration::from_millis(200);

/// Time limit of a search from its turn on.
const SEARCH_DEADLINE: Duration = Duration::from_millis(500);

/// Time limit of a search from the query on. With ten slow searches of other addresses before it,
/// it still gets its turn.
const SEARCH_ANSWERED_BY: Duration = Duration::from_secs(5);

/// The history service of one server. Each client has one query at a time, which bounds the queues.
pub struct HistoryService {
    history: QueryQueue,
    search: QueryQueue,
    long_search: QueryQueue,
}

type QueryQueue = Arc<FairQueue<PendingQuery>>;

struct PendingQuery {
    question: HistoryQuery,
    client: Arc<Client>,
    asked: Instant,
}

/// A failure to start the service.
#[derive(Debug, thiserror::Error)]
pub enum HistoryStartError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A thread could not be started.
    #[error("the system has no thread for reading what is stored")]
    Thread(#[from] std::io::Error),
}

impl HistoryService {
    /// Starts the service with its threads.
    pub fn start(readers: &ReaderFactory) -> Result<Self, HistoryStartError> {
        let thread =
            |name: &str, onward: Option<&QueryQueue>| -> Result<QueryQueue, HistoryStartError> {
                let reader = readers.reader()?;
                // Each connection has one query at a time.
                let backlog = Arc::new(FairQueue::new(usize::MAX));
                let (theirs, onward) = (Arc::clone(&backlog), onward.cloned());
                let thread = std::thread::Builder::new().name(name.to_owned());
                thread.spawn(move || run(&reader, &theirs, onward.as_deref()))?;
                Ok(backlog)
            };
        let (history, long_search) = (thread("history", None)?, thread("long-search", None)?);
        let search = thread("search", Some(&long_search))?;
        Ok(Self { history, search, long_search })
    }
}

impl Drop for HistoryService {
    fn drop(&mut self) {
        for queue in [&self.history, &self.search, &self.long_search] {
            queue.close();
        }
    }
}

impl ports::HistoryReader for HistoryService {
    fn ask(&self, question: HistoryQuery, client: &Arc<Client>) {
        let work = PendingQuery { question, client: Arc::clone(client), asked: Instant::now() };
        let queue = if is_search(&work.question) { &self.search } else { &self.history };
        queue.add(FlowId::new(client.address(), client.id.0), work);
    }
}

fn is_search(question: &HistoryQuery) -> bool {
    matches!(question, HistoryQuery::Search(_) | HistoryQuery::Mentions { .. })
}

impl PendingQuery {
    /// Returns the cutoff of a query: a time limit, or the client's disconnect.
    fn cutoff(&self, most: Duration) -> Cutoff {
        let mut until = Instant::now() + most;
        if is_search(&self.question) {
            until = until.min(self.asked + SEARCH_ANSWERED_BY);
        }
        let client = Arc::clone(&self.client);
        Cutoff::new(until, move || client.has_left())
    }

    fn is_late(&self) -> bool {
        is_search(&self.question) && self.asked.elapsed() >= SEARCH_ANSWERED_BY
    }
}

/// Serves a queue. Slow queries are moved to `onward`, if given.
fn run(reader: &Reader, queue: &FairQueue<PendingQuery>, onward: Option<&FairQueue<PendingQuery>>) {
    while let Popped::Some(work) = queue.next(Wait::Forever) {
        for late in queue.take_where(PendingQuery::is_late) {
            late.client.push(Notification::QueryResult(Err(Refusal::search_busy())));
        }
        let client = &work.client;
        if client.has_left() {
            continue;
        }
        if work.is_late() {
            client.push(Notification::QueryResult(Err(Refusal::search_busy())));
            continue;
        }
        let cutoff = match onward {
            Some(_) => work.cutoff(QUICK_SEARCH_DEADLINE).after_cpu(QUICK_SEARCH),
            None => work.cutoff(SEARCH_DEADLINE),
        };
        let found = std::panic::catch_unwind(AssertUnwindSafe(|| {
            answer(reader, work.question.clone(), client.user_id(), &cutoff)
        }));
        let found = found.unwrap_or_else(|_| Err(Refusal::internal()));
        match onward {
            Some(onward) if found.as_ref().err() == Some(&Refusal::search_too_costly()) => {
                onward.add(FlowId::new(client.address(), client.id.0), work);
            }
            _ => client.push(Notification::QueryResult(found)),
        }
    }
}

/// Answers a query.
pub(crate) fn answer(
    reader: &Reader,
    question: HistoryQuery,
    viewer: UserId,
    cutoff: &Cutoff,
) -> Result<QueryResult, Refusal> {
    match question {
        HistoryQuery::Lines(of, span, reach, hidden) => {
            let place = of.shown();
            match key(reader, of)? {
                Some(key) => page(reader, range(reader, key, span, reach, &place)?, hidden, viewer),
                None => Ok(QueryResult::default()),
            }
        }
        HistoryQuery::NextPage(range, hidden) => page(reader, range, hidden, viewer),
        HistoryQuery::Search(sought) => search(reader, *sought, cutoff),
        HistoryQuery::Unread(viewer) => unread::unread(reader, &viewer, cutoff),
        HistoryQuery::Mentions { reader: viewer, channels, most, before } => {
            unread::mentions(reader, &viewer, &channels, (most, before), cutoff)
        }
        HistoryQuery::ChannelLog(channel, most) => acts(reader, &channel, most),
        HistoryQuery::CountBy(channel, names, after, upto) => {
            said_by(reader, &channel, &names, (after.0, upto.0))
        }
    }
}

fn key(reader: &Reader, of: ConversationRef) -> Result<Option<ConversationKey>, Refusal> {
    match of {
        ConversationRef::Channel(name) => Ok(Some(ConversationKey::Channel(name))),
        ConversationRef::Chat(key, _) => Ok(Some(key)),
        ConversationRef::LastWith(user_id, user) => {
            let found = unless_failed(reader.private_with(user_id.0, user.key(), folded))?;
            Ok(found.map(|(one, other)| ConversationKey::Private(UserId(one), UserId(other))))
        }
    }
}

/// Returns the range of ids for a span. Ids have no gaps, so every span is a range.
fn range(
    reader: &Reader,
    key: ConversationKey,
    span: HistoryRange,
    reach: Option<VisibleRange>,
    place: &Conversation,
) -> Result<IdRange, Refusal> {
    let ends = || with_key(&key, |key| unless_failed(reader.ends(key)));
    let begin = reach.map_or(0, |reach| reach.after.0);
    let last = match reach {
        Some(reach) => reach.upto.0,
        None => ends()?.1,
    };
    let count = span.count.unwrap_or(HISTORY_LINES);
    let (after, upto, count) = match span.from {
        HistoryAnchor::End => (0, last, RangeCount::Last(count, MessageId(last))),
        HistoryAnchor::Before(id) => {
            let upto = id.0.saturating_sub(1).min(last);
            (0, upto, RangeCount::Last(count, MessageId(upto)))
        }
        HistoryAnchor::After(id) if id.0 > last => {
            return Err(Refusal::no_such_line(place, id, MessageId(last)));
        }
        HistoryAnchor::After(id) => {
            (id.0, last, span.count.map_or(RangeCount::All, RangeCount::First))
        }
    };
    Ok(IdRange { key, after: MessageId(after.max(begin)), upto: MessageId(upto), count })
}

fn page(
    reader: &Reader,
    range: IdRange,
    hidden: HiddenAuthors,
    viewer: UserId,
) -> Result<QueryResult, Refusal> {
    let IdRange { key, mut after, upto, count } = range;
    let stored = StoredViewer::new(viewer, hidden);
    if let RangeCount::Last(count, below) = count {
        let found = with_key(&key, |key| {
            let range = (after.0, below.0);
            unless_failed(reader.last_lines(&stored.viewer(), key, range, count as usize))
        })?;
        match found {
            LastLines::After(id) => after = MessageId(id),
            LastLines::Missing(left, below) => {
                let left = u32::try_from(left).unwrap_or(count);
                let count = RangeCount::Last(left, MessageId(below));
                let rest = Some(IdRange { key, after, upto, count });
                return Ok(QueryResult { rest, ..QueryResult::default() });
            }
        }
    }
    let most = match count {
        RangeCount::First(count) => LINES_A_PAGE.min(count as usize),
        RangeCount::All | RangeCount::Last(..) => LINES_A_PAGE,
    };
    let page = with_key(&key, |key| {
        let range = (after.0, upto.0);
        unless_failed(reader.lines_for(&stored.viewer(), key, range, most, BYTES_A_PAGE))
    })?;
    let conversation = match &key {
        ConversationKey::Channel(name) => LineContext::Channel(name.clone()),
        ConversationKey::Private(one, _) => LineContext::Private(page.names, *one == viewer),
    };
    let count = match count {
        RangeCount::First(count) => RangeCount::First(
            count.saturating_sub(u32::try_from(page.lines.len()).unwrap_or(count)),
        ),
        RangeCount::All | RangeCount::Last(..) => RangeCount::All,
    };
    let is_all = page.upto >= upto.0 || matches!(count, RangeCount::First(0));
    let rows = page.lines.into_iter().filter_map(|line| event(line, &conversation)).collect();
    let rest = (!is_all).then_some(IdRange { key, after: MessageId(page.upto), upto, count });
    Ok(QueryResult { rows, rest, ..QueryResult::default() })
}

fn search(reader: &Reader, asked: SearchRequest, cutoff: &Cutoff) -> Result<QueryResult, Refusal> {
    let SearchRequest { search, channels, user_id, only, hidden } = asked;
    let SearchQuery { from, before, words, .. } = search;
    let only = match only {
        None => None,
        Some(of) => match key(reader, of)? {
            None => return Ok(QueryResult::default()),
            found => found,
        },
    };
    let channels: Vec<(String, u64)> =
        channels.iter().map(|(name, begin)| (channel_key(name), begin.0)).collect();
    let of = StoredViewer::new(user_id, hidden);
    let phrases: Vec<(&str, bool)> =
        words.iter().map(|phrase| (phrase.text.as_str(), phrase.prefix)).collect();
    let query = FullTextQuery {
        channels: &channels,
        user_id: Some(user_id.0),
        from: from.as_ref().map(UserName::key),
        fold: folded,
        before: before.map(|before| (before.time.0, before.id.0)),
        phrases: &phrases,
        hidden: &of.hidden,
        hidden_accounts: &of.hidden_accounts,
        most: MAX_FOUND,
    };
    let found = match &only {
        None => reader.search(&query, SearchScope::Everywhere, cutoff),
        Some(key) => with_key(key, |key| reader.search(&query, SearchScope::In(key), cutoff)),
    };
    let found = match found {
        Err(failure) if failure.kind() == StoreErrorKind::TooLong => {
            return Err(Refusal::search_too_costly());
        }
        found => unless_failed(found)?,
    };
    let row = |SearchHit { conversation, line }| {
        let told = match conversation {
            ConversationInfo::Channel(shown) => {
                LineContext::Channel(ChannelName::new(&shown).ok()?)
            }
            ConversationInfo::Private((one, _), names) => {
                LineContext::Private(names, UserId(one) == user_id)
            }
        };
        event(line, &told)
    };
    let rows = found.hits.into_iter().filter_map(row).collect();
    Ok(QueryResult { rows, next: next(found.next), ..QueryResult::default() })
}

fn next(next: Option<(i64, u64)>) -> Option<SearchCursor> {
    next.map(|(time, id)| SearchCursor { time: Timestamp(time), id: MessageId(id) })
}

fn said_by(
    reader: &Reader,
    channel: &ChannelName,
    names: &[NameRecord],
    range: (u64, u64),
) -> Result<QueryResult, Refusal> {
    let millis = |time: Option<Timestamp>| time.map(|time| time.0);
    let author = |record: &NameRecord| {
        (record.name.key().to_owned(), millis(record.from), millis(record.upto))
    };
    let authors: Vec<_> = names.iter().map(author).collect();
    let authors: Vec<AuthorPeriod<'_>> = authors
        .iter()
        .map(|(name, from, upto)| AuthorPeriod { name, from: *from, upto: *upto })
        .collect();
    let name = channel_key(channel);
    let counted = reader.count_by(StoreKey::Channel(&name), &authors, range, IDS_A_SLICE);
    let LineCount { lines, upto } = unless_failed(counted)?;
    Ok(QueryResult { said_by: (lines, MessageId(upto)), ..QueryResult::default() })
}

fn acts(reader: &Reader, channel: &ChannelName, most: u32) -> Result<QueryResult, Refusal> {
    let acts = unless_failed(reader.acts(StoreKey::Channel(&channel_key(channel)), most))?;
    let acts: Vec<ModLogEntry> = acts.into_iter().filter_map(logged).collect();
    let head = Event::ModListHead {
        kind: command_table::CommandKind::Log,
        channel: channel.clone(),
        count: acts.len(),
    };
    let rows = acts
        .into_iter()
        .map(|logged| Event::LogEntry { channel: channel.clone(), logged: Box::new(logged) });
    Ok(QueryResult { rows: std::iter::once(head).chain(rows).collect(), ..QueryResult::default() })
}

/// Converts an entry of the moderation log. `None` if a version with other commands or names wrote
/// it.
fn logged(act: ModActionRow) -> Option<ModLogEntry> {
    let spec = COMMANDS.iter().find(|spec| spec.name == act.did)?;
    Some(ModLogEntry {
        time: Timestamp(act.time),
        by: UserName::stored(&act.by).ok()?,
        did: spec.kind,
        target: act.target.as_deref().and_then(ModTarget::read),
        term: act.until.map(|until| Term::Until(Timestamp(until))),
        setting: act.setting.map(Sentence::new),
        reason: act.reason.as_deref().and_then(Text::new),
    })
}

/// The conversation of stored lines.
enum LineContext {
    Channel(ChannelName),
    /// Both names, and whether the viewer is the first party.
    Private((String, String), bool),
}

/// The viewer in the store's terms.
struct StoredViewer {
    user_id: u64,
    hidden: Vec<String>,
    hidden_accounts: Vec<u64>,
}

impl StoredViewer {
    fn new(user_id: UserId, hidden: HiddenAuthors) -> Self {
        let hidden_accounts = hidden.user_ids.iter().map(|user_id| user_id.0).collect();
        Self { user_id: user_id.0, hidden: hidden.names, hidden_accounts }
    }

    fn viewer(&self) -> store::Viewer<'_> {
        store::Viewer {
            user_id: self.user_id,
            hidden: &self.hidden,
            hidden_accounts: &self.hidden_accounts,
            fold: folded,
        }
    }
}

/// Converts a stored line to an event for the viewer.
fn event(line: StoredLine, conversation: &LineContext) -> Option<Event> {
    let StoredLine { id, time, author, action, by_other, text, .. } = line;
    let stamp = MessageStamp { id: MessageId(id), time: Timestamp(time) };
    let from = UserName::new(&author).unwrap_or_else(|_| unknown());
    let text = Text::new(&text)?;
    let past = true;
    Some(match conversation {
        LineContext::Channel(channel) => {
            Event::Message { stamp, channel: channel.clone(), from, text, action, past }
        }
        LineContext::Private((one, other), is_one) => {
            let name = |name: &str| UserName::new(name).unwrap_or_else(|_| unknown());
            let to = name(if by_other { one } else { other });
            let with = name(if *is_one { other } else { one });
            Event::Private { stamp, with, from, to, text, action, past }
        }
    })
}

/// Replaces a stored name that this version doesn't accept.
fn unknown() -> UserName {
    UserName::new("unknown").unwrap_or_else(|error| unreachable!("a plain word is a name: {error}"))
}

pub(crate) fn folded(name: &str) -> String {
    store::author_key(name)
}

fn with_key<T>(key: &ConversationKey, ask: impl FnOnce(StoreKey<'_>) -> T) -> T {
    match key {
        ConversationKey::Channel(name) => ask(StoreKey::Channel(&channel_key(name))),
        ConversationKey::Private(one, other) => ask(StoreKey::Private(one.0, other.0)),
    }
}

fn unless_failed<T>(result: Result<T, store::StoreError>) -> Result<T, Refusal> {
    result.map_err(|failure| {
        tracing::error!("can't read the store: {failure}");
        Refusal::not_read()
    })
}
