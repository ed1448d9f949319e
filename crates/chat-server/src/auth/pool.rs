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

use super::password::{self, Memory, Trouble};
use crate::util::fair_queue::{FairBacklog, Flow};
use crate::util::work_queue::{Next, Priority, Wait, lower_priority};
use chat_proto::secret::Secret;

/// Jobs that wait at most. At two processors the last of them is done after some eight seconds. When there are more, the
/// last job of the address with the most is answered with [`Answer::Busy`].
pub const MOST_WAITING: usize = 256;

/// For how long a clerk keeps the memory for the next job.
const MEMORY_KEPT: Duration = Duration::from_secs(2);

/// Something to be hashed.
#[derive(Debug)]
pub enum Job {
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
pub enum Answer {
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
pub type Done = Box<dyn FnOnce(Answer) + Send>;

/// Whether the answer is still wanted by anybody.
pub type Wanted = Box<dyn Fn() -> bool + Send>;

/// The pool of one server.
pub struct Pool {
    desk: Arc<Desk>,
}

/// What callers and clerks share.
struct Desk {
    backlog: FairBacklog<Work>,
    nobodys: String,
}

/// Passwords that were typed have a lane of their own: new accounts don't hold up those who sign in.
impl Job {
    fn lane(&self) -> u8 {
        match self {
            Self::Verify { .. } => 0,
            Self::Hash(_) => 1,
        }
    }
}

struct Work {
    job: Job,
    wanted: Wanted,
    done: Done,
}

/// Why a pool can't start.
#[derive(Debug, thiserror::Error)]
pub enum Start {
    /// No thread.
    #[error("the system has no thread for hashing passwords")]
    Thread(#[from] std::io::Error),
    /// No hash can be made at all.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Pool {
    /// Starts with one hash at a time for every two processors.
    pub fn start() -> Result<Self, Start> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self::start_with((processors / 2).max(1))
    }

    /// Starts with so many hashes at a time.
    pub fn start_with(threads: usize) -> Result<Self, Start> {
        let desk = Desk { backlog: FairBacklog::new(MOST_WAITING), nobodys: password::nobodys()? };
        let pool = Self { desk: Arc::new(desk) };
        for _ in 0..threads {
            let desk = Arc::clone(&pool.desk);
            thread::Builder::new().name("vault".to_owned()).spawn(move || clerk(&desk))?;
        }
        Ok(pool)
    }

    /// Has a job done in the turn of its flow. `done` is called once with the answer, unless nothing is `wanted` any
    /// more when the job's turn comes, or the pool closes before. It may be called at once, with [`Answer::Busy`].
    pub(crate) fn ask(&self, flow: Flow, job: Job, wanted: Wanted, done: Done) {
        let flow = flow.in_lane(job.lane());
        if let Some(displaced) = self.desk.backlog.add(flow, Work { job, wanted, done }) {
            (displaced.done)(Answer::Busy);
        }
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.desk.backlog.len()
    }

    /// Nothing more is taken, and what waits is dropped without an answer.
    pub fn close(&self) {
        self.desk.backlog.close_now();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

fn clerk(desk: &Desk) {
    let mut memory = Memory::default();
    let mut wait = Wait::Long;
    loop {
        match desk.backlog.next(wait) {
            Next::Some(work) => {
                serve(work, &mut memory, &desk.nobodys);
                wait = Wait::For(MEMORY_KEPT);
            }
            Next::Nothing => {
                memory = Memory::default();
                wait = Wait::Long;
            }
            Next::Closed => return,
        }
    }
}

fn serve(work: Work, memory: &mut Memory, nobodys: &str) {
    let Work { job, wanted, done } = work;
    // A fault of theirs must not take the clerk away from the others.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if wanted() {
            done(answer(&job, memory, nobodys));
        }
    }));
    if guarded.is_err() {
        tracing::error!("a fault while a password was looked at; the others go on");
    }
}

fn answer(job: &Job, memory: &mut Memory, nobodys: &str) -> Answer {
    // A thread for each hash, since a priority that was lowered can't be raised again.
    let hashed = thread::scope(|scope| {
        let thread = thread::Builder::new().name("hash".to_owned());
        let hashing = thread.spawn_scoped(scope, || {
            lower_priority(Priority::Lowest);
            carry_out(job, memory, nobodys)
        });
        hashing.map(thread::ScopedJoinHandle::join)
    });
    match hashed {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(trouble))) => {
            tracing::error!("{trouble}");
            Answer::Failed
        }
        // The panic hook has logged where it happened.
        Ok(Err(_)) => Answer::Failed,
        Err(error) => {
            tracing::error!(%error, "the system has no thread for hashing a password");
            Answer::Failed
        }
    }
}

/// Does one job while the caller waits, without a pool.
pub fn carry_out_alone(job: &Job) -> Answer {
    let done =
        password::nobodys().and_then(|nobodys| carry_out(job, &mut Memory::default(), &nobodys));
    done.unwrap_or_else(|trouble| {
        tracing::error!("{trouble}");
        Answer::Failed
    })
}

