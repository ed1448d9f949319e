//! Full-text search.

use std::cmp::Reverse;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use super::cutoff::Cutoff;
use super::full_text::expression;
use super::pending_redactions::PendingRedactions;
use super::reader::{Reader, STEPS_BETWEEN_LOOKS, find, private_chats};
use super::row::{
    ConversationInfo, ConversationMeta, StoreKey, StoredLine, line_id, rowid, stored_line,
};
use crate::util::sync::lock;

/// A full-text query.
#[derive(Clone, Copy, Debug)]
pub struct FullTextQuery<'a> {
    /// The readable channels: folded name with `#`, and the id after which to search.
    pub channels: &'a [(String, u64)],
    /// The user whose private chats are searched.
    pub user_id: Option<u64>,
    /// Only lines by this name (folded); `fold` folds a stored name.
    pub from: Option<&'a str>,
    /// Folds a name.
    pub fold: fn(&str) -> String,
    /// Only lines before this time, or at it with a smaller id.
    pub before: Option<(i64, u64)>,
    /// Phrases; the flag makes the last word a prefix.
    pub phrases: &'a [(&'a str, bool)],
    /// Ignored names (folded).
    pub hidden: &'a [String],
    /// Ignored accounts.
    pub hidden_accounts: &'a [u64],
    /// Maximum number of lines.
    pub most: usize,
}

/// The conversations that a query covers.
#[derive(Clone, Copy, Debug)]
pub enum SearchScope<'a> {
    /// All readable conversations.
    Everywhere,
    /// One readable conversation.
    In(StoreKey<'a>),
}

/// A search hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchHit {
    /// The conversation.
    pub conversation: ConversationInfo,
    /// The line.
    pub line: StoredLine,
}

/// Search hits, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchHits {
    /// The hits.
    pub hits: Vec<SearchHit>,
    /// Time and id of the last hit, if there are more before it.
    pub next: Option<(i64, u64)>,
}

impl Reader {
    /// Searches until the cutoff.
    ///
    /// # Errors
    ///
    /// Of kind `TooLong` past the cutoff.
    pub fn search(
        &self,
        query: &FullTextQuery<'_>,
        sought: SearchScope<'_>,
        cutoff: &Cutoff,
    ) -> Result<SearchHits, StoreError> {
        let words = expression(query.phrases, query.from);
        let mut places = searched_conversations(&lock(self.connection()), query, sought)?;
        let mut memtable = Vec::with_capacity(places.len());
        for at in &mut places {
            memtable.push(self.recent_with(at, &words, cutoff)?);
        }
        let erasing = PendingRedactions::now(&lock(self.connection()))?;
        let mut found: Vec<(usize, StoredLine)> = Vec::new();
        for (at, (place, memtable)) in places.iter().zip(memtable).enumerate() {
            // In memory, the writer gets its turn between two conversations.
            let mut connection = lock(self.connection());
            let cutoff = cutoff.clone();
            connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || cutoff.is_reached()))?;
            let searched =
                search_in(&connection, query, place, (&words, memtable), &erasing, |line| {
                    found.push((at, line));
                });
            connection.progress_handler(0, None::<fn() -> bool>)?;
            searched?;
        }
        Ok(newest(found, &places, query.most))
    }
}

fn searched_conversations(
    connection: &Connection,
    query: &FullTextQuery<'_>,
    sought: SearchScope<'_>,
) -> rusqlite::Result<Vec<ConversationMeta>> {
    Ok(match sought {
        SearchScope::In(key) => {
            let begin = query.channels.iter().find(|(name, _)| key == StoreKey::Channel(name));
            let begin = begin.map_or(0, |(_, begin)| *begin);
            let at = find(connection, key)?;
            at.map(|at| ConversationMeta { floor: at.floor.max(begin), ..at }).into_iter().collect()
        }
        SearchScope::Everywhere => {
            let mut places = Vec::new();
            for (name, begin) in query.channels {
                let at = find(connection, StoreKey::Channel(name))?;
                places.extend(at.map(|at| ConversationMeta { floor: at.floor.max(*begin), ..at }));
            }
            if let Some(user_id) = query.user_id {
                places.extend(private_chats(connection, user_id)?);
            }
            places
        }
    })
}

