//! One server that keeps its lines itself and commits in groups: while one commit is being synced,
//! the next batch gathers.
//!
//! One at a time has the desk, and with it the store: a thread of its own, or whoever says
//! something while nobody else does. The latter spares a line two changes of threads, which take as
//! long as half a sync of a quick disk. The latter is done only while nothing waits, so nothing
//! overtakes anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chat_proto::id::MessageId;
use chat_proto::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::committer::{CommitProgress, CommitStage, Committer, Submission};
use super::retention::Retention;
use super::turns::{About, Turns};
use crate::hub::Hub;
use crate::hub::admin::command::AdminCommand;
use crate::hub::id::{ConversationKey, UserId};
use crate::hub::ports::CommitLog;
use crate::hub::proposal::{AccountProposal, Proposal, StateChange};
use crate::hub::recovered::RecoveredState;
use crate::ops::watchdog::{Probe, ProbePoint, Pulse};
use crate::store::{Flusher, StoreError, Writer};
use crate::util::sync::{MutexGuard, Rank, RankedMutex, lock};
use crate::util::work_queue::{Popped, Priority, Wait, WorkQueue, lower_priority};

/// Drafts of one commit. Enough that its sync costs each of them little; few enough that they don't
/// run over the ring of a channel.
const BATCH: usize = 256;

/// While there is always something to write, a step of tidying comes after so many batches.
const BATCHES_BEFORE_TIDYING: u32 = 16;

/// A commit that takes longer than this is for the thread alone, and so are some that follow it:
/// nobody who says something waits at a slow disk more than once in a while.
const QUICK: Duration = Duration::from_millis(5);
const AFTER_A_SLOW_ONE: u32 = 64;

/// A line that comes sooner after the last commit than anybody could have answered it, comes with
/// others.
const ALONE: Duration = Duration::from_micros(20);

/// While lines wait to be put into the store's tables, which is soon after they are said, the
/// thread looks so often whether somebody waits for a slow disk.
const TICK: Duration = Duration::from_millis(10);

/// For so long at most the erasing of an account waits until it takes the disk little time.
const ERASING_WAITS: Duration = Duration::from_secs(1);

/// The order of one server.
pub struct LocalLog {
    shared: Arc<SharedLog>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    order: JoinHandle<()>,
    /// Puts lines into the store's tables.
    flush: (Arc<Flusher>, JoinHandle<()>),
}

/// What the thread shares with those who submit.
struct SharedLog {
    /// Holds at most what every connection may have unsettled, and the facts of people's comings
    /// and goings.
    queue: WorkQueue<CommitWork>,
    /// What waits is taken only by who holds this, so that nothing overtakes anything.
    committer: RankedMutex<{ Rank::Commit as u8 }, CommitterState>,
    /// What was read: it is written with whatever is written next, and for itself alone only at the
    /// end.
    read: RankedMutex<{ Rank::Pending as u8 }, HashMap<(UserId, ConversationKey), MessageId>>,
    /// Notified when something is there that wasn't.
    read_pending: Notify,
    /// How far the desk is.
    progress: Arc<CommitProgress>,
    /// That of those who submit.
    runtime: OnceLock<Handle>,
}

struct CommitterState {
    committer: Committer,
    /// What the thread knows that it has to look after.
    watched: PendingChores,
    /// For which the desk was last used.
    hub: Weak<Hub>,
    /// So many more commits are for the thread alone, as it isn't known that the disk is quick.
    threaded: u32,
    /// When something was carried out last.
    last: Option<Instant>,
    /// What erases accounts, and since when it waits until that takes little time.
    erasing: VecDeque<(CommitWork, Instant)>,
    /// What waits for acts before it.
    turns: Turns<CommitWork>,
}

/// What is to be done between the batches.
#[derive(Clone, Copy, Debug, Default)]
struct PendingChores {
    /// There is something to take out.
    sweep: bool,
    /// So many lines wait to be put into the store's tables.
    waiting: usize,
}

enum CommitWork {
    /// There are chores.
    Chores,
    Item(Submission, Arc<Hub>),
    Sweep(Timestamp, Arc<Hub>),
}

impl CommitWork {
    fn about(&self) -> About<'_> {
        let Self::Item(submission, _) = self else { return About::Else };
        submission.about()
    }
}

impl LocalLog {
    /// Takes a store over, with a thread of its own; tells what was kept in it.
    pub fn start(
        book: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), CommitStartError> {
        let flusher = Arc::new(book.flusher());
        let (committer, past) = Committer::open(book, retention)?;
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
                turns: Turns::default(),
            }),
            read: RankedMutex::default(),
            read_pending: Notify::new(),
            runtime: OnceLock::new(),
        });
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let theirs = Arc::clone(&flusher);
        let flush = thread("flush").spawn(move || {
            lower_priority(Priority::Low);
            theirs.run();
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
            tracing::error!("a thread that stores lines has failed");
        }
    }
}