fn carry_out(job: &Job, memory: &mut Memory, nobodys: &str) -> Result<Answer, Trouble> {
    match job {
        Job::Hash(password) => password::hash(password, memory).map(Answer::Hashed),
        Job::Verify { password, phc } => {
            let kept = phc.as_deref();
            let verified = password::verify(password, kept.unwrap_or(nobodys), memory)?;
            let right = verified && kept.is_some();
            let rehashed = match kept {
                Some(kept) if right && password::needs_rehash(kept) => {
                    Some(password::hash(password, memory)?)
                }
                _ => None,
            };
            Ok(Answer::Verified { right, rehashed })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    fn wanted() -> Wanted {
        Box::new(|| true)
    }

    fn verify(password: &str, phc: Option<&str>) -> Job {
        Job::Verify { password: Secret::new(password), phc: phc.map(Box::from) }
    }

    /// Has jobs done one after the other.
    struct Asker {
        pool: Pool,
        tell: SyncSender<Answer>,
        told: Receiver<Answer>,
    }

    impl Asker {
        fn new() -> Self {
            let (tell, told) = sync_channel(MOST_WAITING);
            Self { pool: Pool::start_with(1).unwrap(), tell, told }
        }

        fn done(&self) -> Done {
            let tell = self.tell.clone();
            Box::new(move |answer| tell.send(answer).unwrap())
        }

        fn ask(&self, job: Job) -> Answer {
            self.pool.ask(Flow::SHELL, job, wanted(), self.done());
            self.told.recv().unwrap()
        }
    }

    #[test]
    fn passwords_are_hashed_and_verified() {
        let asker = Asker::new();
        let Answer::Hashed(phc) = asker.ask(Job::Hash(Secret::new("right"))) else {
            panic!("no hash");
        };
        let verified = |right| Answer::Verified { right, rehashed: None };
        assert_eq!(asker.ask(verify("right", Some(&phc))), verified(true));
        assert_eq!(asker.ask(verify("wrong", Some(&phc))), verified(false));
        assert_eq!(asker.ask(verify("right", None)), verified(false));
        assert_eq!(asker.ask(verify("right", Some("no hash"))), Answer::Failed);
        assert_eq!(asker.pool.waiting(), 0);
    }

    #[test]
    fn a_hash_by_older_rules_is_made_anew_if_the_password_is_right() {
        let asker = Asker::new();
        // Of "password".
        let older = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let Answer::Verified { right: true, rehashed: Some(phc) } =
            asker.ask(verify("password", Some(older)))
        else {
            panic!("not made anew");
        };
        assert!(!password::needs_rehash(&phc));
        let right = Answer::Verified { right: true, rehashed: None };
        assert_eq!(asker.ask(verify("password", Some(&phc))), right);
        let wrong = Answer::Verified { right: false, rehashed: None };
        assert_eq!(asker.ask(verify("passwort", Some(older))), wrong);
    }

    #[test]
    fn a_name_without_an_account_takes_as_long() {
        let asker = Asker::new();
        let Answer::Hashed(phc) = asker.ask(Job::Hash(Secret::new("right"))) else {
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
    fn hold(asker: &Asker) -> SyncSender<()> {
        let (go, went) = sync_channel(1);
        let (take, taken) = sync_channel(1);
        let held = Box::new(move || {
            take.send(()).unwrap();
            went.recv().unwrap();
            false
        });
        asker.pool.ask(Flow::SHELL, verify("", None), held, asker.done());
        taken.recv().unwrap();
        go
    }

    #[test]
    fn past_the_bound_it_is_busy_and_what_nobody_wants_is_not_hashed() {
        let asker = Asker::new();
        let go = hold(&asker);
        for at in 0..MOST_WAITING {
            // Only the last one is still here.
            let wanted = Box::new(move || at == MOST_WAITING - 1);
            asker.pool.ask(Flow::SHELL, verify("", None), wanted, asker.done());
        }
        asker.pool.ask(Flow::SHELL, verify("", None), wanted(), asker.done());
        assert_eq!(asker.told.recv().unwrap(), Answer::Busy);
        assert_eq!(asker.pool.waiting(), MOST_WAITING);
        go.send(()).unwrap();
        let wrong = Answer::Verified { right: false, rehashed: None };
        assert_eq!(asker.told.recv().unwrap(), wrong);
        assert_eq!(asker.ask(verify("", None)), wrong, "and there is room again");
        assert!(asker.told.try_recv().is_err());
    }

    #[test]
    fn what_comes_at_once_is_shared_among_the_threads() {
        let pool = Pool::start_with(3).unwrap();
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
            pool.ask(Flow::SHELL, verify("", None), wanted, done);
        }
        for _ in 0..3 {
            told.recv().unwrap();
        }
    }

    #[test]
    fn registrations_do_not_hold_up_those_who_sign_in() {
        let asker = Asker::new();
        let go = hold(&asker);
        for _ in 0..10 {
            asker.pool.ask(Flow::SHELL, Job::Hash(Secret::new("new")), wanted(), asker.done());
        }
        asker.pool.ask(Flow::SHELL, verify("", None), wanted(), asker.done());
        go.send(()).unwrap();
        let wrong = Answer::Verified { right: false, rehashed: None };
        let first: Vec<_> = asker.told.iter().take(2).collect();
        assert!(first.contains(&wrong), "{first:?}");
    }

    #[test]
    fn a_fault_of_one_job_is_no_others() {
        let asker = Asker::new();
        let fails = Box::new(|_| panic!("on purpose"));
        asker.pool.ask(Flow::SHELL, verify("", None), wanted(), fails);
        let wrong = Answer::Verified { right: false, rehashed: None };
        assert_eq!(asker.ask(verify("", None)), wrong);
    }

    #[test]
    fn what_waits_is_dropped_when_it_closes() {
        let asker = Asker::new();
        let go = hold(&asker);
        asker.pool.ask(Flow::SHELL, verify("", None), wanted(), asker.done());
        asker.pool.close();
        asker.pool.ask(Flow::SHELL, verify("", None), wanted(), asker.done());
        let Asker { pool, tell, told } = asker;
        drop((pool, tell));
        go.send(()).unwrap();
        assert!(told.recv().is_err(), "every job is gone, and none was answered");
    }
}
