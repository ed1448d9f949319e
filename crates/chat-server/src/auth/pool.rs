//! The threads that hash passwords.
//!
//! A hash takes some tens of milliseconds of processor time. So few run at a time, each on a thread
//! of the lowest priority, which runs when the processor is otherwise idle. That thread holds no
//! lock, since any thread waiting for it would become as slow. Its worker, a thread of normal
//! priority, takes jobs and delivers outcomes.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::password::{self, HashError, HashMemory};
use crate::util::fair_queue::{FairQueue, FlowId};
use crate::util::work_queue::{Popped, Priority, Wait, lower_priority};
use chat_proto::secret::Secret;

/// Queued jobs at most. With two processors the last of them finishes after some eight seconds.
/// Past the bound, the last job of the address with the most jobs ends as [`HashOutcome::Busy`].
pub const MAX_QUEUED_JOBS: usize = 256;

/// How long a worker keeps its memory for the next job.
const MEMORY_LIFETIME: Duration = Duration::from_secs(2);

/// A job for the pool.
#[derive(Debug)]
pub enum HashJob {
    /// Hash a new password.
    Hash(Secret),
    /// Verify a password.
    Verify {
        /// The password as typed.
        password: Secret,
        /// The stored hash. `None` if there is no such account: the outcome is wrong, after as long
        /// a time.
        phc: Option<Box<str>>,
    },
}

/// The outcome of a job.
#[derive(Debug, PartialEq, Eq)]
pub enum HashOutcome {
    /// The new hash.
    Hashed(String),
    /// The password was verified.
    Verified {
        /// Whether it was right.
        right: bool,
        /// A hash with current parameters to replace the stored one.
        rehashed: Option<String>,
    },
    /// The job failed; the error is logged.
    Failed,
    /// The queue was full.
    Busy,
}

/// Called with the outcome on a thread of the pool. Must not block.
pub type OnHashed = Box<dyn FnOnce(HashOutcome) + Send>;

/// Whether the outcome is still wanted.
pub type StillWanted = Box<dyn Fn() -> bool + Send>;

/// The hashing pool of one server.
pub struct HashPool {
    shared: Arc<PoolShared>,
}

/// State shared by callers and workers.
struct PoolShared {
    queue: FairQueue<QueuedHash>,
    dummy_hash: String,
}

/// Verifications have a lane of their own: registrations don't delay logins.
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

/// A failure to start the pool.
#[derive(Debug, thiserror::Error)]
pub enum AuthStartError {
    /// A thread could not be started.
    #[error("the system has no thread for hashing passwords")]
    Thread(#[from] std::io::Error),
    /// Hashing doesn't work at all.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// Hashes and verifies passwords.
pub(crate) trait Hasher: Send + Sync {
    /// Queues a job in its flow. `done` is called once with the outcome, unless `wanted` returns
    /// false when the job's turn comes, or the hasher closes before. It may be called at once, with
    /// [`HashOutcome::Busy`].
    fn ask(&self, flow: FlowId, job: HashJob, wanted: StillWanted, done: OnHashed);

    /// Returns the number of queued jobs.
    fn waiting(&self) -> usize;
}

impl HashPool {
    /// Starts one worker for every two processors.
    pub fn start() -> Result<Self, AuthStartError> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self::start_with((processors / 2).max(1))
    }

    /// Starts a number of workers.
    pub fn start_with(threads: usize) -> Result<Self, AuthStartError> {
        let shared = PoolShared {
            queue: FairQueue::new(MAX_QUEUED_JOBS),
            dummy_hash: password::dummy_hash()?,
        };
        let pool = Self { shared: Arc::new(shared) };
        for _ in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name("hash".to_owned()).spawn(move || worker(&shared))?;
        }
        Ok(pool)
    }

    /// Closes the pool and drops queued jobs without an outcome.
    pub fn close(&self) {
        self.shared.queue.close_now();
    }
}

impl Hasher for HashPool {
    fn ask(&self, flow: FlowId, job: HashJob, wanted: StillWanted, done: OnHashed) {
        let flow = flow.in_lane(job.lane());
        if let Some(displaced) = self.shared.queue.add(flow, QueuedHash { job, wanted, done }) {
            (displaced.done)(HashOutcome::Busy);
        }
    }

    fn waiting(&self) -> usize {
        self.shared.queue.len()
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
    // A panic in a callback must not end the worker.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if wanted() {
            done(answer(&job, memory, dummy_hash));
        }
    }));
    if guarded.is_err() {
        tracing::error!("a panic ended one password check; the others go on");
    }
}

fn answer(job: &HashJob, memory: &mut HashMemory, dummy_hash: &str) -> HashOutcome {
    // A thread per hash, since a lowered priority can't be raised again.
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
        // The panic hook has logged it.
        Ok(Err(_)) => HashOutcome::Failed,
        Err(error) => {
            tracing::error!(%error, "can't start a thread to hash a password");
            HashOutcome::Failed
        }
    }
}

