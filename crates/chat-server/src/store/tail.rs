//! Lines whose words are not in the index yet.
//!
//! Indexing a few lines costs as much as storing them, and indexing many at once costs little for each. So
//! the words of a small commit wait here and are indexed together with those of later ones, or when
//! nothing else is to be done; a search looks through them by itself, so it never misses what was said. How
//! far each conversation is indexed is stored with the index, so what waits is found again after a
//! crash.

use std::sync::{Arc, Mutex};

use rusqlite::{Connection, Transaction, params};

use super::book::{ERASED, Entry, ID_BITS, id_of, place};
use super::words::indexed;
use crate::hub::lock;

/// A commit of so many lines indexes them itself, with all that wait.
const MANY: usize = 16;

/// So many wait at most.
const MOST: usize = 256;

/// One line that waits.
#[derive(Clone, Debug)]
struct Waiting {
    place: i64,
    text: Box<str>,
    author: Box<str>,
}

/// The lines that wait, shared by the one that writes and those that read.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<Waiting>>>);

impl Tail {
    /// What an earlier process didn't come to index.
    pub(super) fn recover(connection: &Connection) -> rusqlite::Result<Self> {
        let mut behind = connection.prepare(
            "SELECT place, text, author FROM conversation JOIN line
                ON place > (number << ?1 | indexed) AND place < ((number + 1) << ?1)
                    AND flags & ?2 = 0",
        )?;
        let rows = behind.query_map(params![ID_BITS, ERASED], |row| {
            let (text, author): (String, String) = (row.get(1)?, row.get(2)?);
            Ok(Waiting { place: row.get(0)?, text: text.into(), author: author.into() })
        })?;
        Ok(Self(Arc::new(Mutex::new(rows.collect::<rusqlite::Result<_>>()?))))
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether these are to be indexed in the commit that stores them.
    pub(super) fn is_due_with(&self, more: usize) -> bool {
        more >= MANY || lock(&self.0).len() + more > MOST
    }

    /// These are stored, and wait.
    pub(super) fn add(&self, entries: &[Entry<'_>]) {
        let waiting = entries.iter().filter_map(|entry| match *entry {
            Entry::Line { number, id, author, text, hidden: false, .. } => {
                Some(Waiting { place: place(number, id), text: text.into(), author: author.into() })
            }
            _ => None,
        });
        lock(&self.0).extend(waiting);
    }

    /// None waits any more: the commit that indexed them is done.
    pub(super) fn clear(&self) {
        *lock(&self.0) = Vec::new();
    }

    /// Indexes all that wait, and these lines with them.
    pub(super) fn index(
        &self,
        change: &Transaction<'_>,
        entries: &[Entry<'_>],
    ) -> rusqlite::Result<()> {
        let waiting = lock(&self.0).clone();
        let mut words: Vec<(i64, &str, &str)> =
            waiting.iter().map(|line| (line.place, &*line.text, &*line.author)).collect();
        words.extend(entries.iter().filter_map(|entry| match *entry {
            Entry::Line { number, id, author, text, hidden: false, .. } => {
                Some((place(number, id), text, author))
            }
            _ => None,
        }));
        // FTS5 writes a segment of its own whenever a row id is lower than the one before.
        words.sort_unstable_by_key(|(place, ..)| *place);
        insert(change, &words)?;
        let mut mark =
            change.prepare_cached("UPDATE conversation SET indexed = ?2 WHERE number = ?1")?;
        for (at, (place, ..)) in words.iter().enumerate() {
            let number = place >> ID_BITS;
            if words.get(at + 1).is_none_or(|(next, ..)| next >> ID_BITS != number) {
                mark.execute(params![number, id_of(*place)])?;
            }
        }
        Ok(())
    }

    /// The places of those that wait and have these words, the newest first.
    pub(super) fn search(&self, expression: &str) -> rusqlite::Result<Vec<i64>> {
        let mut waiting = lock(&self.0).clone();
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        waiting.sort_unstable_by_key(|line| line.place);
        // An index of their own, so that words mean the same in it.
        let memory = Connection::open_in_memory()?;
        memory
            .execute_batch(&format!("CREATE VIRTUAL TABLE word USING {}", super::schema::INDEX))?;
        let words: Vec<_> =
            waiting.iter().map(|line| (line.place, &*line.text, &*line.author)).collect();
        let change = memory.unchecked_transaction()?;
        insert(&change, &words)?;
        change.commit()?;
        let mut places =
            memory.prepare("SELECT rowid FROM word WHERE word MATCH ?1 ORDER BY rowid DESC")?;
        places.query_map([expression], |row| row.get(0))?.collect()
    }
}

fn insert(into: &Transaction<'_>, words: &[(i64, &str, &str)]) -> rusqlite::Result<()> {
    let mut word =
        into.prepare_cached("INSERT INTO word (rowid, text, author) VALUES (?1, ?2, ?3)")?;
    for (place, text, author) in words {
        word.execute(params![place, indexed(text), indexed(author)])?;
    }
    Ok(())
}
