//! Writes: commits, and small steps that delete what retention removes.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::{forget_some_of, overwriting, write};
use super::author_blocks::{end_of_block, leave_blocks};
use super::checkpoint::overwrite_failed;
use super::full_text::indexed;
use super::line_sum;
use super::memtable::{self, Chore, ChoreReport, Memtable, Progress, RecordBatch};
use super::pending_redactions::PendingRedactions;
use super::reader::Reader;
use super::row::{OnceRow, REDACTED, line_id, rowid};
use super::write_op::{WriteOp, forgets, overwrites};
use super::{Shared, StoreError};

/// Lines deleted by one step of a chore, in some milliseconds.
const LINES_A_STEP: usize = 200;

/// Lines marked as hidden by one step, in about a millisecond.
const HIDDEN_A_STEP: usize = 200;

/// Lines redacted by one step: each is overwritten in the index too, which is slow.
const ERASED_A_STEP: usize = 8;

/// Lines whose age one step checks.
const LOOKED_A_STEP: usize = 5_000;

/// Rows of small tables deleted by one step.
const ROWS_A_STEP: usize = 200;

/// Writes the store; one per store, beside its [`Flusher`].
pub struct Writer {
    connection: Shared,
    memtable: Arc<Memtable>,
    /// Keeps other processes from writing.
    lock: Option<Arc<File>>,
}

/// A stored conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ConversationRow {
    pub number: u32,
    pub shown: String,
    pub topic: Option<String>,
    pub open: bool,
    /// The parties of a private chat.
    pub parties: Option<(u64, u64)>,
    pub one_name: String,
    pub other_name: String,
    /// The last assigned id.
    pub last: u64,
    pub floor: u64,
}

impl ConversationRow {
    /// Whether it is the placeholder [`FORGOTTEN`](super::FORGOTTEN).
    pub fn is_of_forgotten(&self) -> bool {
        self.parties.is_none() && self.shown.is_empty()
    }
}

/// A name held for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NameHolderRow {
    pub name: String,
    pub user_id: u64,
    pub since: i64,
}

impl Writer {
    pub(super) fn new(connection: Shared, lock: Option<File>, memtable: Arc<Memtable>) -> Self {
        Self { connection, memtable, lock: lock.map(Arc::new) }
    }

    /// Commits all operations as durably as configured, or none.
    pub fn commit(&mut self, entries: &[WriteOp<'_>]) -> Result<(), StoreError> {
        self.memtable.look()?;
        if memtable::may_wait(entries) {
            return self.memtable.keep(&RecordBatch::of(entries)?);
        }
        if forgets(entries) {
            // Nothing of the account comes later. The committer waits until little is left.
            self.memtable.flush_all()?;
        }
        let must_overwrite = overwrites(entries);
        let lines = || {
            entries.iter().filter_map(|entry| match entry {
                WriteOp::Line(message) => Some(message.number),
                _ => None,
            })
        };
        // A line that isn't journaled comes after those that are.
        for number in lines() {
            self.memtable.flush(number)?;
        }
        let mut connection = self.memtable.tables();
        let done =
            overwriting(&mut connection, must_overwrite, |connection| commit(connection, entries));
        if let Err(error) = &done {
            overwrite_failed(&connection, error);
        }
        done?;
        drop(connection);
        self.memtable.mirror(entries);
        self.memtable.put_directly(lines());
        Ok(())
    }

    /// Returns the number of unflushed lines.
    pub fn waiting(&self) -> usize {
        self.memtable.lines()
    }

    /// Flushes and indexes all lines.
    pub fn flush(&self) -> Result<(), StoreError> {
        while !self.memtable.index_some_of_all()? {}
        Ok(())
    }

    /// Returns the flusher, for a thread of its own.
    pub fn flusher(&self) -> Flusher {
        let (connection, memtable) = (Arc::clone(&self.connection), Arc::clone(&self.memtable));
        Flusher(Self { connection, memtable, lock: self.lock.clone() })
    }

    /// Returns every conversation.
    pub fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        // Read before the tables: buffered lines may be flushed in between.
        let waiting = self.memtable.all_ends();
        let mut rows = {
            let connection = self.memtable.tables();
            without_names(&connection, conversations(&connection)?)?
        };
        for row in &mut rows {
            let Some(waits) = waiting.get(&row.number) else { continue };
            (row.last, row.floor) = (row.last.max(waits.last), row.floor.max(waits.floor));
        }
        Ok(rows)
    }

