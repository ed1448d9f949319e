//! Committed lines that wait to be flushed to the tables and to the full-text index.
//!
//! A line has its place in its conversation, and its words have theirs in the index. So a few lines
//! of many conversations change as many pages, each of which is written and synced whole. Therefore
//! a commit of lines is one row of a [`Journal`], which is as durable as synced tables, and the
//! lines stay in the memtable until thousands of them are flushed together, at a fraction of the
//! cost. Readers look into the memtable first and into the tables second: a line flushed in between
//! is found twice rather than never, so no read misses a committed line or waits for a disk.
//!
//! Indexing costs most. It is part of the flush, but under heavy traffic it is postponed. The
//! tables record how far each conversation is indexed, and a search scans the rest.
//!
//! * [`chores`]: other work of the flushing thread.
//! * [`yielder`]: yields the processor to other threads.
//! * [`journal`]: the journal file.
//! * [`losses`]: losses found at a start.
//! * [`reading`]: reads from the memtable.
//! * [`record`]: the encoding of a commit in the journal.
//! * [`tables`]: flushes to the tables and the index.

mod chores;
mod journal;
mod losses;
mod reading;
mod record;
mod tables;
mod yielder;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use self::chores::ChoreSlot;
pub use self::chores::{Chore, ChoreReport, Progress};
pub(super) use self::journal::{Journal, is_flushed, last_row};
use self::losses::Losses;
pub(super) use self::losses::{name_of, note};
pub(super) use self::reading::having;
pub(super) use self::record::RecordBatch;
use self::record::{ConversationRecords, OnceEntry};
use self::yielder::Yielder;
use super::checkpoint::{Wal, truncate, write_all};
use super::error::StoreErrorKind;
use super::files::OpenFiles;
use super::paths::beside;
use super::row::OnceRow;
use super::write_op::WriteOp;
use super::{Shared, StoreError, identity};
use crate::util::sync::lock;

/// Bytes of records per flush step: some hundred lines, which take about a millisecond. A thread
/// that needs the tables, or room in the memtable, usually waits for no more than that.
const STEP_BYTES: usize = 64 * 1024;

/// Bytes of records per chunk of one conversation.
const CHUNK_BYTES: usize = 32 * 1024;

/// Idle time after which everything is flushed.
const QUIET: Duration = Duration::from_millis(50);

/// Longest time in the memtable.
const LONGEST: Duration = Duration::from_secs(2);

/// Size of the memtable, in bytes. Past it, a commit flushes first.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Size of the journal, in bytes.
const MOST_IN_JOURNAL: u64 = 64 * 1024 * 1024;

/// Past this size, the flush starts at once and indexing is postponed.
const MUCH_BYTES: usize = MOST_BYTES / 4;

/// Unindexed lines at most: indexing them takes seconds.
const MOST_UNINDEXED: usize = 2_000_000;

/// Pause between two steps, for threads that wait for the tables.
const BETWEEN_STEPS: Duration = Duration::from_micros(50);

/// Interval of the check of the files, with or without commits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Lines indexed per step.
const STEP_LINES: usize = 2000;

/// Lines indexed per step while a thread waits for it.
const FEW_LINES: usize = 300;

/// Steps of a chore before the next one, or the same again.
const STEPS_A_TURN: usize = 16;

/// Delay before a retry after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// Returns the losses in the journal of a store that no server has open, one sentence each. Changes
/// no file.
pub(super) fn missing(directory: &Path, tables: &Shared) -> Result<Vec<String>, StoreError> {
    let Some(journal) = Journal::open_to_read(directory)? else { return Ok(Vec::new()) };
    let mut row = identity::put_of(&lock(tables))?.max(journal.forgotten()?);
    let mut losses = Losses::new(Arc::clone(tables));
    while let Some(next) = journal.after(row)? {
        let number = next.number;
        losses.take(row, next)?;
        row = number;
    }
    losses.sentences()
}

/// The memtable, shared by the writer, the readers and the flushing thread.
pub(super) struct Memtable {
    state: Mutex<MemtableState>,
    /// Notified when the memtable becomes non-empty or large, when a WAL is long, and at the end.
    changed: Arc<Condvar>,
    /// `None` for a store in memory.
    journal: Option<Mutex<Journal>>,
    /// The WALs of the journal and of the tables; none in memory.
    wals: Vec<Wal>,
    tables: Shared,
    /// Threads that wait for the tables.
    wanted: AtomicUsize,
    /// The open files; none in memory.
    files: OpenFiles,
}

