//! The commit log of a single server. It commits in groups: while one commit syncs, the next batch
//! gathers.
//!
//! One thread at a time locks the committer, and with it the store: the commit thread, or the
//! author's own task while the server is idle. The latter spares a message two thread switches,
//! which take as long as half a sync of a fast disk. It requires an empty queue, so the order is
//! kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chat_proto::id::MessageId;
use chat_proto::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::committer::Committer;
use super::progress::{CommitProgress, CommitStage};
use super::retention::Retention;
use super::turns::{WorkScope, WorkTurns};
use crate::hub::Hub;
use crate::hub::id::{ConversationKey, UserId};
use crate::hub::ports::CommitLog;
use crate::hub::proposal::{StateChange, Submission};
use crate::hub::recovered::RecoveredState;
use crate::ops::watchdog::{Probe, ProbePoint, Pulse};
use crate::store::{Flusher, StoreError, Writer};
use crate::util::sync::{MutexGuard, Rank, RankedMutex, lock};
use crate::util::work_queue::{Popped, Priority, Wait, WorkQueue, lower_priority};

/// Submissions of one commit: enough to amortise its sync, few enough not to overrun a channel's
/// ring.
const BATCH: usize = 256;

/// After a commit that takes longer than this, the next ones belong to the commit thread, so tasks
/// rarely wait for a slow disk.
const QUICK: Duration = Duration::from_millis(5);
const AFTER_A_SLOW_ONE: u32 = 64;

/// A message that follows the last commit sooner than this is part of a burst.
const ALONE: Duration = Duration::from_micros(20);

/// While messages wait for the tables, the commit thread checks this often whether a task waits for
/// a slow disk.
const TICK: Duration = Duration::from_millis(10);

/// Maximum delay of an account deletion, which waits until earlier messages are in the tables.
const ERASING_WAITS: Duration = Duration::from_secs(5);

/// The commit log of a single server.
pub struct LocalLog {
    shared: Arc<SharedLog>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    order: JoinHandle<()>,
    /// Moves messages to the store's tables, and does the chores.
    flush: (Arc<Flusher>, JoinHandle<()>),
}

/// Shared by the commit thread and the submitting tasks.
struct SharedLog {
    /// Bounded by the pending proposals of every connection, and the changes of connects and
    /// disconnects.
    queue: WorkQueue<CommitWork>,
    /// Work is taken from the queue only with this lock, which keeps the order.
    committer: RankedMutex<{ Rank::Commit as u8 }, CommitterState>,
    /// Read markers: written with the next commit, and alone only if none follows.
    read: RankedMutex<{ Rank::Pending as u8 }, HashMap<(UserId, ConversationKey), MessageId>>,
    /// Notified when read markers become pending.
    read_pending: Notify,
    /// The committer's progress.
    progress: Arc<CommitProgress>,
    /// The runtime of the submitting tasks.
    runtime: OnceLock<Handle>,
}

struct CommitterState {
    committer: Committer,
    /// The chores as last reported to the commit thread.
    watched: PendingChores,
    /// The hub of the last batch.
    hub: Weak<Hub>,
    /// Commits that remain for the commit thread until the disk counts as fast again.
    threaded: u32,
    /// When the last batch ended.
    last: Option<Instant>,
    /// Delayed account deletions.
    erasing: VecDeque<DelayedErasure>,
    /// Work that waits for moderation actions before it.
    turns: WorkTurns<CommitWork>,
}

/// A delayed account deletion.
struct DelayedErasure {
    work: CommitWork,
    since: Instant,
    /// The last row of the journal at that time.
    row: i64,
}

/// Work between the batches.
#[derive(Clone, Copy, Debug, Default)]
struct PendingChores {
    /// The sweep has work.
    sweep: bool,
    /// Messages waiting for the tables.
    waiting: usize,
}

enum CommitWork {
    /// There are chores.
    Chores,
    Item(Submission, Arc<Hub>),
    Sweep(Timestamp, Arc<Hub>),
}

impl CommitWork {
    fn scope(&self) -> WorkScope<'_> {
        let Self::Item(submission, _) = self else { return WorkScope::Else };
        submission.scope()
    }
}

impl LocalLog {
    /// Starts the threads; returns the recovered state.
    pub fn start(
        writer: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), CommitStartError> {
        let flusher = Arc::new(writer.flusher());
        let (committer, past) = Committer::open(writer, retention)?;
        let shared = Arc::new(SharedLog {
            progress: committer.progress(),
            queue: WorkQueue::default(),
            committer: RankedMutex::new(CommitterState {
                committer,
                watched: PendingChores::default(),
                hub: Weak::new(),
                threaded: AFTER_A_SLOW_ONE,
                last: None,
                erasing: VecDeque::new(),
                turns: WorkTurns::default(),
            }),
            read: RankedMutex::default(),
            read_pending: Notify::new(),
            runtime: OnceLock::new(),
        });
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (theirs, log) = (Arc::clone(&flusher), Arc::clone(&shared));
        let flush = thread("flush").spawn(move || {
            lower_priority(Priority::Low);
            theirs.run(|| log.queue.add(CommitWork::Chores));
        })?;
        let theirs = Arc::clone(&shared);
        let order = thread("order").spawn(move || theirs.run())?;
        let threads = Threads { order, flush: (flusher, flush) };
        Ok((Self { shared, threads: Mutex::new(Some(threads)) }, past))
    }

