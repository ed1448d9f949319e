//! The threads that hash, so that nobody who chats waits for it.
//!
//! A hash keeps a processor busy for some tens of milliseconds. So few are made at a time, and each by a thread of the
//! lowest priority, which runs when the processor has nothing else to do. That thread touches nothing that
//! others wait for: a lock that it held would make them as slow as it is. Its clerk, a thread of the usual
//! priority, takes jobs and gives the answers.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::password::{self, HashError, HashMemory};
use crate::util::fair_queue::{FairQueue, FlowId};
use crate::util::work_queue::{Popped, Priority, Wait, lower_priority};
use chat_proto::secret::Secret;

/// Jobs that wait at most. At two processors the last of them is done after some eight seconds. When there are more, the
/// last job of the address with the most is answered with [`HashOutcome::Busy`].
pub const MAX_QUEUED_JOBS: usize = 256;

/// For how long a clerk keeps the memory for the next job.
const MEMORY_LIFETIME: Duration = Duration::from_secs(2);

/// Something to be hashed.
#[derive(Debug)]
pub enum HashJob {
    /// A password that is to be kept.
    Hash(Secret),
    /// A password that was typed.
    Verify {
        /// As it was typed.
        password: Secret,
        /// The hash that is kept. `None` if there is no such account: then it is wrong, after as long a time.
        phc: Option<Box<str>>,
    },
}

/// What became of a job.
#[derive(Debug, PartialEq, Eq)]
pub enum HashOutcome {
    /// What is to be kept.
    Hashed(String),
    /// Whether the password was right.
    Verified {
        /// It was.
        right: bool,
        /// A hash that is to be kept instead of the one before, which was made by older rules.
        rehashed: Option<String>,
    },
    /// It could not be done; the operator was told why.
    Failed,
    /// More waits than can be done soon.
    Busy,
}

/// Called with the answer, on a thread of the pool: it must not block.
pub type OnHashed = Box<dyn FnOnce(HashOutcome) + Send>;

/// Whether the answer is still wanted by anybody.
pub type StillWanted = Box<dyn Fn() -> bool + Send>;

/// The pool of one server.
pub struct HashPool {
    shared: Arc<PoolShared>,
}

/// What callers and clerks share.
struct PoolShared {
    queue: FairQueue<QueuedHash>,
    dummy_hash: String,
}

/// Passwords that were typed have a lane of their own: new accounts don't hold up those who sign in.
impl HashJob {
    fn lane(&self) -> u8 {
        match self {
            Self::Verify { .. } => 0,
            Self::Hash(_) => 1,
        }
    }
}

struct QueuedHash {
    job: HashJob,
    wanted: StillWanted,
    done: OnHashed,
}

/// Why a pool can't start.
#[derive(Debug, thiserror::Error)]
pub enum AuthStartError {
    /// No thread.
    #[error("the system has no thread for hashing passwords")]
    Thread(#[from] std::io::Error),
    /// No hash can be made at all.
    #[error(transparent)]
    Hash(#[from] HashError),
}

impl HashPool {
    /// Starts with one hash at a time for every two processors.
    pub fn start() -> Result<Self, AuthStartError> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self::start_with((processors / 2).max(1))
    }

    /// Starts with so many hashes at a time.
    pub fn start_with(threads: usize) -> Result<Self, AuthStartError> {
        let shared = PoolShared {
            queue: FairQueue::new(MAX_QUEUED_JOBS),
            dummy_hash: password::dummy_hash()?,
        };
        let pool = Self { shared: Arc::new(shared) };
        for _ in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name("vault".to_owned()).spawn(move || worker(&shared))?;
        }
        Ok(pool)
    }

    /// Has a job done in the turn of its flow. `done` is called once with the answer, unless nothing is `wanted` any
    /// more when the job's turn comes, or the pool closes before. It may be called at once, with [`HashOutcome::Busy`].
    pub(crate) fn ask(&self, flow: FlowId, job: HashJob, wanted: StillWanted, done: OnHashed) {
        let flow = flow.in_lane(job.lane());
        if let Some(displaced) = self.shared.queue.add(flow, QueuedHash { job, wanted, done }) {
            (displaced.done)(HashOutcome::Busy);
        }
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// Nothing more is taken, and what waits is dropped without an answer.
    pub fn close(&self) {
        self.shared.queue.close_now();
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.close();
    }
}

fn worker(shared: &PoolShared) {
    let mut memory = HashMemory::default();
    let mut wait = Wait::Forever;
    loop {
        match shared.queue.next(wait) {
            Popped::Some(work) => {
                serve(work, &mut memory, &shared.dummy_hash);
                wait = Wait::For(MEMORY_LIFETIME);
            }
            Popped::Nothing => {
                memory = HashMemory::default();
                wait = Wait::Forever;
            }
            Popped::Closed => return,
        }
    }
}

fn serve(work: QueuedHash, memory: &mut HashMemory, dummy_hash: &str) {
    let QueuedHash { job, wanted, done } = work;
    // A fault of theirs must not take the clerk away from the others.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if wanted() {
            done(answer(&job, memory, dummy_hash));
        }
    }));
    if guarded.is_err() {
        tracing::error!("a fault while a password was looked at; the others go on");
    }
}