#[derive(Default)]
struct MemtableState {
    waiting: BTreeMap<u32, ConversationBuffer>,
    /// The conversation that was flushed last.
    turn: u32,
    lines: usize,
    bytes: usize,
    /// The last row of the journal, the last that is flushed, and the last that is deleted. A row
    /// is deleted once the database file itself has it, so that damage of the WAL loses nothing.
    row: i64,
    put: i64,
    forgotten: i64,
    /// Bytes of all rows ever written, and of those deleted.
    kept: u64,
    let_go: u64,
    /// Bytes of rows written at each flush, for rows that aren't deleted.
    puts: VecDeque<(i64, u64)>,
    /// When the oldest line came.
    since: Option<Instant>,
    /// When the newest line came.
    last: Option<Instant>,
    /// Lines of each conversation that are in the tables and not in the index.
    unindexed: BTreeMap<u32, usize>,
    /// Idempotency keys of buffered lines.
    once: HashMap<(Box<str>, Box<str>), OnceRow>,
    trouble: FlushFailures,
    /// When to retry after a failure.
    again: Option<Instant>,
    /// A thread waits until everything is flushed.
    hurries: bool,
    chore: ChoreSlot,
    /// Indexing is postponed because of heavy traffic.
    busy: bool,
    closed: bool,
}

/// Failures that no success has cleared.
#[derive(Default)]
struct FlushFailures {
    /// Writing the tables failed.
    put: bool,
    /// Syncing the tables failed: their last writes may not be on disk.
    sync: bool,
}

/// The buffered records of one conversation.
#[derive(Default)]
struct ConversationBuffer {
    chunks: VecDeque<Arc<Chunk>>,
    /// The last id, and its time.
    last: u64,
    time: i64,
    /// Lines up to this id are removed by retention.
    floor: u64,
    /// Read markers by account.
    markers: BTreeMap<u64, u64>,
}

impl ConversationBuffer {
    /// Returns the chunk for the next record: neither full nor being flushed.
    fn open_chunk(&mut self) -> &mut Chunk {
        let newest = self.chunks.back_mut().and_then(Arc::get_mut);
        let is_open = newest.is_some_and(|chunk| {
            let is_full = chunk.records.len() >= CHUNK_BYTES;
            if is_full {
                chunk.records.shrink_to_fit();
            }
            !is_full
        });
        if !is_open {
            self.chunks.push_back(Arc::default());
        }
        let last = self.chunks.len() - 1;
        // No one else holds it, so nothing is copied.
        Arc::make_mut(&mut self.chunks[last])
    }
}

/// The next task of the flushing thread.
enum FlusherTask {
    /// Check the files.
    Look,
    /// Checkpoint long WALs.
    Checkpoint,
    /// Flush everything.
    Put,
    /// Index some lines.
    Index,
    /// Only a chore waits.
    Chore,
}

/// Consecutive records of one conversation.
#[derive(Clone, Default)]
struct Chunk {
    records: Vec<u8>,
    lines: usize,
    /// The first and the last id in it.
    first: Option<u64>,
    last: u64,
}

/// The chunks of a conversation that one step flushes.
type TakenChunks = (u32, Vec<Arc<Chunk>>);

impl Memtable {
    /// `changed` is notified when a WAL is long.
    pub(super) fn new(
        tables: Shared,
        journal: Option<Journal>,
        wals: Vec<Wal>,
        changed: Arc<Condvar>,
        files: OpenFiles,
    ) -> rusqlite::Result<Arc<Self>> {
        let row = journal.as_ref().map_or(Ok(0), Journal::forgotten)?;
        Ok(Arc::new(Self {
            state: Mutex::new(MemtableState {
                row,
                put: row,
                forgotten: row,
                ..MemtableState::default()
            }),
            changed,
            journal: journal.map(Mutex::new),
            wals,
            tables,
            wanted: AtomicUsize::new(0),
            files,
        }))
    }