    /// Starts a retention sweep, which deletes expired messages in small steps between the batches.
    pub fn sweep(&self, now: Timestamp, hub: &Arc<Hub>) {
        self.shared.queue.add(CommitWork::Sweep(now, Arc::clone(hub)));
    }

    /// Waits until there are read markers that [`LocalLog::flush_read_markers`] would write.
    pub async fn read_pending(&self) {
        self.shared.read_pending.notified().await;
    }

    /// Writes the read markers that no batch has written meanwhile.
    pub fn flush_read_markers(&self, hub: &Arc<Hub>) {
        let read = std::mem::take(&mut *lock(&self.shared.read));
        for ((user_id, key), line) in read {
            let change = Submission::Change(StateChange::ReadMarker(user_id, key, line));
            self.shared.queue.add(CommitWork::Item(change, Arc::clone(hub)));
        }
    }

    /// The commit thread and each task that commits, as a part for the watchdog.
    pub(crate) fn part(&self) -> Probe {
        let shared = Arc::clone(&self.shared);
        let ask = move |spot: &ProbePoint| shared.pulse(spot);
        Probe { name: "commit", ask: Box::new(ask) }
    }

    /// Commits what was submitted, and closes the store. Blocks.
    pub fn stop(&self) {
        self.shared.queue.close();
        let Some(Threads { order, flush }) = lock(&self.threads).take() else { return };
        let (flusher, flush) = flush;
        flusher.stop();
        let ended = [flush.join(), order.join()];
        if ended.iter().any(Result::is_err) {
            tracing::error!("the commit or the flush thread panicked");
        }
    }
}

/// Why the log can't start.
#[derive(Debug, thiserror::Error)]
pub enum CommitStartError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no thread.
    #[error("the system has no thread for storing lines")]
    Thread(#[from] std::io::Error),
}

impl CommitLog for LocalLog {
    fn submit(&self, submission: Submission, hub: &Arc<Hub>) {
        let shared = &self.shared;
        match submission {
            Submission::Change(StateChange::ReadMarker(user_id, key, line)) => {
                let mut read = lock(&shared.read);
                read.insert((user_id, key), line);
                if read.len() == 1 {
                    shared.read_pending.notify_one();
                }
            }
            Submission::Proposal(_) => shared.submit(CommitWork::Item(submission, Arc::clone(hub))),
            Submission::Account(_) | Submission::Admin(_) | Submission::Change(_) => {
                shared.queue.add(CommitWork::Item(submission, Arc::clone(hub)));
            }
        }
    }
}

impl SharedLog {
    fn pulse(&self, spot: &ProbePoint) -> Pulse {
        let (step, stage) = self.progress.now();
        match stage {
            CommitStage::Disk => {
                spot.is("the disk");
                Pulse::Working { step, on_disk: true }
            }
            CommitStage::Publishing => {
                spot.is("telling what is stored");
                Pulse::Working { step, on_disk: false }
            }
            CommitStage::Idle if self.queue.is_empty() => Pulse::Idle,
            CommitStage::Idle => {
                spot.is("work that no thread takes up");
                Pulse::Working { step, on_disk: false }
            }
        }
    }

    fn run(&self) {
        let mut chores = PendingChores::default();
        let (mut erases, mut has_turns) = (false, false);
        loop {
            let wait = match chores {
                PendingChores { sweep, .. } if sweep || has_turns => Wait::No,
                PendingChores { waiting: 0, .. } if !erases => Wait::Forever,
                PendingChores { .. } => Wait::For(TICK),
            };
            let next = self.queue.wait(BATCH, wait);
            // The task that woke this thread may be about to submit more, and may share its core.
            // Submissions that arrive together are committed together.
            std::thread::yield_now();
            let mut state = self.lock_committer();
            match next {
                Popped::Some(()) => {
                    let works = state.put_off(self.queue.take(BATCH));
                    let works = state.turns.next(works, CommitWork::scope);
                    self.queue_read_markers(&mut state.committer);
                    state.run(works);
                }
                Popped::Nothing => {
                    let works = state.put_off(Vec::new());
                    let works = state.turns.next(works, CommitWork::scope);
                    if !works.is_empty() {
                        self.queue_read_markers(&mut state.committer);
                        state.run(works);
                    }
                }
                Popped::Closed => {
                    self.queue_read_markers(&mut state.committer);
                    let mut works = state.turns.rest();
                    works.extend(state.erasing.drain(..).map(|waiting| waiting.work));
                    state.run(works);
                    state.committer.close();
                    return;
                }
            }
            if state.committer.has_sweep()
                && let Some(hub) = state.hub.upgrade()
            {
                state.committer.sweep_step(&hub);
            }
            chores = state.chores();
            state.watched = chores;
            (erases, has_turns) = (!state.erasing.is_empty(), !state.turns.is_empty());
        }
    }