fn answer(job: &HashJob, memory: &mut HashMemory, dummy_hash: &str) -> HashOutcome {
    // A thread for each hash, since a priority that was lowered can't be raised again.
    let hashed = thread::scope(|scope| {
        let thread = thread::Builder::new().name("hash".to_owned());
        let hashing = thread.spawn_scoped(scope, || {
            lower_priority(Priority::Lowest);
            run(job, memory, dummy_hash)
        });
        hashing.map(thread::ScopedJoinHandle::join)
    });
    match hashed {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(trouble))) => {
            tracing::error!("{trouble}");
            HashOutcome::Failed
        }
        // The panic hook has logged where it happened.
        Ok(Err(_)) => HashOutcome::Failed,
        Err(error) => {
            tracing::error!(%error, "the system has no thread for hashing a password");
            HashOutcome::Failed
        }
    }
}

/// Does one job while the caller waits, without a pool.
pub fn run_inline(job: &HashJob) -> HashOutcome {
    let done = password::dummy_hash()
        .and_then(|dummy_hash| run(job, &mut HashMemory::default(), &dummy_hash));
    done.unwrap_or_else(|trouble| {
        tracing::error!("{trouble}");
        HashOutcome::Failed
    })
}

fn run(job: &HashJob, memory: &mut HashMemory, dummy_hash: &str) -> Result<HashOutcome, HashError> {
    match job {
        HashJob::Hash(password) => password::hash(password, memory).map(HashOutcome::Hashed),
        HashJob::Verify { password, phc } => {
            let kept = phc.as_deref();
            let verified = password::verify(password, kept.unwrap_or(dummy_hash), memory)?;
            let right = verified && kept.is_some();
            let rehashed = match kept {
                Some(kept) if right && password::needs_rehash(kept) => {
                    Some(password::hash(password, memory)?)
                }
                _ => None,
            };
            Ok(HashOutcome::Verified { right, rehashed })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    fn wanted() -> StillWanted {
        Box::new(|| true)
    }

    fn verify(password: &str, phc: Option<&str>) -> HashJob {
        HashJob::Verify { password: Secret::new(password), phc: phc.map(Box::from) }
    }

    /// Has jobs done one after the other.
    struct PoolFixture {
        pool: HashPool,
        tell: SyncSender<HashOutcome>,
        told: Receiver<HashOutcome>,
    }

    impl PoolFixture {
        fn new() -> Self {
            let (tell, told) = sync_channel(MAX_QUEUED_JOBS);
            Self { pool: HashPool::start_with(1).unwrap(), tell, told }
        }

        fn done(&self) -> OnHashed {
            let tell = self.tell.clone();
            Box::new(move |answer| tell.send(answer).unwrap())
        }

        fn ask(&self, job: HashJob) -> HashOutcome {
            self.pool.ask(FlowId::SHELL, job, wanted(), self.done());
            self.told.recv().unwrap()
        }
    }

    #[test]
    fn passwords_are_hashed_and_verified() {
        let asker = PoolFixture::new();
        let HashOutcome::Hashed(phc) = asker.ask(HashJob::Hash(Secret::new("right"))) else {
            panic!("no hash");
        };
        let verified = |right| HashOutcome::Verified { right, rehashed: None };
        assert_eq!(asker.ask(verify("right", Some(&phc))), verified(true));
        assert_eq!(asker.ask(verify("wrong", Some(&phc))), verified(false));
        assert_eq!(asker.ask(verify("right", None)), verified(false));
        assert_eq!(asker.ask(verify("right", Some("no hash"))), HashOutcome::Failed);
        assert_eq!(asker.pool.waiting(), 0);
    }

    #[test]
    fn a_hash_by_older_rules_is_made_anew_if_the_password_is_right() {
        let asker = PoolFixture::new();
        // Of "password".
        let older = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let HashOutcome::Verified { right: true, rehashed: Some(phc) } =
            asker.ask(verify("password", Some(older)))
        else {
            panic!("not made anew");
        };
        assert!(!password::needs_rehash(&phc));
        let right = HashOutcome::Verified { right: true, rehashed: None };
        assert_eq!(asker.ask(verify("password", Some(&phc))), right);
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(asker.ask(verify("passwort", Some(older))), wrong);
    }

    #[test]
    fn a_name_without_an_account_takes_as_long() {
        let asker = PoolFixture::new();
        let HashOutcome::Hashed(phc) = asker.ask(HashJob::Hash(Secret::new("right"))) else {
            panic!("no hash");
        };
        let shortest = |phc: Option<&str>| {
            let time = || {
                let begun = Instant::now();
                asker.ask(verify("wrong", phc));
                begun.elapsed()
            };
            (0..5).map(|_| time()).min().unwrap()
        };
        let (one, other) = (shortest(Some(&phc)), shortest(None));
        assert!(one < other * 10 && other < one * 10, "{one:?} with an account, {other:?} without");
    }

    /// A job that keeps the clerk until it is let go.
    fn hold(asker: &PoolFixture) -> SyncSender<()> {
        let (go, went) = sync_channel(1);
        let (take, taken) = sync_channel(1);
        let held = Box::new(move || {
            take.send(()).unwrap();
            went.recv().unwrap();
            false
        });
        asker.pool.ask(FlowId::SHELL, verify("", None), held, asker.done());
        taken.recv().unwrap();
        go
    }

    #[test]
    fn past_the_bound_it_is_busy_and_what_nobody_wants_is_not_hashed() {
        let asker = PoolFixture::new();
        let go = hold(&asker);
        for at in 0..MAX_QUEUED_JOBS {
            // Only the last one is still here.
            let wanted = Box::new(move || at == MAX_QUEUED_JOBS - 1);
            asker.pool.ask(FlowId::SHELL, verify("", None), wanted, asker.done());
        }
        asker.pool.ask(FlowId::SHELL, verify("", None), wanted(), asker.done());
        assert_eq!(asker.told.recv().unwrap(), HashOutcome::Busy);
        assert_eq!(asker.pool.waiting(), MAX_QUEUED_JOBS);
        go.send(()).unwrap();
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(asker.told.recv().unwrap(), wrong);
        assert_eq!(asker.ask(verify("", None)), wrong, "and there is room again");
        assert!(asker.told.try_recv().is_err());
    }

    #[test]
    fn what_comes_at_once_is_shared_among_the_threads() {
        let pool = HashPool::start_with(3).unwrap();
        // Each is done only when all three are looked at.
        let meet = Arc::new(std::sync::Barrier::new(3));
        let (tell, told) = sync_channel(3);
        for _ in 0..3 {
            let (meet, tell) = (Arc::clone(&meet), tell.clone());
            let wanted = Box::new(move || {
                meet.wait();
                true
            });
            let done = Box::new(move |answer| tell.send(answer).unwrap());
            pool.ask(FlowId::SHELL, verify("", None), wanted, done);
        }
        for _ in 0..3 {
            told.recv().unwrap();
        }
    }

    #[test]
    fn registrations_do_not_hold_up_those_who_sign_in() {
        let asker = PoolFixture::new();
        let go = hold(&asker);
        for _ in 0..10 {
            asker.pool.ask(
                FlowId::SHELL,
                HashJob::Hash(Secret::new("new")),
                wanted(),
                asker.done(),
            );
        }
        asker.pool.ask(FlowId::SHELL, verify("", None), wanted(), asker.done());
        go.send(()).unwrap();
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        let first: Vec<_> = asker.told.iter().take(2).collect();
        assert!(first.contains(&wrong), "{first:?}");
    }

    #[test]
    fn a_fault_of_one_job_is_no_others() {
        let asker = PoolFixture::new();
        let fails = Box::new(|_| panic!("on purpose"));
        asker.pool.ask(FlowId::SHELL, verify("", None), wanted(), fails);
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(asker.ask(verify("", None)), wrong);
    }

    #[test]
    fn what_waits_is_dropped_when_it_closes() {
        let asker = PoolFixture::new();
        let go = hold(&asker);
        asker.pool.ask(FlowId::SHELL, verify("", None), wanted(), asker.done());
        asker.pool.close();
        asker.pool.ask(FlowId::SHELL, verify("", None), wanted(), asker.done());
        let PoolFixture { pool, tell, told } = asker;
        drop((pool, tell));
        go.send(()).unwrap();
        assert!(told.recv().is_err(), "every job is gone, and none was answered");
    }
}
