//! Hides all lines of an author in a conversation.
//!
//! The commit of a purge writes one row (`pending_purge`) for each name of the author, whatever the
//! number of lines. From that commit on, reads leave the lines out, see [`PendingRedactions`]. The
//! lines are marked as hidden later, a few at a time between commits, and the row is deleted with
//! the last of them. So a purge takes the writing thread no longer in a long history than in a
//! short one.
//!
//! `author_block` has the blocks of ids in which each author wrote, and only these are read. It is
//! filled together with the full-text index, so unindexed lines are all read. Authors are stored as
//! [`author_key`] folds them. A version that folds names otherwise must rebuild it.

use std::collections::HashMap;

use chat_proto::name::UserName;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Transaction, params};

use super::StoreError;
use super::pending_redactions::PendingRedactions;
use super::reader::{ConversationMeta, Reader, RowFilter, StoreKey, StoredLine};
use super::writer::{HIDDEN, NOT_SHOWN, Writer, line_id, rowid};
use crate::util::sync::lock;

/// Bits of an id within its block.
const BLOCK_BITS: u32 = 8;

/// Ids read at once where no index exists.
const UNINDEXED_STRETCH: u64 = 4096;

/// Lines read per marking step, if few of them match.
const LINES_LOOKED_AT: usize = 2000;

/// Names in the cache of folded names.
const MAX_KEYS: usize = 1000;

/// Returns a name as the tables compare it.
pub fn author_key(name: &str) -> String {
    UserName::new(name).map_or_else(|_| name.to_lowercase(), |name| name.key().to_owned())
}

/// Returns the block of an id.
pub(super) fn block_of(id: u64) -> u64 {
    id >> BLOCK_BITS
}

/// Returns the last id of a block.
pub(super) fn end_of_block(block: u64) -> u64 {
    (block << BLOCK_BITS) | ((1 << BLOCK_BITS) - 1)
}

/// A cache of folded names.
#[derive(Default)]
pub(super) struct FoldedNames(HashMap<String, String>);

impl FoldedNames {
    pub(super) fn of(&mut self, name: &str) -> &str {
        if !self.0.contains_key(name) {
            if self.0.len() >= MAX_KEYS {
                self.0.clear();
            }
            self.0.insert(name.to_owned(), author_key(name));
        }
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A name that an author had from one time to another.
#[derive(Clone, Copy, Debug)]
pub struct AuthorPeriod<'a> {
    /// The folded name.
    pub name: &'a str,
    /// Lower bound, inclusive.
    pub from: Option<i64>,
    /// Upper bound, inclusive.
    pub upto: Option<i64>,
}

impl AuthorPeriod<'_> {
    fn is_at(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.upto.is_none_or(|upto| time <= upto)
    }
}

/// A purge: hides the lines of an author up to an id.
#[derive(Clone, Copy, Debug)]
pub struct PurgeOp<'a> {
    /// The author.
    pub author: AuthorPeriod<'a>,
    /// The last id.
    pub upto: u64,
}

/// A count of lines, as far as the scan came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// The lines.
    pub lines: u64,
    /// The id up to which they were counted.
    pub upto: u64,
}

/// A purge whose lines aren't all marked as hidden.
pub(super) struct PendingPurge {
    at: i64,
    pub(super) number: u32,
    pub(super) author: String,
    since: Option<i64>,
    until: Option<i64>,
    upto: u64,
    looked: u64,
}

impl PendingPurge {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            at: row.get(0)?,
            number: row.get(1)?,
            author: row.get(2)?,
            since: row.get(3)?,
            until: row.get(4)?,
            upto: row.get(5)?,
            looked: row.get(6)?,
        })
    }

    fn author(&self) -> AuthorPeriod<'_> {
        AuthorPeriod { name: &self.author, from: self.since, upto: self.until }
    }

    /// Whether a line by the author is part of the purge and not marked yet.
    pub(super) fn covers(&self, number: u32, line: &StoredLine) -> bool {
        self.number == number
            && line.id > self.looked
            && line.id <= self.upto
            && self.author().is_at(line.time)
    }
}

const PENDING: &str = "SELECT at, number, author, since, until, upto, looked FROM pending_purge";

/// Returns the purges whose lines aren't all marked: rarely any.
pub(super) fn pending(connection: &Connection) -> rusqlite::Result<Vec<PendingPurge>> {
    let mut all = connection.prepare_cached(PENDING)?;
    all.query_map((), PendingPurge::read)?.collect()
}

/// Hides the lines from this commit on. Extends a pending purge of the same author.
pub(super) fn begin(
    change: &Transaction<'_>,
    number: u32,
    purge: &PurgeOp<'_>,
) -> rusqlite::Result<()> {
    let PurgeOp { author: AuthorPeriod { name, from, upto: until }, upto } = *purge;
    let goes_on = change
        .prepare_cached(
            "UPDATE pending_purge SET upto = max(upto, ?5)
                WHERE number = ?1 AND author = ?2 AND since IS ?3 AND until IS ?4",
        )?
        .execute(params![number, name, from, until, upto])?;
    if goes_on == 0 {
        change
            .prepare_cached(
                "INSERT INTO pending_purge (number, author, since, until, upto)
                    VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![number, name, from, until, upto])?;
    }
    Ok(())
}

