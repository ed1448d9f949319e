//! One server that keeps its lines itself and commits in groups: while one commit is being synced, the next
//! batch gathers.
//!
//! One at a time has the desk, and with it the store: a thread of its own, or whoever says something while nobody
//! else does. The latter spares a line two changes of threads, which take as long as half a sync of a quick disk.
//! The latter is done only while nothing waits, so nothing overtakes anything.

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
use crate::auth::AuthService;
use crate::history::HistoryService;
use crate::hub::admin::command::AdminCommand;
use crate::hub::id::ConversationKey;
use crate::hub::id::UserId;
use crate::hub::ports::CommitLog;
use crate::hub::proposal::{AccountProposal, Proposal, StateChange};
use crate::hub::recovered::RecoveredState;
use crate::hub::{Backends, Hub};
use crate::ops::watchdog::{Probe, ProbePoint, Pulse};
use crate::store::{Durability, Flusher, Store, StoreError, StoreLocation, Writer};
use crate::util::sync::lock;
use crate::util::sync::{MutexGuard, Rank, RankedMutex};
use crate::util::work_queue::{Popped, Priority, Wait, WorkQueue, lower_priority};

/// Drafts of one commit. Enough that its sync costs each of them little; few enough that they don't run
/// over the ring of a channel.
const BATCH: usize = 256;

/// While there is always something to write, a step of tidying comes after so many batches.
const BATCHES_BEFORE_TIDYING: u32 = 16;

/// A commit that takes longer than this is for the thread alone, and so are some that follow it: nobody who says
/// something waits at a slow disk more than once in a while.
const QUICK: Duration = Duration::from_millis(5);
const AFTER_A_SLOW_ONE: u32 = 64;

/// A line that comes sooner after the last commit than anybody could have answered it, comes with others.
const ALONE: Duration = Duration::from_micros(20);

/// While lines wait to be put into the store's tables, which is soon after they are said, the thread looks so often
/// whether somebody waits for a slow disk.
const TICK: Duration = Duration::from_millis(10);

/// For so long at most the erasing of an account waits until it takes the disk little time.
const ERASING_WAITS: Duration = Duration::from_secs(1);

/// The order of one server.
pub struct LocalLog {
    committer: Driven,
}

enum Driven {
    /// By a thread, and by those who submit.
    Thread(Arc<SharedLog>, Mutex<Option<Threads>>),
    /// By whoever submits, for tests whose clock stands still; facts wait for the next draft.
    Inline(Box<Inline>),
}

/// The desk, and the facts that wait for the next draft.
type Inline = (
    RankedMutex<{ Rank::Commit as u8 }, Committer>,
    RankedMutex<{ Rank::Pending as u8 }, Vec<Submission>>,
);

struct Threads {
    order: JoinHandle<()>,
    /// Puts lines into the store's tables.
    flush: (Arc<Flusher>, JoinHandle<()>),
}