    /// Returns the time of the last line or moderation log entry of each conversation.
    pub fn last_times(&self) -> Result<HashMap<u32, i64>, StoreError> {
        let waiting = self.memtable.all_ends();
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT number, max(
                coalesce((SELECT time FROM line WHERE place >= (number << 36)
                    AND place < ((number + 1) << 36) ORDER BY place DESC LIMIT 1), 0),
                coalesce((SELECT time FROM act WHERE act.number = conversation.number
                    ORDER BY at DESC LIMIT 1), 0))
                FROM conversation",
        )?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut times = rows.collect::<rusqlite::Result<HashMap<u32, i64>>>()?;
        for (number, waits) in waiting {
            let time = times.entry(number).or_default();
            *time = waits.time.max(*time);
        }
        Ok(times)
    }

    /// Returns channel number and account of each topic that an account set.
    pub fn topics(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT number, topic_by FROM conversation WHERE topic_by IS NOT NULL",
        )?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns every held name.
    pub fn holders(&self) -> Result<Vec<NameHolderRow>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT name, party, since FROM holder WHERE party NOT IN (SELECT party FROM erasing)",
        )?;
        let rows = all.query_map((), |row| {
            Ok(NameHolderRow { name: row.get(0)?, user_id: row.get(1)?, since: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the line of this author (folded) under an idempotency key, unless it is older than
    /// `since`.
    pub fn said_once(
        &self,
        author: &str,
        key: &str,
        since: i64,
    ) -> Result<Option<OnceRow>, StoreError> {
        if let Some(said) = self.memtable.said_once(author, key) {
            return Ok(Some(said).filter(|said| said.time >= since));
        }
        let connection = self.memtable.tables();
        let mut one = connection.prepare_cached(
            "SELECT number, id, time FROM once WHERE author = ?1 AND key = ?2 AND time >= ?3",
        )?;
        let said = one.query_row(params![author, key, since], |row| {
            Ok(OnceRow { number: row.get(0)?, id: row.get(1)?, time: row.get(2)? })
        });
        Ok(said.optional()?)
    }

    /// Deletes some idempotency keys from before a time. Returns how many.
    pub fn forget_once_before(&self, time: i64, most: usize) -> Result<usize, StoreError> {
        let mut connection = self.memtable.tables();
        self.memtable.unsynced(&mut connection, |connection| {
            let mut some = connection.prepare_cached(
                "DELETE FROM once WHERE (author, key) IN
                    (SELECT author, key FROM once WHERE time < ?1 LIMIT ?2)",
            )?;
            Ok(some.execute(params![time, most])?)
        })
    }

    /// Removes lines up to this one, whether they are deleted yet or not.
    pub fn raise_floor(&mut self, number: u32, floor: u64) -> Result<(), StoreError> {
        self.commit(&[WriteOp::Floor { number, floor }])
    }

    /// Returns the last of the lines after an id that are all older than a time, up to a bound, and
    /// whether there may be more. A younger line keeps all lines after it, whatever their times: an
    /// earlier version or an import may have stored lines by a wrong clock.
    pub fn last_before(
        &self,
        number: u32,
        after: u64,
        time: i64,
        most: usize,
    ) -> Result<(u64, bool), StoreError> {
        self.memtable.flush(number)?;
        let connection = self.memtable.tables();
        let mut lines = connection.prepare_cached(
            "SELECT place, time FROM line WHERE place > ?1 AND place < ?2 ORDER BY place LIMIT ?3",
        )?;
        let mut rows = lines.query(params![rowid(number, after), rowid(number + 1, 0), most])?;
        let (mut last, mut seen) = (after, 0);
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? >= time {
                return Ok((last, false));
            }
            last = line_id(row.get(0)?);
            seen += 1;
        }
        Ok((last, seen == most))
    }

    /// Deletes some removed lines, up to a bound. Returns how many; if that equals the bound, there
    /// may be more.
    pub fn sweep(&self, number: u32, most: usize) -> Result<usize, StoreError> {
        // Only indexed words can be deleted from the index.
        if !self.memtable.index_some(number)? {
            return Ok(most);
        }
        let mut connection = self.memtable.tables();
        self.memtable
            .unsynced(&mut connection, |connection| Ok(delete_removed(connection, number, most)?))
    }

    /// The last row of the journal, of which all is in the tables once it [is put](Self::is_put).
    pub fn last_row(&self) -> i64 {
        self.memtable.last_row()
    }

    /// Whether the tables have what was stored up to this row of the journal, also after a crash.
    pub fn is_put(&self, row: i64) -> bool {
        self.memtable.is_put(row)
    }

    /// Makes the [`Flusher`] flush everything now.
    pub fn hurry(&self) {
        self.memtable.hurry();
    }

    /// Gives the [`Flusher`] a chore. There is one at a time.
    pub fn start_chore(&self, chore: Chore) {
        self.memtable.start_chore(chore);
    }

    /// Whether a turn of the chore has ended.
    pub fn has_report(&self) -> bool {
        self.memtable.has_report()
    }

    /// Takes the result of the turn; `None` while there is none.
    pub fn take_report(&self) -> Option<Result<ChoreReport, StoreError>> {
        self.memtable.take_report()
    }

    /// One step of a chore.
    pub fn chore_step(&self, chore: Chore) -> Result<ChoreReport, StoreError> {
        Ok(match chore {
            Chore::Purge => {
                let purges = self.purge_some(HIDDEN_A_STEP)?;
                ChoreReport { progress: Progress::more(purges > 0), value: purges as u64 }
            }
            Chore::Redact { user_id } => {
                Progress::more(self.redact(user_id, ERASED_A_STEP)?).into()
            }
            Chore::Wipe { row } => self.memtable.wipe_some(row)?.into(),
            Chore::Sweep { number } => {
                Progress::more(self.sweep(number, LINES_A_STEP)? == LINES_A_STEP).into()
            }
            Chore::Forget { number } => Progress::more(self.forget_rest(number)?).into(),
            Chore::ForgetOnce { before } => {
                let forgotten = self.forget_once_before(before, LINES_A_STEP)?;
                Progress::more(forgotten == LINES_A_STEP).into()
            }
            Chore::FindOld { number, after, before } => {
                let (value, more) = self.last_before(number, after, before, LOOKED_A_STEP)?;
                let progress = if more { Progress::Later } else { Progress::Done };
                ChoreReport { progress, value }
            }
        })
    }

    /// Deletes a conversation whose lines are deleted. Returns whether some of what belonged to it
    /// is left, see [`Chore::Forget`].
    pub fn forget_conversation(&mut self, number: u32) -> Result<bool, StoreError> {
        let mut connection = self.memtable.tables();
        self.memtable.unsynced(&mut connection, |connection| {
            let change = connection.transaction()?;
            change.execute("DELETE FROM conversation WHERE number = ?1", [number])?;
            change.execute("DELETE FROM pending_purge WHERE number = ?1", [number])?;
            let more = forget_some_of(&change, number, ROWS_A_STEP)?;
            change.commit()?;
            Ok(more)
        })
    }

    /// Deletes some more of what belonged to a deleted conversation. Returns whether there may be
    /// more.
    pub fn forget_rest(&self, number: u32) -> Result<bool, StoreError> {
        let mut connection = self.memtable.tables();
        self.memtable.unsynced(&mut connection, |connection| {
            let change = connection.transaction()?;
            let more = forget_some_of(&change, number, ROWS_A_STEP)?;
            change.commit()?;
            Ok(more)
        })
    }

    /// Moves everything into the database file.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.memtable.close_files()
    }

    /// Returns a reader on the writer's connection.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.connection), Some(Arc::clone(&self.memtable)))
    }

    pub(super) fn connection(&self) -> &Shared {
        &self.connection
    }

    pub(super) fn memtable(&self) -> &Memtable {
        &self.memtable
    }
}