/// Why an order can't start.
#[derive(Debug, thiserror::Error)]
pub enum CommitStartError {
    /// What is kept can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no thread to be had.
    #[error("the system has no thread for storing lines")]
    Thread(#[from] std::io::Error),
}

impl CommitLog for LocalLog {
    fn submit(&self, proposal: Proposal, hub: &Arc<Hub>) {
        self.shared.submit(CommitWork::Item(Submission::Proposal(proposal), Arc::clone(hub)));
    }

    fn submit_account_update(&self, update: AccountProposal, hub: &Arc<Hub>) {
        let item = Submission::Account(Box::new(update));
        self.shared.queue.add(CommitWork::Item(item, Arc::clone(hub)));
    }

    fn submit_admin_command(&self, command: Box<AdminCommand>, hub: &Arc<Hub>) {
        let item = Submission::Admin(command);
        self.shared.queue.add(CommitWork::Item(item, Arc::clone(hub)));
    }

    fn record(&self, change: StateChange, hub: &Arc<Hub>) {
        if let StateChange::ReadMarker(user_id, key, line) = change {
            let mut read = lock(&self.shared.read);
            read.insert((user_id, key), line);
            if read.len() == 1 {
                self.shared.read_pending.notify_one();
            }
            return;
        }
        self.shared.queue.add(CommitWork::Item(Submission::Change(change), Arc::clone(hub)));
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
        let mut batches = 0;
        let mut chores = PendingChores::default();
        let (mut erases, mut has_turns) = (false, false);
        loop {
            let wait = match chores {
                PendingChores { sweep, .. } if sweep || has_turns => Wait::No,
                PendingChores { waiting: 0, .. } if !erases => Wait::Forever,
                PendingChores { .. } => Wait::For(TICK),
            };
            let next = self.queue.wait(BATCH, wait);
            // Whoever woke this thread may be about to add more, and has no other processor to do
            // so where there is but one. What comes together is committed and told together.
            std::thread::yield_now();
            let mut state = self.lock_committer();
            match next {
                Popped::Some(()) => {
                    let works = state.put_off(self.queue.take(BATCH));
                    let works = state.turns.next(works, CommitWork::about);
                    self.queue_read_markers(&mut state.committer);
                    state.run(works);
                    batches += 1;
                }
                Popped::Nothing => {
                    let works = state.put_off(Vec::new());
                    let works = state.turns.next(works, CommitWork::about);
                    if !works.is_empty() {
                        self.queue_read_markers(&mut state.committer);
                        state.run(works);
                    }
                    batches = BATCHES_BEFORE_TIDYING;
                }
                Popped::Closed => {
                    self.queue_read_markers(&mut state.committer);
                    let mut works = state.turns.rest();
                    works.extend(state.erasing.drain(..).map(|(work, _)| work));
                    state.run(works);
                    state.committer.close();
                    return;
                }
            }
            if batches >= BATCHES_BEFORE_TIDYING
                && state.committer.has_sweep()
                && let Some(hub) = state.hub.upgrade()
            {
                batches = 0;
                state.committer.sweep_step(&hub);
            }
            chores = state.chores();
            state.watched = chores;
            (erases, has_turns) = (!state.erasing.is_empty(), !state.turns.is_empty());
        }
    }

    /// What was read is written with the next commit.
    fn queue_read_markers(&self, committer: &mut Committer) {
        let read = std::mem::take(&mut *lock(&self.read));
        for ((party, key), line) in read {
            committer.queue_change(StateChange::ReadMarker(party, key, line));
        }
    }

    /// The desk, when whoever has it is done. If that is somebody who says something, the disk may
    /// be slow, and the thread of the runtime that waits for it may be the only one that would look
    /// for input: another one is woken.
    fn lock_committer(&self) -> MutexGuard<'_, CommitterState> {
        if let Some(state) = self.committer.try_lock() {
            return state;
        }
        if let Some(runtime) = self.runtime.get() {
            drop(runtime.spawn(async {}));
        }
        lock(&self.committer)
    }

    /// Carries this out, if it is alone and the disk is quick; else it waits for the thread.
    fn submit(&self, work: CommitWork) {
        let state = self.committer.try_lock();
        match state {
            Some(state) if self.may_run_on_author(&state) => {
                self.run_on_author(state, work);
            }
            _ => self.queue.add(work),
        }
    }

    /// Nothing that came before waits, and nothing has just been carried out: who sends many lines
    /// at once has them committed together. And the thread looks every [`TICK`] whether the disk is
    /// slow.
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
    /// Takes out what erases accounts, until the disk is quickly done with that; adds what has
    /// waited for it.
    fn put_off(&mut self, works: Vec<CommitWork>) -> Vec<CommitWork> {
        let erases = |work: &CommitWork| matches!(work, CommitWork::Item(item, _) if item.erases());
        if self.erasing.is_empty() && !works.iter().any(erases) {
            return works;
        }
        let now = Instant::now();
        let (erasing, mut ready): (Vec<_>, Vec<_>) = works.into_iter().partition(erases);
        self.erasing.extend(erasing.into_iter().map(|work| (work, now)));
        let waits = self.erasing.front().map(|(_, since)| now.duration_since(*since));
        if self.committer.may_erase() || waits.is_some_and(|waits| waits >= ERASING_WAITS) {
            ready.extend(self.erasing.drain(..).map(|(work, _)| work));
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