/// What the thread shares with those who submit.
struct SharedLog {
    /// Holds at most what every connection may have unsettled, and the facts of people's comings and goings.
    queue: WorkQueue<CommitWork>,
    /// What waits is taken only by who holds this, so that nothing overtakes anything.
    committer: RankedMutex<{ Rank::Commit as u8 }, CommitterState>,
    /// What was read: it is written with whatever is written next, and for itself alone only at the end.
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
        Ok((Self { committer: Driven::Thread(shared, Mutex::new(Some(threads))) }, past))
    }

    /// The same without a thread: whoever submits waits until it is carried out.
    pub fn inline(
        book: Writer,
        retention: Retention,
    ) -> Result<(Self, RecoveredState), StoreError> {
        let (committer, past) = Committer::open(book, retention)?;
        Ok((
            Self {
                committer: Driven::Inline(Box::new((
                    RankedMutex::new(committer),
                    RankedMutex::default(),
                ))),
            },
            past,
        ))
    }

    /// Looks for lines that are kept no more, and takes them out by and by.
    pub fn sweep(&self, now: Timestamp, hub: &Arc<Hub>) {
        match &self.committer {
            Driven::Thread(shared, _) => {
                shared.queue.add(CommitWork::Sweep(now, Arc::clone(hub)));
            }
            Driven::Inline(committer) => {
                let mut committer = lock(&committer.0);
                committer.begin_sweep(now);
                while committer.has_sweep() {
                    committer.sweep_step(hub);
                }
            }
        }
    }

    /// Waits until there is something that [`LocalLog::flush_read_markers`] would write.
    pub async fn read_pending(&self) {
        match &self.committer {
            Driven::Thread(shared, _) => shared.read_pending.notified().await,
            Driven::Inline(_) => std::future::pending().await,
        }
    }

    /// Writes what was read, if nothing else was written with it meanwhile.
    pub fn flush_read_markers(&self, hub: &Arc<Hub>) {
        if let Driven::Thread(shared, _) = &self.committer {
            let read = std::mem::take(&mut *lock(&shared.read));
            for ((party, key), line) in read {
                let fact = Submission::Change(StateChange::ReadMarker(party, key, line));
                shared.queue.add(CommitWork::Item(fact, Arc::clone(hub)));
            }
        }
    }

    /// The commit thread and each task that commits, as a part for the watchdog; `None` without a thread.
    pub(crate) fn part(&self) -> Option<Probe> {
        let Driven::Thread(shared, _) = &self.committer else { return None };
        let shared = Arc::clone(shared);
        let ask = move |spot: &ProbePoint| shared.pulse(spot);
        Some(Probe { name: "commit", ask: Box::new(ask) })
    }

    /// Ends: what was submitted is carried out, and the store is closed. It blocks.
    pub fn stop(&self) {
        match &self.committer {
            Driven::Thread(shared, threads) => {
                shared.queue.close();
                let Some(Threads { order, flush }) = lock(threads).take() else { return };
                let (flusher, flush) = flush;
                flusher.stop();
                let ended = [flush.join(), order.join()];
                if ended.iter().any(Result::is_err) {
                    tracing::error!("a thread that stores lines has failed");
                }
            }
            Driven::Inline(committer) => lock(&committer.0).close(),
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
        match &self.committer {
            Driven::Thread(shared, _) => {
                shared.submit(CommitWork::Item(Submission::Proposal(proposal), Arc::clone(hub)));
            }
            Driven::Inline(committer) => run_inline(committer, Submission::Proposal(proposal), hub),
        }
    }

    fn submit_account_update(&self, update: AccountProposal, hub: &Arc<Hub>) {
        match &self.committer {
            Driven::Thread(shared, _) => {
                shared
                    .queue
                    .add(CommitWork::Item(Submission::Account(Box::new(update)), Arc::clone(hub)));
            }
            Driven::Inline(committer) => {
                run_inline(committer, Submission::Account(Box::new(update)), hub);
            }
        }
    }

    fn submit_admin_command(&self, command: Box<AdminCommand>, hub: &Arc<Hub>) {
        match &self.committer {
            Driven::Thread(shared, _) => {
                shared.queue.add(CommitWork::Item(Submission::Admin(command), Arc::clone(hub)));
            }
            Driven::Inline(committer) => run_inline(committer, Submission::Admin(command), hub),
        }
    }

    fn record(&self, fact: StateChange, hub: &Arc<Hub>) {
        match (&self.committer, fact) {
            (Driven::Thread(shared, _), StateChange::ReadMarker(party, key, line)) => {
                let mut read = lock(&shared.read);
                read.insert((party, key), line);
                if read.len() == 1 {
                    shared.read_pending.notify_one();
                }
            }
            (Driven::Thread(shared, _), fact) => {
                shared.queue.add(CommitWork::Item(Submission::Change(fact), Arc::clone(hub)));
            }
            // Perhaps the hub, or the desk, is locked by whoever asks for it.
            (Driven::Inline(committer), fact) => lock(&committer.1).push(Submission::Change(fact)),
        }
    }
}

fn run_inline(committer: &Inline, item: Submission, hub: &Arc<Hub>) {
    let facts = std::mem::take(&mut *lock(&committer.1));
    lock(&committer.0).run(facts.into_iter().chain([item]), hub);
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
            // Whoever woke this thread may be about to add more, and has no other processor to do so where there is but
            // one. What comes together is committed and told together.
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

    /// The desk, when whoever has it is done. If that is somebody who says something, the disk may be slow, and the
    /// thread of the runtime that waits for it may be the only one that would look for input: another one is woken.
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

    /// Nothing that came before waits, and nothing has just been carried out: who sends many lines at once has
    /// them committed together. And the thread looks every [`TICK`] whether the disk is slow.
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

impl Backends {
    /// Everything in memory and without threads: whoever asks waits. For tests whose clock stands still.
    ///
    /// # Panics
    ///
    /// If SQLite can't open a database in memory.
    #[expect(clippy::expect_used, reason = "for tests, whose failure it is")]
    pub fn inline(retention: Retention) -> Self {
        let store = Store::open(&StoreLocation::Memory, Durability::Machine).expect("memory opens");
        let (book, lookups) = store.into_parts();
        let archive = HistoryService::inline(&lookups).expect("memory opens");
        let (order, past) = LocalLog::inline(book, retention).expect("it is empty");
        let vault = Arc::new(AuthService::inline());
        Self {
            commit_log: Arc::new(order),
            history: Arc::new(archive),
            auth: vault,
            recovered: past,
        }
    }
}