fn delete_removed(
    connection: &mut Connection,
    number: u32,
    most: usize,
) -> rusqlite::Result<usize> {
    let step = connection.transaction()?;
    let lines = {
        let mut due = step.prepare_cached(
            "SELECT place, flags, text, author FROM line WHERE place >= ?1 AND place <= ?1 +
                    (SELECT floor FROM conversation WHERE number = ?2) ORDER BY place LIMIT ?3",
        )?;
        let rows = due.query_map(params![rowid(number, 0), number, most], |row| {
            let (text, author) = (line_sum::text(row, 2)?, line_sum::text(row, 3)?);
            Ok((row.get(0)?, row.get(1)?, text.into_owned(), author.into_owned()))
        })?;
        rows.collect::<rusqlite::Result<Vec<(i64, i64, String, String)>>>()?
    };
    {
        let mut words = step.prepare_cached(
            "INSERT INTO word (word, rowid, text, author) VALUES ('delete', ?1, ?2, ?3)",
        )?;
        let mut line = step.prepare_cached("DELETE FROM line WHERE place = ?1")?;
        for (place, flags, text, author) in &lines {
            // The index counts its lines, and fails if one is deleted twice.
            if flags & REDACTED == 0 {
                words.execute(params![place, indexed(text), indexed(author)])?;
            }
            line.execute([place])?;
        }
        let mut floor = step.prepare_cached("SELECT floor FROM conversation WHERE number = ?1")?;
        let floor: u64 = floor.query_row([number], |row| row.get(0)).optional()?.unwrap_or(0);
        let authors = lines.iter().map(|(place, _, _, author)| (*place, author.as_str()));
        leave_blocks(&step, authors, |block| end_of_block(block) <= floor)?;
    }
    step.commit()?;
    Ok(lines.len())
}