/// Runs a job.
pub(crate) fn run(
    job: &HashJob,
    memory: &mut HashMemory,
    dummy_hash: &str,
) -> Result<HashOutcome, HashError> {
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

    /// Runs jobs one after the other.
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
        let fixture = PoolFixture::new();
        let HashOutcome::Hashed(phc) = fixture.ask(HashJob::Hash(Secret::new("right"))) else {
            panic!("no hash");
        };
        let verified = |right| HashOutcome::Verified { right, rehashed: None };
        assert_eq!(fixture.ask(verify("right", Some(&phc))), verified(true));
        assert_eq!(fixture.ask(verify("wrong", Some(&phc))), verified(false));
        assert_eq!(fixture.ask(verify("right", None)), verified(false));
        assert_eq!(fixture.ask(verify("right", Some("no hash"))), HashOutcome::Failed);
        assert_eq!(fixture.pool.waiting(), 0);
    }

    #[test]
    fn a_hash_by_older_rules_is_made_anew_if_the_password_is_right() {
        let fixture = PoolFixture::new();
        // Of "password".
        let older = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let HashOutcome::Verified { right: true, rehashed: Some(phc) } =
            fixture.ask(verify("password", Some(older)))
        else {
            panic!("not made anew");
        };
        assert!(!password::needs_rehash(&phc));
        let right = HashOutcome::Verified { right: true, rehashed: None };
        assert_eq!(fixture.ask(verify("password", Some(&phc))), right);
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(fixture.ask(verify("passwort", Some(older))), wrong);
    }

    #[test]
    fn a_name_without_an_account_takes_as_long() {
        let fixture = PoolFixture::new();
        let HashOutcome::Hashed(phc) = fixture.ask(HashJob::Hash(Secret::new("right"))) else {
            panic!("no hash");
        };
        let shortest = |phc: Option<&str>| {
            let time = || {
                let begun = Instant::now();
                fixture.ask(verify("wrong", phc));
                begun.elapsed()
            };
            (0..5).map(|_| time()).min().unwrap()
        };
        let (one, other) = (shortest(Some(&phc)), shortest(None));
        assert!(one < other * 10 && other < one * 10, "{one:?} with an account, {other:?} without");
    }

    /// A job that blocks the worker until it is released.
    fn hold(fixture: &PoolFixture) -> SyncSender<()> {
        let (go, went) = sync_channel(1);
        let (take, taken) = sync_channel(1);
        let held = Box::new(move || {
            take.send(()).unwrap();
            went.recv().unwrap();
            false
        });
        fixture.pool.ask(FlowId::SHELL, verify("", None), held, fixture.done());
        taken.recv().unwrap();
        go
    }

    #[test]
    fn past_the_bound_it_is_busy_and_what_nobody_wants_is_not_hashed() {
        let fixture = PoolFixture::new();
        let go = hold(&fixture);
        for at in 0..MAX_QUEUED_JOBS {
            // Only the last one is still connected.
            let wanted = Box::new(move || at == MAX_QUEUED_JOBS - 1);
            fixture.pool.ask(FlowId::SHELL, verify("", None), wanted, fixture.done());
        }
        fixture.pool.ask(FlowId::SHELL, verify("", None), wanted(), fixture.done());
        assert_eq!(fixture.told.recv().unwrap(), HashOutcome::Busy);
        assert_eq!(fixture.pool.waiting(), MAX_QUEUED_JOBS);
        go.send(()).unwrap();
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(fixture.told.recv().unwrap(), wrong);
        assert_eq!(fixture.ask(verify("", None)), wrong, "and there is room again");
        assert!(fixture.told.try_recv().is_err());
    }

    #[test]
    fn what_comes_at_once_is_shared_among_the_threads() {
        let pool = HashPool::start_with(3).unwrap();
        // Each finishes only when all three run.
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
        let fixture = PoolFixture::new();
        let go = hold(&fixture);
        for _ in 0..10 {
            fixture.pool.ask(
                FlowId::SHELL,
                HashJob::Hash(Secret::new("new")),
                wanted(),
                fixture.done(),
            );
        }
        fixture.pool.ask(FlowId::SHELL, verify("", None), wanted(), fixture.done());
        go.send(()).unwrap();
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        let first: Vec<_> = fixture.told.iter().take(2).collect();
        assert!(first.contains(&wrong), "{first:?}");
    }

    #[test]
    fn a_fault_of_one_job_is_no_others() {
        let fixture = PoolFixture::new();
        let fails = Box::new(|_| panic!("on purpose"));
        fixture.pool.ask(FlowId::SHELL, verify("", None), wanted(), fails);
        let wrong = HashOutcome::Verified { right: false, rehashed: None };
        assert_eq!(fixture.ask(verify("", None)), wrong);
    }

    #[test]
    fn what_waits_is_dropped_when_it_closes() {
        let fixture = PoolFixture::new();
        let go = hold(&fixture);
        fixture.pool.ask(FlowId::SHELL, verify("", None), wanted(), fixture.done());
        fixture.pool.close();
        fixture.pool.ask(FlowId::SHELL, verify("", None), wanted(), fixture.done());
        let PoolFixture { pool, tell, told } = fixture;
        drop((pool, tell));
        go.send(()).unwrap();
        assert!(told.recv().is_err(), "every job is gone, and none was answered");
    }
}