/// Returns the next range of ids, within bounds, that may hold lines of these authors (folded).
fn next_stretch(
    connection: &Connection,
    number: u32,
    authors: &[&str],
    (after, upto): (u64, u64),
) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut ends =
        connection.prepare_cached("SELECT floor, indexed FROM conversation WHERE number = ?1")?;
    let ends = ends.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (floor, indexed): (u64, u64) = ends.unwrap_or((upto, upto));
    let mut after = after.max(floor);
    let mut end = upto;
    if after < indexed {
        let mut next = connection.prepare_cached(
            "SELECT min(block) FROM author_block WHERE number = ?1 AND author = ?2 AND block >= ?3",
        )?;
        let mut first: Option<u64> = None;
        for author in authors {
            let block = params![number, author, block_of(after + 1)];
            let found: Option<u64> = next.query_row(block, |row| row.get(0))?;
            first = found.into_iter().chain(first).min();
        }
        if let Some(block) = first.filter(|block| block << BLOCK_BITS <= indexed) {
            after = after.max((block << BLOCK_BITS).saturating_sub(1));
            end = upto.min(end_of_block(block));
        } else {
            after = indexed;
        }
    }
    if after >= indexed {
        end = upto.min(after.saturating_add(UNINDEXED_STRETCH));
    }
    Ok((after < upto).then_some((after, end)))
}