/// Flushes lines when traffic pauses, or when many are buffered, and does chores.
pub struct Flusher(Writer);

impl Flusher {
    /// Runs until [`Flusher::stop`]. `ended` is called after each turn of a chore.
    pub fn run(&self, ended: impl Fn()) {
        let Writer { memtable, lock, .. } = &self.0;
        memtable.run(lock.as_deref(), |chore| self.0.chore_step(chore), ended);
    }

    /// Ends [`Flusher::run`].
    pub fn stop(&self) {
        self.0.memtable.close();
    }
}

fn commit(connection: &mut Connection, entries: &[WriteOp<'_>]) -> rusqlite::Result<()> {
    let change = connection.transaction()?;
    write(&change, entries)?;
    change.commit()
}

/// Leaves out the names of deleted accounts.
pub(super) fn without_names(
    connection: &Connection,
    mut rows: Vec<ConversationRow>,
) -> Result<Vec<ConversationRow>, StoreError> {
    let erasing = PendingRedactions::now(connection)?;
    for row in rows.iter_mut().filter(|_| !erasing.is_empty()) {
        let Some((one, other)) = row.parties else { continue };
        for (user_id, name) in [(one, &mut row.one_name), (other, &mut row.other_name)] {
            if erasing.has(user_id) {
                name.clear();
            }
        }
    }
    Ok(rows)
}

pub(super) fn conversations(connection: &Connection) -> Result<Vec<ConversationRow>, StoreError> {
    // The greatest row id is one seek in the table of lines.
    let mut all = connection.prepare_cached(
        "SELECT number, shown, topic, open, one, other, one_name, other_name, last, floor,
            (SELECT max(place) FROM line WHERE place >= (number << 36)
                AND place < ((number + 1) << 36))
            FROM conversation ORDER BY number",
    )?;
    let rows = all.query_map((), |row| {
        let (one, other): (Option<u64>, Option<u64>) = (row.get(4)?, row.get(5)?);
        let last: u64 = row.get(8)?;
        let stored = row.get::<_, Option<i64>>(10)?.map(line_id).unwrap_or_default();
        Ok(ConversationRow {
            number: row.get(0)?,
            shown: row.get(1)?,
            topic: row.get(2)?,
            open: row.get(3)?,
            parties: one.zip(other),
            one_name: row.get(6)?,
            other_name: row.get(7)?,
            last: last.max(stored),
            floor: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