/// Merges the hits of several conversations, each with one more than requested. Lines with equal
/// time and id stay together, so that the next page begins with an earlier time or a smaller id.
pub(super) fn newest(
    mut found: Vec<(usize, StoredLine)>,
    places: &[ConversationMeta],
    most: usize,
) -> SearchHits {
    let order = |(_, line): &(usize, StoredLine)| (line.time, line.id);
    found.sort_by_key(|hit| Reverse(order(hit)));
    let last = most.checked_sub(1).and_then(|last| found.get(last)).map(order);
    let end = found.partition_point(|hit| last.is_none_or(|last| order(hit) >= last));
    let next = if end < found.len() { last } else { None };
    found.truncate(end);
    let hits = found
        .into_iter()
        .filter_map(|(at, line)| {
            Some(SearchHit { conversation: places.get(at)?.conversation.clone(), line })
        })
        .collect();
    SearchHits { hits, next }
}

/// Searches one conversation, newest first.
fn search_in(
    connection: &Connection,
    query: &FullTextQuery<'_>,
    at: &ConversationMeta,
    words: SearchTerms<'_>,
    erasing: &PendingRedactions,
    found: impl FnMut(StoredLine),
) -> rusqlite::Result<()> {
    let ConversationMeta { number, floor, .. } = *at;
    // Some lines with this very time may match.
    let since = query.before.map(|(time, id)| time.saturating_add((id > 0).into()));
    let end = since.map(|time| first_since(connection, number, time)).transpose()?;
    let ends = (rowid(number, floor), end.unwrap_or_else(|| rowid(number + 1, 0)));
    let wanted = |line: &StoredLine| {
        let author = (query.fold)(&line.author);
        query.from.is_none_or(|from| author == from)
            && !query.hidden.contains(&author)
            && !line.account.is_some_and(|account| query.hidden_accounts.contains(&account))
            && query.before.is_none_or(|before| (line.time, line.id) < before)
            && !erasing.hides(at, line)
    };
    newest_between(connection, words, ends, query.most, wanted, found)
}

/// Returns a row id below which all lines before a time lie. Binary search finds it where times
/// grow with ids; other lines may lie below it too.
fn first_since(connection: &Connection, number: u32, time: i64) -> rusqlite::Result<i64> {
    let mut bounds = connection.prepare_cached(
        "SELECT min(place), max(place) FROM line WHERE place < ?2 AND place >=
            ?1 + (SELECT unordered FROM conversation WHERE number = ?3)",
    )?;
    let whole = (rowid(number, 0), rowid(number + 1, 0));
    let ends: (Option<i64>, Option<i64>) = bounds
        .query_row(params![whole.0, whole.1, number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut low), Some(last)) = ends else { return Ok(whole.1) };
    let mut said = connection.prepare_cached(
        "SELECT place, time FROM line WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT 1",
    )?;
    let mut high = last + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        let next: Option<(i64, i64)> =
            said.query_row([middle, high], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match next {
            Some((at, said)) if said < time => low = at + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The FTS5 expression, and the buffered lines that match it, newest first.
pub(super) type SearchTerms<'a> = (&'a str, Vec<StoredLine>);

/// Visits the newest matching lines between two row ids, one more than requested to show whether
/// there are more.
pub(super) fn newest_between(
    connection: &Connection,
    (words, memtable): SearchTerms<'_>,
    (begin, end): (i64, i64),
    most: usize,
    wanted: impl Fn(&StoredLine) -> bool,
    mut found: impl FnMut(StoredLine),
) -> rusqlite::Result<()> {
    let mut places = connection.prepare_cached(
        "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid > ?2 AND rowid < ?3 ORDER BY rowid DESC",
    )?;
    let mut line = connection.prepare_cached(
        "SELECT place, time, author, flags, text, account FROM line WHERE place = ?1",
    )?;
    let mut rows = places.query(params![words, begin, end])?;
    let floor = line_id(begin);
    let mut memtable = memtable.into_iter().filter(|line| line.id > floor).peekable();
    let mut next = rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?;
    let mut count = 0;
    while count <= most {
        let kept = next.map(line_id);
        let found_line = match memtable.peek().map(|line| line.id) {
            Some(waits) if kept.is_none_or(|kept| waits > kept) => memtable.next(),
            waits => {
                let Some(at) = next else { break };
                if waits == kept {
                    // It was flushed or indexed just now.
                    memtable.next();
                }
                next = rows.next()?.map(|row| row.get(0)).transpose()?;
                line.query_row([at], stored_line).optional()?
            }
        };
        if let Some(line) = found_line.filter(|line| !line.redacted && wanted(line)) {
            count += 1;
            found(line);
        }
    }
    Ok(())
}