impl Reader {
    /// Counts visible lines of these authors in a range of ids. Reads a bounded number of ids and
    /// returns how far it came.
    pub fn count_by(
        &self,
        of: StoreKey<'_>,
        authors: &[AuthorPeriod<'_>],
        range: (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        match self.find_conversation(of)? {
            Some(at) => self.count_at(&at, authors, range, most),
            None => Ok(LineCount { lines: 0, upto: range.1 }),
        }
    }

    fn count_at(
        &self,
        at: &ConversationMeta,
        authors: &[AuthorPeriod<'_>],
        (after, upto): (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        let names: Vec<&str> = authors.iter().map(|author| author.name).collect();
        let mut keys = FoldedNames::default();
        let (mut lines, mut left, mut looked) = (0, most, after.max(at.floor));
        loop {
            let next = next_stretch(&lock(self.connection()), at.number, &names, (looked, upto))?;
            let Some((begin, end)) = next else { return Ok(LineCount { lines, upto }) };
            if left == 0 {
                return Ok(LineCount { lines, upto: begin });
            }
            let end = end.min(begin.saturating_add(left));
            self.walk(at, (begin, end), RowFilter::Visible(None), usize::MAX, |line| {
                let key = keys.of(&line.author);
                let is_theirs =
                    authors.iter().any(|author| author.is_at(line.time) && author.name == key);
                lines += u64::from(is_theirs);
                true
            })?;
            left = left.saturating_sub(end - begin);
            looked = end;
        }
    }
}

impl Writer {
    /// Does the same as [`Reader::count_by`] for a conversation by its number, up to its last line.
    pub fn count_by(
        &self,
        number: u32,
        authors: &[AuthorPeriod<'_>],
        range: (u64, u64),
        most: u64,
    ) -> Result<LineCount, StoreError> {
        let viewer = self.reader();
        let at = viewer.conversation_by_number(number)?;
        viewer.count_at(&at, authors, range, most)
    }

    /// Returns the number of pending purges.
    pub fn pending_purges(&self) -> Result<usize, StoreError> {
        let connection = self.memtable().tables();
        let mut count = connection.prepare_cached("SELECT count(*) FROM pending_purge")?;
        Ok(count.query_row((), |row| row.get(0))?)
    }

    /// Marks some lines of a pending purge as hidden. Returns the number of pending purges.
    pub fn purge_some(&mut self, most: usize) -> Result<usize, StoreError> {
        let first = {
            let connection = self.memtable().tables();
            let mut first = connection.prepare_cached(&format!("{PENDING} ORDER BY at LIMIT 1"))?;
            first.query_row((), PendingPurge::read).optional()?
        };
        let Some(purge) = first else { return Ok(0) };
        if !self.memtable().flush_some(purge.number, purge.upto)? {
            return self.pending_purges();
        }
        let mut tables = self.memtable().tables();
        // A step lost in a power cut is repeated: the row is rolled back with the lines.
        self.memtable().unsynced(&mut tables, |tables| Ok(mark(tables, &purge, most)?))?;
        drop(tables);
        self.pending_purges()
    }
}

/// One step of marking.
fn mark(tables: &mut Connection, purge: &PendingPurge, most: usize) -> rusqlite::Result<()> {
    let change = tables.transaction()?;
    let (mut keys, mut found, mut looked) = (FoldedNames::default(), Vec::new(), purge.looked);
    let mut read = 0;
    let is_done = {
        let mut lines = change.prepare_cached(
            "SELECT place, author, time, flags FROM line WHERE place > ?1 AND place <= ?2 ORDER BY place",
        )?;
        loop {
            let range = (looked, purge.upto);
            let next = next_stretch(&change, purge.number, &[&purge.author], range)?;
            let Some((begin, end)) = next else { break true };
            let mut rows = lines.query([rowid(purge.number, begin), rowid(purge.number, end)])?;
            looked = end;
            let mut is_full = false;
            while let Some(row) = rows.next()? {
                let at: i64 = row.get(0)?;
                read += 1;
                let is_theirs = row.get::<_, i64>(3)? & NOT_SHOWN == 0
                    && purge.author().is_at(row.get(2)?)
                    && keys.of(row.get_ref(1)?.as_str()?) == purge.author;
                if is_theirs {
                    found.push(at);
                }
                is_full = found.len() >= most || read >= LINES_LOOKED_AT;
                if is_full {
                    looked = line_id(at);
                    break;
                }
            }
            if is_full {
                break false;
            }
        }
    };
    {
        let mut hide =
            change.prepare_cached("UPDATE line SET flags = flags | ?2 WHERE place = ?1")?;
        for at in found {
            hide.execute(params![at, HIDDEN])?;
        }
    }
    let is_whole = purge.since.is_none() && purge.until.is_none();
    if is_whole {
        // Nothing of the author is left to be hidden.
        let end = if is_done { purge.upto } else { looked };
        change
            .prepare_cached(
                "DELETE FROM author_block WHERE number = ?1 AND author = ?2 AND block < ?3",
            )?
            .execute(params![purge.number, purge.author, block_of(end + 1)])?;
    }
    if is_done {
        change.prepare_cached("DELETE FROM pending_purge WHERE at = ?1")?.execute([purge.at])?;
    } else {
        change
            .prepare_cached("UPDATE pending_purge SET looked = ?2 WHERE at = ?1")?
            .execute(params![purge.at, looked])?;
    }
    change.commit()
}

/// Records the blocks of authors while lines are indexed.
pub(super) struct AuthorBlocks<'a> {
    insert: Option<CachedStatement<'a>>,
    keys: FoldedNames,
    /// The last block written for each author.
    last: HashMap<String, (u32, u64)>,
}

impl<'a> AuthorBlocks<'a> {
    /// A copy of an earlier version lacks the table.
    pub(super) fn new(change: &'a Connection) -> rusqlite::Result<Self> {
        let insert = change.table_exists(None, "author_block")?.then(|| {
            change.prepare_cached(
                "INSERT OR IGNORE INTO author_block (number, author, block) VALUES (?1, ?2, ?3)",
            )
        });
        Ok(Self { insert: insert.transpose()?, keys: FoldedNames::default(), last: HashMap::new() })
    }

    pub(super) fn add(&mut self, number: u32, id: u64, author: &str) -> rusqlite::Result<()> {
        let Some(insert) = &mut self.insert else { return Ok(()) };
        let at = (number, block_of(id));
        let key = self.keys.of(author);
        if self.last.get(key) != Some(&at) {
            insert.execute(params![at.0, key, at.1])?;
            self.last.insert(key.to_owned(), at);
        }
        Ok(())
    }
}

/// Removes the blocks of deleted or redacted lines, given with their authors, in which the author
/// has no other line. `is_over` returns whether all lines of a block are gone.
pub(super) fn leave_blocks<'a>(
    change: &Transaction<'_>,
    lines: impl Iterator<Item = (i64, &'a str)>,
    is_over: impl Fn(u64) -> bool,
) -> rusqlite::Result<()> {
    if !change.table_exists(None, "author_block")? {
        return Ok(());
    }
    let mut others = change.prepare_cached(
        "SELECT author FROM line WHERE place >= ?1 AND place <= ?2 AND flags & ?3 = 0",
    )?;
    let mut delete = change.prepare_cached(
        "DELETE FROM author_block WHERE number = ?1 AND author = ?2 AND block = ?3",
    )?;
    let mut keys = FoldedNames::default();
    let mut done: HashMap<String, (u32, u64)> = HashMap::new();
    for (at, author) in lines {
        let number = u32::try_from(at >> super::writer::ID_BITS).unwrap_or_default();
        let block = block_of(line_id(at));
        let key = keys.of(author).to_owned();
        if done.get(&key) == Some(&(number, block)) {
            continue;
        }
        let mut is_left = false;
        if !is_over(block) {
            let ends = [block << BLOCK_BITS, end_of_block(block)].map(|id| rowid(number, id));
            let mut rows = others.query(params![ends[0], ends[1], super::writer::REDACTED])?;
            while let Some(row) = rows.next()? {
                is_left |= keys.of(row.get_ref(0)?.as_str()?) == key;
            }
        }
        if !is_left {
            delete.execute(params![number, key, block])?;
        }
        done.insert(key, (number, block));
    }
    Ok(())
}

impl PendingRedactions {
    /// Whether a pending purge hides a line.
    pub(super) fn is_purged(&self, number: u32, line: &StoredLine) -> bool {
        let mut fitting =
            self.purges().iter().filter(|purge| purge.covers(number, line)).peekable();
        if fitting.peek().is_none() {
            return false;
        }
        let key = author_key(&line.author);
        fitting.any(|purge| purge.author == key)
    }
}
