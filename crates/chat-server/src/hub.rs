//! Who is here, the channels and the private chats.
//!
//! This room knows nothing of sockets, bytes of a client or tasks. It is synchronous: every lock in it
//! is held for a short section and never across an await. Locks are per channel, so that busy rooms don't
//! wait for each other. Where two are held at once, their order is: the list of channels, an `Order`'s
//! own, a channel's, a person's; or the private chats', the directory's, a person's. One of the first
//! row is never held together with the first two of the second.
//!
//! * [`person`]: one connection's place in the system, its bell and its notes.
//! * [`sequence`]: what happened before what.
//! * [`delivery`]: an event on its way to several people, encoded once for each form.
//! * [`directory`]: names to people.
//! * [`channel`]: one channel, its members and its ring of deliveries.
//! * [`private`]: private chats, each a pair of bounded queues.
//! * [`apply`]: the only place that changes what is shared.
//! * [`snapshot`]: the only place that reads it for answers.
//! * [`ports`]: what the hub asks of the rooms outside, as traits.

pub(crate) mod apply;
pub(crate) mod channel;
pub(crate) mod delivery;
pub(crate) mod directory;
pub(crate) mod person;
pub mod ports;
pub(crate) mod presence;
pub(crate) mod private;
pub(crate) mod sequence;
pub(crate) mod snapshot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use chat_proto::name::ChannelName;

use self::channel::Channel;
use self::directory::Directory;
use self::ports::Order;
use self::presence::Comings;
use self::private::PrivateChats;
use self::sequence::Sequence;

/// The bounds that the hub keeps.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How many channels there may be.
    pub channels: usize,
    /// How many conversations one person may be in.
    pub conversations_per_person: usize,
    /// A channel with more people than this tells comings and goings together.
    pub large_channel: usize,
    /// How long a channel without people is kept, in milliseconds.
    pub empty_channel_millis: i64,
}

/// Everything that people share.
pub struct Hub {
    pub(crate) bounds: Bounds,
    /// The server's name, for greetings.
    pub(crate) server_name: String,
    /// What is shown on connecting.
    pub(crate) motd: Vec<String>,
    directory: Mutex<Directory>,
    channels: RwLock<Channels>,
    private: Mutex<PrivateChats>,
    comings: Comings,
    order: Box<dyn Order>,
    sequence: Arc<Sequence>,
    next_person: AtomicU64,
    /// Set when the server stops: from then on nothing is said any more.
    closing: AtomicBool,
    /// How many lines are on their way to their place.
    under_way: AtomicU64,
}

/// The channels by their name, and by what a name looks like.
#[derive(Default)]
struct Channels {
    by_name: HashMap<ChannelName, Arc<Channel>>,
    by_look: HashMap<Box<str>, ChannelName>,
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new(
        bounds: Bounds,
        server_name: String,
        motd: Vec<String>,
        order: Box<dyn Order>,
    ) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            server_name,
            motd,
            directory: Mutex::default(),
            channels: RwLock::default(),
            private: Mutex::default(),
            comings: Comings::default(),
            order,
            sequence: Arc::default(),
            next_person: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            under_way: AtomicU64::new(0),
        })
    }
}

impl Hub {
    /// What happened until now has lower numbers.
    pub(crate) fn now_number(&self) -> u64 {
        self.sequence.next()
    }
}

/// Takes a lock. A panic while it was held has been caught and logged where it happened, and each
/// section leaves its data whole before it can panic; so the others go on.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
