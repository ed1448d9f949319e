//! One server that keeps its lines itself: one thread owns the store and commits in groups. While one commit is
//! being synced, the next batch gathers.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use chat_proto::id::Timestamp;

use super::desk::{Desk, Item};
use super::retention::Retention;
use crate::archive::Archive;
use crate::backlog::{Backlog, Next, Wait};
use crate::hub::ports::{Draft, Fact, Order, Past};
use crate::hub::{Hub, Keeping, lock};
use crate::store::{Book, Durability, Failure, Place, Store};

/// Drafts of one commit. Enough that its sync costs each of them little; few enough that they don't run
/// over the ring of a channel.
const BATCH: usize = 256;

/// While there is always something to write, a step of tidying comes after so many batches.
const BATCHES_BEFORE_TIDYING: u32 = 16;

/// How long after the last line its words are indexed, if nothing comes that they could be indexed with.
const INDEX_AFTER: Duration = Duration::from_millis(50);

/// The order of one server.
pub struct Local {
    desk: Driven,
}

enum Driven {
    /// By a thread. It holds at most what every connection may have unsettled, and the facts of people's
    /// comings and goings.
    Thread(Arc<Backlog<Work>>, Mutex<Option<JoinHandle<()>>>),
    /// By whoever submits, for tests whose clock stands still; facts wait for the next draft.
    Inline(Box<Mutex<(Desk, Vec<Item>)>>),
}

enum Work {
    Item(Item, Arc<Hub>),
    Tidy(Timestamp, Arc<Hub>),
}

impl Local {
    /// Takes a store over, with a thread of its own; tells what was kept in it.
    pub fn start(book: Book, retention: Retention) -> Result<(Self, Past), Start> {
        let (mut desk, past) = Desk::open(book, retention)?;
        let backlog = Arc::new(Backlog::default());
        let theirs = Arc::clone(&backlog);
        let thread = std::thread::Builder::new()
            .name("order".to_owned())
            .spawn(move || run(&mut desk, &theirs))?;
        Ok((Self { desk: Driven::Thread(backlog, Mutex::new(Some(thread))) }, past))
    }

    /// The same without a thread: whoever submits waits until it is carried out.
    pub fn inline(book: Book, retention: Retention) -> Result<(Self, Past), Failure> {
        let (desk, past) = Desk::open(book, retention)?;
        Ok((Self { desk: Driven::Inline(Box::new(Mutex::new((desk, Vec::new())))) }, past))
    }

    /// Looks for lines that are kept no more, and takes them out by and by.
    pub fn tidy(&self, now: Timestamp, hub: &Arc<Hub>) {
        match &self.desk {
            Driven::Thread(backlog, _) => backlog.add(Work::Tidy(now, Arc::clone(hub))),
            Driven::Inline(desk) => {
                let (desk, _) = &mut *lock(desk);
                desk.begin_tidying(now);
                while desk.has_tidying() {
                    desk.tidy(hub);
                }
            }
        }
    }

    /// Ends: what was submitted is carried out, and the store is closed. It blocks.
    pub fn stop(&self) {
        match &self.desk {
            Driven::Thread(backlog, thread) => {
                backlog.close();
                if let Some(thread) = lock(thread).take()
                    && thread.join().is_err()
                {
                    tracing::error!("the thread that stores lines has failed");
                }
            }
            Driven::Inline(desk) => lock(desk).0.close(),
        }
    }
}

/// Why an order can't start.
#[derive(Debug, thiserror::Error)]
pub enum Start {
    /// What is kept can't be read.
    #[error(transparent)]
    Store(#[from] Failure),
    /// There is no thread to be had.
    #[error("the system has no thread for storing lines")]
    Thread(#[from] std::io::Error),
}

impl Order for Local {
    fn submit(&self, draft: Draft, hub: &Arc<Hub>) {
        match &self.desk {
            Driven::Thread(backlog, _) => {
                backlog.add(Work::Item(Item::Draft(draft), Arc::clone(hub)));
            }
            Driven::Inline(desk) => {
                let (desk, facts) = &mut *lock(desk);
                desk.carry_out(facts.drain(..).chain([Item::Draft(draft)]), hub);
            }
        }
    }

    fn remember(&self, fact: Fact, hub: &Arc<Hub>) {
        match &self.desk {
            Driven::Thread(backlog, _) => {
                backlog.add(Work::Item(Item::Fact(fact), Arc::clone(hub)));
            }
            // Perhaps the hub is locked by whoever asks for it.
            Driven::Inline(desk) => lock(desk).1.push(Item::Fact(fact)),
        }
    }
}

fn run(desk: &mut Desk, backlog: &Backlog<Work>) {
    let mut tidying_for: Option<Arc<Hub>> = None;
    let mut batches = 0;
    loop {
        let wait = match (&tidying_for, desk.has_unindexed()) {
            (Some(_), _) => Wait::Not,
            (None, true) => Wait::For(INDEX_AFTER),
            (None, false) => Wait::Long,
        };
        match backlog.next(BATCH, wait) {
            Next::Some(works) => {
                carry_out(desk, works, &mut tidying_for);
                batches += 1;
            }
            Next::Nothing => {
                desk.index();
                batches = BATCHES_BEFORE_TIDYING;
            }
            Next::Closed => {
                desk.close();
                return;
            }
        }
        if let Some(hub) = &tidying_for
            && batches >= BATCHES_BEFORE_TIDYING
        {
            batches = 0;
            desk.tidy(hub);
        }
        if !desk.has_tidying() {
            tidying_for = None;
        }
    }
}

fn carry_out(desk: &mut Desk, works: Vec<Work>, tidying_for: &mut Option<Arc<Hub>>) {
    let mut items = Vec::with_capacity(works.len());
    let mut on_hub = None;
    for work in works {
        match work {
            Work::Item(item, hub) => {
                items.push(item);
                on_hub = Some(hub);
            }
            Work::Tidy(now, hub) => {
                desk.begin_tidying(now);
                *tidying_for = Some(hub);
            }
        }
    }
    if let Some(hub) = on_hub {
        desk.carry_out(items, &hub);
        if desk.has_tidying() {
            *tidying_for = Some(hub);
        }
    }
}

impl Keeping {
    /// Everything in memory and without threads: whoever asks waits. For tests whose clock stands still.
    ///
    /// # Panics
    ///
    /// If SQLite can't open a database in memory.
    #[expect(clippy::expect_used, reason = "for tests, whose failure it is")]
    pub fn inline(retention: Retention) -> Self {
        let store = Store::open(&Place::Memory, Durability::Machine).expect("memory opens");
        let (book, lookups) = store.into_parts();
        let archive = Archive::inline(&lookups).expect("memory opens");
        let (order, past) = Local::inline(book, retention).expect("it is empty");
        Self { order: Arc::new(order), archive: Arc::new(archive), past }
    }
}
