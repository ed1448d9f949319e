//! Flushes records to the tables and words to the full-text index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::record::{OnceEntry, Record};
use super::yielder::Yielder;
use super::{Chunk, TakenChunks};
use crate::store::StoreError;
use crate::store::apply::write_other;
use crate::store::author_blocks::AuthorBlocks;
use crate::store::full_text::indexed;
use crate::store::line_sum;
use crate::store::row::{ID_BITS, NOT_SHOWN, OnceRow, REDACTED, line_id, rowid};
use crate::store::write_op::{AccountOp, LineColumns, WriteOp};

/// Flushes chunks in the order of their conversation numbers, all or none. Existing lines stay as
/// they are, so that a journal can be replayed. Returns the idempotency keys in them.
pub(super) fn put(
    tables: &mut Connection,
    some: &[TakenChunks],
    yielder: &mut Yielder<'_>,
) -> Result<Vec<OnceEntry>, StoreError> {
    let change = tables.transaction()?;
    let mut once = Vec::new();
    {
        let mut statements = Statements::new(&change)?;
        let mut some: Vec<&TakenChunks> = some.iter().collect();
        some.sort_unstable_by_key(|(number, _)| *number);
        for (number, chunks) in some {
            put_conversation(&change, &mut statements, *number, chunks, &mut once, yielder)?;
        }
    }
    change.commit()?;
    Ok(once)
}

struct Statements<'a> {
    floor: rusqlite::CachedStatement<'a>,
    line: rusqlite::CachedStatement<'a>,
    wrote: rusqlite::CachedStatement<'a>,
    once: rusqlite::CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    fn new(change: &'a Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            floor: change.prepare_cached("SELECT floor FROM conversation WHERE number = ?1")?,
            line: change.prepare_cached(
                "INSERT OR IGNORE INTO line (place, time, author, flags, text, account)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            wrote: change
                .prepare_cached("INSERT OR IGNORE INTO wrote (party, number) VALUES (?1, ?2)")?,
            once: change.prepare_cached(
                "INSERT OR REPLACE INTO once (author, key, number, id, time)
                    VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
        })
    }
}

fn put_conversation(
    change: &Transaction<'_>,
    statements: &mut Statements<'_>,
    number: u32,
    chunks: &[Arc<Chunk>],
    said_once: &mut Vec<OnceEntry>,
    yielder: &mut Yielder<'_>,
) -> Result<(), StoreError> {
    let floor = statements.floor.query_row([number], |row| row.get::<_, u64>(0));
    let floor = floor.optional()?;
    let mut markers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut authors: BTreeSet<u64> = BTreeSet::new();
    let mut new_floor = 0;
    for chunk in chunks {
        let mut records = &chunk.records[..];
        while let Some(record) = Record::next(&mut records)? {
            match record {
                Record::Line { id, time, flags, account, author, text, once, .. } => {
                    if let Some((author, key)) = once {
                        statements.once.execute(params![author, key, number, id, time])?;
                        said_once.push(((author.into(), key.into()), OnceRow { number, id, time }));
                    }
                    // Lines of a deleted conversation, or below the retention floor, are dropped.
                    if floor.is_none_or(|floor| id <= floor) {
                        continue;
                    }
                    let at = rowid(number, id);
                    let columns = LineColumns { flags, account, author, text };
                    let flags = columns.flags_with_sum(at, time);
                    statements.line.execute(params![at, time, author, flags, text, account])?;
                    authors.extend(account);
                    yielder.line_done();
                }
                Record::Marker { user_id, marker, .. } => {
                    let read = markers.entry(user_id).or_default();
                    *read = marker.max(*read);
                }
                Record::Floor { floor, .. } => new_floor = floor.max(new_floor),
            }
        }
    }
    for user_id in authors {
        statements.wrote.execute(params![user_id, number])?;
    }
    for (user_id, marker) in markers {
        write_other(change, AccountOp::Marker { user_id, number, marker }.into())?;
    }
    if new_floor > 0 {
        write_other(change, WriteOp::Floor { number, floor: new_floor })?;
    }
    Ok(())
}

/// Indexes lines of the last of these conversations below an id each, up to a bound, and removes
/// conversations that are done from the list. Returns the count of each, and whether it is done.
pub(super) fn index(
    tables: &mut Connection,
    numbers: &mut Vec<u32>,
    upto: impl Fn(u32) -> u64,
    most: usize,
    yielder: &mut Yielder<'_>,
) -> rusqlite::Result<Vec<(u32, usize, bool)>> {
    let change = tables.transaction()?;
    let mut done = Vec::new();
    {
        let mut left = most;
        let mut behind = change.prepare_cached(
            "SELECT place, text, author, flags FROM line
                WHERE place > (?1 << ?2 | (SELECT indexed FROM conversation WHERE number = ?1))
                    AND place < ?4 ORDER BY place LIMIT ?3",
        )?;
        let mut word =
            change.prepare_cached("INSERT INTO word (rowid, text, author) VALUES (?1, ?2, ?3)")?;
        let mut blocks = AuthorBlocks::new(&change)?;
        let mut mark =
            change.prepare_cached("UPDATE conversation SET indexed = ?2 WHERE number = ?1")?;
        while left > 0
            && let Some(number) = numbers.last().copied()
        {
            let end = match upto(number) {
                u64::MAX => rowid(number + 1, 0),
                id => rowid(number, id),
            };
            let mut rows = behind.query(params![number, ID_BITS, left, end])?;
            let (mut lines, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                let at: i64 = row.get(0)?;
                let (text, author) = (line_sum::text(row, 1)?, line_sum::text(row, 2)?);
                let flags: i64 = row.get(3)?;
                if flags & NOT_SHOWN == 0 {
                    blocks.add(number, line_id(at), &author)?;
                }
                if flags & REDACTED == 0 {
                    let (text, author) = (indexed(&text), indexed(&author));
                    word.execute(params![at, text, author])?;
                }
                last = Some(at);
                lines += 1;
                yielder.line_done();
            }
            if let Some(at) = last {
                mark.execute(params![number, line_id(at)])?;
            }
            let all = lines < left;
            left -= lines;
            done.push((number, lines, all));
            if all {
                numbers.pop();
            }
        }
    }
    change.commit()?;
    Ok(done)
}

/// Returns the number of unindexed lines per conversation, left by an earlier process.
pub(super) fn unindexed(tables: &Connection) -> rusqlite::Result<BTreeMap<u32, usize>> {
    let mut behind = tables.prepare(
        "SELECT number, (SELECT max(place) FROM line WHERE place >= (number << ?1)
                AND place < ((number + 1) << ?1)) AS last, indexed
            FROM conversation WHERE last > (number << ?1 | indexed)",
    )?;
    let rows = behind.query_map([ID_BITS], |row| {
        let (last, indexed): (i64, u64) = (row.get(1)?, row.get(2)?);
        let lines = line_id(last).saturating_sub(indexed);
        Ok((row.get(0)?, usize::try_from(lines).unwrap_or(usize::MAX)))
    })?;
    rows.collect()
}

/// Indexes lines. FTS5 starts a new segment whenever a row id is lower than the one before.
pub(super) fn insert_words<'a>(
    into: &Connection,
    words: impl Iterator<Item = (i64, &'a str, &'a str)>,
) -> rusqlite::Result<()> {
    let mut word =
        into.prepare_cached("INSERT INTO word (rowid, text, author) VALUES (?1, ?2, ?3)")?;
    for (place, text, author) in words {
        word.execute(params![place, indexed(text), indexed(author)])?;
    }
    Ok(())
}
