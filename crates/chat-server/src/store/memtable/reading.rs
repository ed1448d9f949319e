//! Reads from the memtable.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::Connection;

use super::record::Record;
use super::tables::insert_words;
use super::{Chunk, ConversationBuffer, Memtable};
use crate::store::StoreError;
use crate::store::row::{ACTION, BY_OTHER, REDACTED, StoredLine, line_id, rowid};
use crate::store::schema;

/// The end of a conversation, as far as the memtable has it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store) struct Ends {
    /// Lines up to this one are removed by retention.
    pub(in crate::store) floor: u64,
    /// The last line.
    pub(in crate::store) last: u64,
    /// Its time.
    pub(in crate::store) time: i64,
}

impl ConversationBuffer {
    fn ends(&self) -> Ends {
        Ends { floor: self.floor, last: self.last, time: self.time }
    }
}

impl Memtable {
    /// Returns the end of a conversation; zeros if nothing is buffered.
    pub(in crate::store) fn ends(&self, number: u32) -> Ends {
        let state = self.state();
        let waiting = state.waiting.get(&number);
        waiting.map(ConversationBuffer::ends).unwrap_or_default()
    }

    /// Returns the ends of all buffered conversations.
    pub(in crate::store) fn all_ends(&self) -> HashMap<u32, Ends> {
        self.state().waiting.iter().map(|(number, waiting)| (*number, waiting.ends())).collect()
    }

    /// Returns all buffered read markers.
    pub(in crate::store) fn all_markers(&self) -> HashMap<(u64, u32), u64> {
        let state = self.state();
        let markers = state.waiting.iter().flat_map(|(number, waiting)| {
            waiting.markers.iter().map(|(user_id, marker)| ((*user_id, *number), *marker))
        });
        markers.collect()
    }

    /// Returns the buffered read marker of an account.
    pub(in crate::store) fn marker(&self, user_id: u64, number: u32) -> u64 {
        let state = self.state();
        let waiting = state.waiting.get(&number);
        waiting.and_then(|waiting| waiting.markers.get(&user_id)).copied().unwrap_or_default()
    }

    /// Returns lines of a conversation that match, oldest first, from the first id (exclusive) to
    /// the second.
    pub(in crate::store) fn between(
        &self,
        number: u32,
        (after, upto): (u64, u64),
        most: usize,
        wanted: impl Fn(&StoredLine) -> bool,
    ) -> Result<Vec<StoredLine>, StoreError> {
        let mut lines = Vec::new();
        if most > 0 {
            self.each(number, (after, upto), |line| {
                if wanted(&line) {
                    lines.push(line);
                }
                lines.len() < most
            })?;
        }
        Ok(lines)
    }

    /// Returns the newest of them, newest first.
    pub(in crate::store) fn newest(
        &self,
        number: u32,
        range: (u64, u64),
        most: usize,
        wanted: impl Fn(&StoredLine) -> bool,
    ) -> Result<Vec<StoredLine>, StoreError> {
        let mut lines = VecDeque::new();
        self.each(number, range, |line| {
            if wanted(&line) {
                lines.push_front(line);
                lines.truncate(most);
            }
            true
        })?;
        Ok(lines.into())
    }

    /// Visits lines of a conversation, oldest first, until `take` returns false.
    fn each(
        &self,
        number: u32,
        (after, upto): (u64, u64),
        mut take: impl FnMut(StoredLine) -> bool,
    ) -> Result<(), StoreError> {
        for chunk in self.chunks(number) {
            if chunk.last <= after {
                continue;
            }
            let mut records = &chunk.records[..];
            while let Some(record) = Record::next(&mut records)? {
                let Record::Line { id, time, flags, account, author, text, .. } = record else {
                    continue;
                };
                if id <= after || id > upto {
                    continue;
                }
                let line = StoredLine {
                    id,
                    time,
                    author: author.to_owned(),
                    action: flags & ACTION != 0,
                    by_other: flags & BY_OTHER != 0,
                    account,
                    redacted: flags & REDACTED != 0,
                    text: text.to_owned(),
                };
                if !take(line) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn chunks(&self, number: u32) -> Vec<Arc<Chunk>> {
        let state = self.state();
        let waiting = state.waiting.get(&number);
        waiting.map(|waiting| waiting.chunks.iter().cloned().collect()).unwrap_or_default()
    }
}

/// Returns those of these lines, sorted by id, that match the words, newest first.
pub(in crate::store) fn having(
    lines: &[StoredLine],
    expression: &str,
) -> rusqlite::Result<Vec<StoredLine>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    // A temporary index gives words the same meaning.
    let memory = Connection::open_in_memory()?;
    memory.execute_batch(&format!("CREATE VIRTUAL TABLE word USING {}", schema::INDEX))?;
    let change = memory.unchecked_transaction()?;
    insert_words(
        &change,
        lines.iter().map(|line| (rowid(0, line.id), &*line.text, &*line.author)),
    )?;
    change.commit()?;
    let mut places =
        memory.prepare("SELECT rowid FROM word WHERE word MATCH ?1 ORDER BY rowid DESC")?;
    let ids = places.query_map([expression], |row| row.get(0).map(line_id))?;
    let mut found = Vec::new();
    for id in ids {
        let at = lines.binary_search_by_key(&id?, |line| line.id);
        found.extend(at.ok().map(|at| lines[at].clone()));
    }
    Ok(found)
}
