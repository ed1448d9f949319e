//! The index of the blocks of ids in which each author wrote.
//!
//! It is filled together with the full-text index. Authors are stored as [`author_key`] folds them.
//! A version that folds names otherwise must rebuild it.

use std::collections::HashMap;

use chat_proto::name::UserName;
use rusqlite::{CachedStatement, Connection, Transaction, params};

use super::line_sum;
use super::row::{ID_BITS, REDACTED, line_id, rowid};

/// Bits of an id within its block.
pub(super) const BLOCK_BITS: u32 = 8;

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
        let number = u32::try_from(at >> ID_BITS).unwrap_or_default();
        let block = block_of(line_id(at));
        let key = keys.of(author).to_owned();
        if done.get(&key) == Some(&(number, block)) {
            continue;
        }
        let mut is_left = false;
        if !is_over(block) {
            let ends = [block << BLOCK_BITS, end_of_block(block)].map(|id| rowid(number, id));
            let mut rows = others.query(params![ends[0], ends[1], REDACTED])?;
            while let Some(row) = rows.next()? {
                is_left |= keys.of(&line_sum::text(row, 0)?) == key;
            }
        }
        if !is_left {
            delete.execute(params![number, key, block])?;
        }
        done.insert(key, (number, block));
    }
    Ok(())
}