    /// Recovers lines that an earlier process committed and didn't flush or index.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let unindexed = tables::unindexed(&lock(&self.tables))?;
        self.state().unindexed = unindexed;
        let Some(journal) = &self.journal else { return Ok(()) };
        let mut row = {
            let put = identity::put_of(&lock(&self.tables))?;
            let mut state = self.state();
            state.put = put.max(state.forgotten);
            let (first, last) = lock(journal).ends()?;
            state.row = state.put.max(last);
            // Rows that the database file itself has are deleted with the next ones.
            if let Some(wal) = self.wal_of_tables() {
                wal.is_safe(state.forgotten);
            }
            state.forgotten = first.map_or(state.row, |first| first - 1).min(state.forgotten);
            state.put
        };
        let mut losses = Losses::new(Arc::clone(&self.tables));
        loop {
            let next = lock(journal).after(row)?;
            let Some(next) = next else { break };
            let number = next.number;
            if let Some(batch) = losses.take(row, next)? {
                self.state().add(&batch, number, Instant::now());
            }
            row = number;
            if self.is_full() {
                self.recover_these()?;
            }
        }
        self.recover_these()?;
        losses.tell()
    }

    /// On a full or read-only disk the lines stay in the memtable, where they can be read.
    fn recover_these(&self) -> Result<(), StoreError> {
        match self.flush_all() {
            Err(failure) if failure.kind() == StoreErrorKind::Damaged => Err(failure),
            Err(failure) => {
                tracing::error!(
                    "{failure}; until then messages are refused, and history can be read"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Checks that the files are where they were opened.
    pub(super) fn look(&self) -> Result<(), StoreError> {
        self.files.look()
    }

    /// Commits a batch as durably as configured, or fails without effect.
    pub(super) fn keep(&self, batch: &RecordBatch) -> Result<(), StoreError> {
        let (failed, much) = {
            let state = self.state();
            (state.trouble.put, state.kept - state.let_go >= MOST_IN_JOURNAL)
        };
        // While the tables can't be written, no more is promised.
        if failed || much {
            self.flush_all()?;
        }
        if much {
            // A reader is always active, or a checkpoint fails.
            let put = self.state().put;
            self.forget(put, false)?;
        }
        while self.is_full() {
            let mut numbers = self.state().in_turn();
            self.step(&mut numbers, &mut Yielder::none())?;
        }
        // Only one thread commits, so rows are in the order of their numbers.
        let row = self.state().row + 1;
        if let Some(journal) = &self.journal {
            lock(journal).append(row, batch.records())?;
        }
        let mut state = self.state();
        let (was_idle, had_much) = (state.is_idle(), state.bytes >= MUCH_BYTES);
        state.add(batch, row, Instant::now());
        if was_idle || state.bytes >= MUCH_BYTES && !had_much {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// The last row of the journal: what was kept until now is in the tables once this row [is
    /// put](Self::is_put).
    pub(super) fn last_row(&self) -> i64 {
        self.state().row
    }

    /// Whether the tables have the rows up to this one, also after a crash. In memory there is
    /// none.
    pub(super) fn is_put(&self, row: i64) -> bool {
        self.journal.is_none() || self.state().put >= row
    }

    /// Makes the flushing thread flush everything now.
    pub(super) fn hurry(&self) {
        let mut state = self.state();
        if state.row > state.put && !std::mem::replace(&mut state.hurries, true) {
            self.changed.notify_one();
        }
    }

    /// Gives the flushing thread a chore. There is one at a time.
    pub(super) fn start_chore(&self, chore: Chore) {
        self.state().chore = ChoreSlot::Waiting(chore);
        self.changed.notify_one();
    }

    /// Whether a turn of the chore has ended.
    pub(super) fn has_report(&self) -> bool {
        matches!(self.state().chore, ChoreSlot::Ended(_))
    }

    /// Takes the result of the turn; `None` while there is none.
    pub(super) fn take_report(&self) -> Option<Result<ChoreReport, StoreError>> {
        let mut state = self.state();
        match std::mem::take(&mut state.chore) {
            ChoreSlot::Ended(report) => Some(report),
            other => {
                state.chore = other;
                None
            }
        }
    }

    /// Runs one turn of a waiting chore: some steps, fewer if lines must be flushed.
    fn chore_turn(
        &self,
        step: &impl Fn(Chore) -> Result<ChoreReport, StoreError>,
        ended: &impl Fn(),
    ) {
        let chore = {
            let mut state = self.state();
            match std::mem::take(&mut state.chore) {
                ChoreSlot::Waiting(chore) => {
                    state.chore = ChoreSlot::Running;
                    chore
                }
                other => {
                    state.chore = other;
                    return;
                }
            }
        };
        let mut report = step(chore);
        for _ in 1..STEPS_A_TURN {
            let is_urgent = {
                let state = self.state();
                state.closed || state.hurries || state.bytes >= MUCH_BYTES
            };
            let has_more = matches!(&report, Ok(report) if report.progress == Progress::More);
            if is_urgent || !has_more {
                break;
            }
            let_others_in();
            self.checkpoint();
            report = step(chore);
        }
        self.sync_log();
        self.state().chore = ChoreSlot::Ended(report);
        ended();
    }

    /// Syncs the log of the tables without their lock: otherwise the next commit to them would sync
    /// what the steps wrote.
    fn sync_log(&self) {
        if self.journal.is_none() {
            return;
        }
        let path = lock(&self.tables).path().map(|path| beside(Path::new(path), "-wal"));
        let synced = path.map(|path| File::open(path).and_then(|log| log.sync_data()));
        if let Some(Err(error)) = synced {
            tracing::debug!(%error, "the log of the tables is synced later");
        }
    }

    /// Overwrites some of what the files of the journal have of rows up to this one.
    pub(super) fn wipe_some(&self, row: i64) -> Result<Progress, StoreError> {
        let (Some(journal), Some(log)) = (&self.journal, self.wals.first()) else {
            return Ok(Progress::Done);
        };
        if self.state().forgotten < row {
            self.flush_all()?;
            let put = self.state().put;
            self.sync(put)?;
            if let Some(wal) = self.wal_of_tables() {
                wal.checkpoint();
            }
            self.forget_safe()?;
            let is_forgotten = self.state().forgotten >= row;
            return Ok(if is_forgotten { Progress::More } else { Progress::Later });
        }
        if lock(journal).is_log_next(row) {
            log.checkpoint();
        }
        lock(journal).wipe_some(row, log)
    }

    /// Whether all of a conversation that is in the tables is in the index.
    pub(super) fn is_indexed(&self, number: u32) -> bool {
        let state = self.state();
        !state.waiting.contains_key(&number) && !state.unindexed.contains_key(&number)
    }

    /// Returns the number of buffered lines.
    pub(super) fn lines(&self) -> usize {
        self.state().lines
    }

    /// Returns the buffered line of an author (folded) under an idempotency key.
    pub(super) fn said_once(&self, author: &str, key: &str) -> Option<OnceRow> {
        let state = self.state();
        if state.once.is_empty() {
            return None;
        }
        state.once.get(&(author.into(), key.into())).copied()
    }

    /// Flushes a conversation.
    pub(super) fn flush(&self, number: u32) -> Result<(), StoreError> {
        if !self.state().waiting.contains_key(&number) {
            return Ok(());
        }
        self.flush_these(&mut vec![number], &mut Yielder::none())
    }

    /// The same for every conversation.
    pub(super) fn flush_all(&self) -> Result<(), StoreError> {
        self.put_all(&mut Yielder::none())
    }

    fn put_all(&self, yielder: &mut Yielder<'_>) -> Result<(), StoreError> {
        let (mut numbers, row, kept) = {
            let mut state = self.state();
            if state.waiting.is_empty() && state.row == state.put {
                state.hurries = false;
                return Ok(());
            }
            (state.in_turn(), state.row, state.kept)
        };
        self.flush_these(&mut numbers, yielder)?;
        if let Some(journal) = &self.journal {
            self.sync(row)?;
            lock(journal).note_put(row)?;
        }
        let mut state = self.state();
        state.put = row.max(state.put);
        state.hurries = false;
        state.puts.push_back((row, kept));
        state.since = (!state.waiting.is_empty()).then(Instant::now);
        Ok(())
    }

    /// Makes the flush durable up to this row.
    fn sync(&self, row: i64) -> Result<(), StoreError> {
        let tables = self.tables();
        // The system may take pages that it failed to write for written, and a later sync succeeds.
        // So everything is checkpointed once more.
        let failures = self.wals.iter().filter(|wal| wal.take_failure()).count();
        let is_distrusted = self.state().trouble.sync || failures > 0;
        let synced = identity::put(&tables, row).and_then(|()| {
            if !is_distrusted {
                return Ok(());
            }
            let _held = self.hold_logs();
            write_all(&tables)
        });
        self.state().trouble.sync = synced.is_err();
        synced?;
        if let Some(wal) = self.wal_of_tables() {
            wal.has_put(row);
        }
        Ok(())
    }

    fn wal_of_tables(&self) -> Option<&Wal> {
        self.wals.last()
    }

    /// Deletes rows that the database file itself has, a few at a time.
    fn forget_safe(&self) -> Result<(), StoreError> {
        let safe = self.wal_of_tables().map_or(0, Wal::safe_row);
        self.forget(safe, true)
    }

    /// Deletes rows up to this one, at once or a few at a time.
    fn forget(&self, row: i64, in_steps: bool) -> Result<(), StoreError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if row <= self.state().forgotten {
            return Ok(());
        }
        if in_steps {
            while lock(journal).forget_some(row)? {
                let_others_in();
            }
        } else {
            lock(journal).forget(row)?;
        }
        let mut state = self.state();
        state.forgotten = row;
        while let Some((_, kept)) = state.puts.front().copied().filter(|(put, _)| *put <= row) {
            state.let_go = kept.max(state.let_go);
            state.puts.pop_front();
        }
        Ok(())
    }

    /// Also journals lines that were written directly to the tables, until the database file itself
    /// has them. A failure alone loses nothing.
    pub(super) fn mirror(&self, entries: &[WriteOp<'_>]) {
        let Some(journal) = &self.journal else { return };
        let lines: Vec<WriteOp<'_>> =
            entries.iter().filter(|entry| record::is_line(entry)).copied().collect();
        if lines.is_empty() {
            return;
        }
        let Ok(batch) = RecordBatch::of(&lines) else { return };
        let much = {
            let state = self.state();
            state.kept - state.let_go >= MOST_IN_JOURNAL
        };
        if much {
            let made = self.flush_all().and_then(|()| {
                let put = self.state().put;
                self.forget(put, false)
            });
            if made.is_err() {
                return;
            }
        }
        let row = self.state().row + 1;
        let appended = lock(journal).append(row, batch.records());
        if let Err(failure) = appended {
            tracing::debug!(
                "can't write to the journal; the messages are in the tables: {failure}"
            );
            return;
        }
        let mut state = self.state();
        let was_idle = state.is_idle();
        state.row = row;
        state.kept += batch.records().len() as u64;
        let now = Instant::now();
        state.since.get_or_insert(now);
        state.last = Some(now);
        if was_idle {
            self.changed.notify_one();
        }
    }

    /// Flushes these conversations, the last first, and removes each from the list when done.
    fn flush_these(
        &self,
        numbers: &mut Vec<u32>,
        yielder: &mut Yielder<'_>,
    ) -> Result<(), StoreError> {
        while !numbers.is_empty() {
            self.step(numbers, yielder)?;
            let_others_in();
            if yielder.has_time() {
                self.checkpoint();
            }
        }
        Ok(())
    }

    fn step(&self, numbers: &mut Vec<u32>, yielder: &mut Yielder<'_>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let some = {
            let mut state = self.state();
            yielder.hurry(state.bytes, MOST_BYTES);
            state.some_of(numbers)
        };
        let put = self.unsynced(&mut tables, |tables| tables::put(tables, &some, yielder));
        let mut state = self.state();
        match put {
            Ok(once) => {
                state.remove(&some);
                state.said(&once);
                state.trouble.put = false;
                Ok(())
            }
            Err(failure) => {
                state.trouble.put = true;
                Err(failure)
            }
        }
    }

    /// Flushes some more of a conversation, unless all lines up to an id are flushed. Returns
    /// whether they are.
    pub(super) fn flush_some(&self, number: u32, upto: u64) -> Result<bool, StoreError> {
        let is_there = || self.state().first_waiting(number) > upto;
        if !is_there() {
            self.step(&mut vec![number], &mut Yielder::none())?;
        }
        Ok(is_there())
    }

    /// Flushes and indexes some more of a conversation, for a few milliseconds. Returns whether all
    /// is done.
    pub(super) fn index_some(&self, number: u32) -> Result<bool, StoreError> {
        if self.state().waiting.contains_key(&number) {
            self.step(&mut vec![number], &mut Yielder::none())?;
        }
        if self.state().unindexed.contains_key(&number) {
            self.index_step(&mut vec![number], FEW_LINES, &mut Yielder::none())?;
        }
        Ok(self.is_indexed(number))
    }

    /// The same for every conversation.
    pub(super) fn index_some_of_all(&self) -> Result<bool, StoreError> {
        self.flush_all()?;
        self.index_some_of_these(&mut Yielder::none())?;
        Ok(self.state().unindexed.is_empty())
    }

    fn index_step(
        &self,
        numbers: &mut Vec<u32>,
        lines: usize,
        yielder: &mut Yielder<'_>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        yielder.hurry(self.state().bytes, MOST_BYTES);
        let upto = |number| self.state().first_waiting(number);
        let indexed = self.unsynced(&mut tables, |tables| {
            Ok(tables::index(tables, numbers, upto, lines, yielder)?)
        })?;
        self.state().indexed(&indexed);
        Ok(())
    }

    /// Records lines that were written directly to the tables and aren't indexed.
    pub(super) fn put_directly(&self, numbers: impl Iterator<Item = u32>) {
        let mut state = self.state();
        let was_idle = state.is_idle();
        for number in numbers {
            *state.unindexed.entry(number).or_default() += 1;
        }
        state.last = Some(Instant::now());
        if was_idle && !state.is_idle() {
            self.changed.notify_one();
        }
    }

    /// Makes a change that a power cut may undo: the journal has it until the tables are synced,
    /// and the extent of the index is recorded.
    pub(super) fn unsynced<T>(
        &self,
        tables: &mut Connection,
        change: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.journal.is_none() {
            return change(tables);
        }
        let usual: i64 = tables.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        tables.pragma_update(None, "synchronous", "normal")?;
        let done = change(tables);
        tables.pragma_update(None, "synchronous", usual)?;
        done
    }

    /// Waits for the tables.
    pub(super) fn tables(&self) -> MutexGuard<'_, Connection> {
        self.wanted.fetch_add(1, Ordering::Relaxed);
        let tables = lock(&self.tables);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        tables
    }

    /// Flushes until [`Memtable::close`]. `step` does one step of a chore; `ended` is called after
    /// each of its turns.
    pub(super) fn run(
        &self,
        held: Option<&File>,
        step: impl Fn(Chore) -> Result<ChoreReport, StoreError>,
        ended: impl Fn(),
    ) {
        let mut look = Instant::now() + LOOK_EVERY;
        let mut fails = false;
        let mut yielder = Yielder::new(&self.wanted);
        while let Some(due) = self.next(look) {
            let done = match due {
                FlusherTask::Look => {
                    self.files.look_closely(held);
                    look = Instant::now() + LOOK_EVERY;
                    continue;
                }
                FlusherTask::Checkpoint => {
                    self.checkpoint();
                    continue;
                }
                FlusherTask::Put => self.put_all(&mut yielder).and_then(|()| self.forget_safe()),
                FlusherTask::Index => self.index_some_of_these(&mut yielder),
                FlusherTask::Chore => {
                    self.chore_turn(&step, &ended);
                    self.checkpoint();
                    continue;
                }
            };
            match done {
                Ok(()) => {
                    fails = false;
                    self.state().again = None;
                    let_others_in();
                    self.checkpoint();
                }
                Err(failure) => {
                    self.state().again = Some(Instant::now() + AGAIN);
                    if !std::mem::replace(&mut fails, true) {
                        tracing::error!("{failure}; it is tried again every second");
                    }
                }
            }
            self.chore_turn(&step, &ended);
        }
    }

    fn index_some_of_these(&self, yielder: &mut Yielder<'_>) -> Result<(), StoreError> {
        // One step takes no more conversations.
        let mut numbers = self.state().unindexed.keys().take(STEP_LINES).copied().collect();
        self.index_step(&mut numbers, STEP_LINES, yielder)
    }

    /// Waits for the next task; `None` at the end.
    fn next(&self, look: Instant) -> Option<FlusherTask> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let until_look = self.files.are_some().then(|| look.saturating_duration_since(now));
            if until_look.is_some_and(|left| left.is_zero()) {
                return Some(FlusherTask::Look);
            }
            let left = match state.due(now) {
                Some(Ok(due)) => return Some(due),
                // Everything else comes with a check of the WALs.
                _ if self.has_long_log() => return Some(FlusherTask::Checkpoint),
                _ if matches!(state.chore, ChoreSlot::Waiting(_)) => {
                    return Some(FlusherTask::Chore);
                }
                Some(Err(left)) => Some(until_look.map_or(left, |look| look.min(left))),
                None => until_look,
            };
            state = match left {
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Blocks background checkpoints. A thread that also locks the tables does so first.
    fn hold_logs(&self) -> Vec<MutexGuard<'_, Connection>> {
        self.wals.iter().map(Wal::hold).collect()
    }

    fn has_long_log(&self) -> bool {
        self.wals.iter().any(Wal::is_long)
    }

    /// Checkpoints long WALs.
    fn checkpoint(&self) {
        self.wals.iter().filter(|wal| wal.is_long()).for_each(Wal::checkpoint);
    }

    /// Ends [`Memtable::run`].
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Moves everything into the database file and shortens the journal.
    pub(super) fn close_files(&self) -> Result<(), StoreError> {
        self.flush_all()?;
        let tables = self.tables();
        let _held = self.hold_logs();
        self.files.cut_off(|| truncate(&tables))?;
        let put = self.state().put;
        self.forget(put, false)?;
        self.journal.as_ref().map_or(Ok(()), |journal| lock(journal).end())
    }

    #[cfg(test)]
    pub(super) fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        self.journal.as_ref().map(lock)
    }

    fn is_full(&self) -> bool {
        self.state().bytes >= MOST_BYTES
    }

    fn state(&self) -> MutexGuard<'_, MemtableState> {
        lock(&self.state)
    }
}

impl MemtableState {
    /// Whether nothing is left to do.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.row == self.put && self.unindexed.is_empty()
    }

    /// Returns the next task, or the time until it is due; `None` if there is none.
    fn due(&mut self, now: Instant) -> Option<Result<FlusherTask, Duration>> {
        if self.is_idle() {
            return None;
        }
        let left = |at: Instant| at.saturating_duration_since(now);
        if let Some(again) = self.again.map(left).filter(|again| !again.is_zero()) {
            return Some(Err(again));
        }
        let quiet = self.last.map_or(Duration::ZERO, |last| left(last + QUIET));
        let mut wait = quiet;
        if !self.waiting.is_empty() || self.row > self.put {
            if self.bytes >= MUCH_BYTES {
                self.busy = true;
                return Some(Ok(FlusherTask::Put));
            }
            wait = self.since.map_or(quiet, |since| left(since + LONGEST).min(quiet));
            if wait.is_zero() || self.hurries {
                self.busy = false;
                return Some(Ok(FlusherTask::Put));
            }
        }
        let unindexed = || self.unindexed.values().sum::<usize>();
        let may_index = !self.busy || quiet.is_zero() || unindexed() > MOST_UNINDEXED;
        if !self.unindexed.is_empty() && may_index {
            return Some(Ok(FlusherTask::Index));
        }
        Some(Err(wait))
    }

    fn add(&mut self, batch: &RecordBatch, row: i64, now: Instant) {
        self.row = row.max(self.row);
        self.kept += batch.records().len() as u64;
        self.since.get_or_insert(now);
        self.last = Some(now);
        for ConversationRecords { number, lines, last, time, records } in batch.parts() {
            let waiting = self.waiting.entry(number).or_default();
            if last > waiting.last {
                (waiting.last, waiting.time) = (last, time);
            }
            let chunk = waiting.open_chunk();
            chunk.records.extend_from_slice(records);
            chunk.lines += lines;
            if lines > 0 {
                chunk.first.get_or_insert(last);
                chunk.last = chunk.last.max(last);
            }
            self.lines += lines;
            self.bytes += records.len();
        }
        for (number, floor) in batch.floors() {
            let waiting = self.waiting.entry(*number).or_default();
            waiting.floor = waiting.floor.max(*floor);
        }
        for (user_id, number, marker) in batch.markers() {
            let read =
                self.waiting.entry(*number).or_default().markers.entry(*user_id).or_default();
            *read = marker.max(read).to_owned();
        }
        self.once.extend(batch.once().iter().cloned());
    }

    /// Returns the first buffered line of a conversation. Only lines below it are indexed, so that
    /// the index covers all lines up to an id.
    fn first_waiting(&self, number: u32) -> u64 {
        let chunks = self.waiting.get(&number).map(|waiting| &waiting.chunks);
        chunks.into_iter().flatten().find_map(|chunk| chunk.first).unwrap_or(u64::MAX)
    }

    /// Returns the conversations with buffered lines, in turns, the next one last. Those that were
    /// flushed longest ago have the most, and much of one conversation costs less than a little of
    /// many.
    fn in_turn(&self) -> Vec<u32> {
        let after = self.waiting.range((Bound::Excluded(self.turn), Bound::Unbounded));
        let before = self.waiting.range(..=self.turn);
        let mut numbers: Vec<u32> = after.chain(before).map(|(number, _)| *number).collect();
        numbers.reverse();
        numbers
    }

    /// Takes what one step flushes, and removes conversations with nothing left from the list.
    fn some_of(&mut self, numbers: &mut Vec<u32>) -> Vec<TakenChunks> {
        let mut some = Vec::new();
        let mut bytes = 0;
        while bytes < STEP_BYTES
            && let Some(number) = numbers.last().copied()
        {
            let mut taken = Vec::new();
            let chunks = self.waiting.get(&number).map(|waiting| &waiting.chunks);
            for chunk in chunks.into_iter().flatten() {
                if bytes >= STEP_BYTES {
                    break;
                }
                bytes += chunk.records.len();
                taken.push(Arc::clone(chunk));
            }
            if chunks.is_none_or(|chunks| chunks.len() == taken.len()) {
                numbers.pop();
            }
            some.push((number, taken));
            self.turn = number;
        }
        some
    }

    /// Removes flushed chunks.
    fn remove(&mut self, some: &[TakenChunks]) {
        for (number, taken) in some {
            let Some(ConversationBuffer { chunks, .. }) = self.waiting.get_mut(number) else {
                continue;
            };
            for chunk in chunks.drain(..taken.len().min(chunks.len())) {
                self.lines -= chunk.lines;
                self.bytes -= chunk.records.len();
                *self.unindexed.entry(*number).or_default() += chunk.lines;
            }
            if chunks.is_empty() {
                self.waiting.remove(number);
            }
        }
    }

    /// Records indexed lines of conversations, and whether those were all.
    fn indexed(&mut self, some: &[(u32, usize, bool)]) {
        for (number, lines, all) in some {
            if *all {
                self.unindexed.remove(number);
            } else if let Some(left) = self.unindexed.get_mut(number) {
                *left = left.saturating_sub(*lines).max(1);
            }
        }
    }

    /// Removes flushed idempotency keys.
    fn said(&mut self, once: &[OnceEntry]) {
        for (key, said) in once {
            if self.once.get(key) == Some(said) {
                self.once.remove(key);
            }
        }
    }
}