    /// Queues the pending read markers for the next commit.
    fn queue_read_markers(&self, committer: &mut Committer) {
        let read = std::mem::take(&mut *lock(&self.read));
        for ((user_id, key), line) in read {
            committer.queue_change(StateChange::ReadMarker(user_id, key, line));
        }
    }

    /// Waits for the committer lock. If a task holds it, the disk may be slow, and that worker may
    /// be the only one that polls for input: another one is woken.
    fn lock_committer(&self) -> MutexGuard<'_, CommitterState> {
        if let Some(state) = self.committer.try_lock() {
            return state;
        }
        if let Some(runtime) = self.runtime.get() {
            drop(runtime.spawn(async {}));
        }
        lock(&self.committer)
    }

    /// Commits on the calling task if the server is idle and the disk fast; otherwise queues.
    fn submit(&self, work: CommitWork) {
        let state = self.committer.try_lock();
        match state {
            Some(state) if self.may_run_on_author(&state) => {
                self.run_on_author(state, work);
            }
            _ => self.queue.add(work),
        }
    }

    /// The queue is empty and no batch has just ended: bursts are committed together. The commit
    /// thread checks for a slow disk every [`TICK`].
    fn may_run_on_author(&self, state: &CommitterState) -> bool {
        state.threaded == 0
            && state.watched.waiting > 0
            && self.queue.is_empty()
            && state.turns.is_empty()
            && state.last.is_none_or(|last| last.elapsed() > ALONE)
            && self.runtime().is_some_and(|runtime| runtime.metrics().num_workers() > 1)
    }

    fn runtime(&self) -> Option<&Handle> {
        if self.runtime.get().is_none()
            && let Ok(current) = Handle::try_current()
        {
            let _ = self.runtime.set(current);
        }
        self.runtime.get()
    }

    fn run_on_author(&self, mut state: MutexGuard<'_, CommitterState>, work: CommitWork) {
        self.queue_read_markers(&mut state.committer);
        state.run(vec![work]);
        let PendingChores { sweep, waiting } = state.chores();
        if sweep && !state.watched.sweep {
            state.watched = PendingChores { sweep, waiting };
            self.queue.add(CommitWork::Chores);
        }
    }
}

impl CommitterState {
    /// Delays account deletions until earlier messages are in the tables, since a deletion flushes
    /// the rest, or until [`ERASING_WAITS`] is over. Returns the work that may run now.
    fn put_off(&mut self, works: Vec<CommitWork>) -> Vec<CommitWork> {
        let erases = |work: &CommitWork| matches!(work, CommitWork::Item(item, _) if item.erases());
        if self.erasing.is_empty() && !works.iter().any(erases) {
            return works;
        }
        let now = Instant::now();
        let (erasing, mut ready): (Vec<_>, Vec<_>) = works.into_iter().partition(erases);
        let row = self.committer.last_row();
        let waiting = |work| DelayedErasure { work, since: now, row };
        self.erasing.extend(erasing.into_iter().map(waiting));
        while let Some(DelayedErasure { work, .. }) = self.erasing.pop_front_if(|waiting| {
            self.committer.may_erase(waiting.row)
                || now.duration_since(waiting.since) >= ERASING_WAITS
        }) {
            ready.push(work);
        }
        ready
    }

    fn run(&mut self, works: Vec<CommitWork>) {
        let mut items = Vec::with_capacity(works.len());
        let mut on_hub = None;
        for work in works {
            match work {
                CommitWork::Item(item, hub) => {
                    items.push(item);
                    on_hub = Some(hub);
                }
                CommitWork::Chores => {}
                CommitWork::Sweep(now, hub) => {
                    self.committer.begin_sweep(now);
                    on_hub = Some(hub);
                }
            }
        }
        let Some(hub) = on_hub else { return };
        if !items.is_empty() {
            let begun = Instant::now();
            self.committer.run(items, &hub);
            self.note_time(begun, Instant::now());
        }
        self.hub = Arc::downgrade(&hub);
    }

    fn chores(&self) -> PendingChores {
        PendingChores { sweep: self.committer.has_sweep(), waiting: self.committer.waiting() }
    }

    fn note_time(&mut self, begun: Instant, done: Instant) {
        self.last = Some(done);
        self.threaded =
            if done - begun > QUICK { AFTER_A_SLOW_ONE } else { self.threaded.saturating_sub(1) };
    }
}