/// Pauses: a lock that is retaken at once never reaches a waiting thread.
#[expect(clippy::disallowed_methods, reason = "a waiting thread of a std mutex is not observable")]
fn let_others_in() {
    std::thread::sleep(BETWEEN_STEPS);
}

/// Whether all operations may be journaled.
pub(super) fn may_wait(entries: &[WriteOp<'_>]) -> bool {
    !entries.is_empty() && entries.iter().all(record::may_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buffers somewhat more of a conversation than one step takes.
    fn waits(state: &mut MemtableState, number: u32) {
        let mut records = Vec::new();
        while records.len() <= STEP_BYTES {
            records.resize(records.len() + CHUNK_BYTES, 0);
        }
        state.bytes += records.len();
        state.lines += 1;
        let chunk = Chunk { records, lines: 1, first: Some(1), last: 1 };
        state.waiting.entry(number).or_default().chunks.push_back(Arc::new(chunk));
    }

    #[test]
    fn a_flush_takes_the_conversation_flushed_longest_ago() {
        let mut state = MemtableState::default();
        let mut turns = Vec::new();
        for number in [1, 2, 7] {
            waits(&mut state, number);
        }
        for _ in 0..5 {
            let some = state.some_of(&mut state.in_turn());
            state.remove(&some);
            let number = some[0].0;
            turns.push(number);
            waits(&mut state, number);
        }
        assert_eq!(turns, [1, 2, 7, 1, 2]);
    }
}
