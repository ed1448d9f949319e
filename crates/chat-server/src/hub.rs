//! The shared state: clients, channels and private chats.
//!
//! The hub is synchronous and knows no sockets, tasks or client bytes. Locks are held for short
//! sections and never across an await. They are per channel, so busy channels don't wait for each
//! other. Several locks are taken in the order of their ranks ([`Rank`]); builds with debug
//! assertions check it.
//!
//! * [`id`], [`query`], [`limits`]: identities, questions to other modules, and bounds; they import
//!   nothing of the hub.
//! * [`fanout`]: events on their way to several clients, and the wakes of a batch.
//! * [`client`]: one connection and its user; accounts, names, private chats, throttles.
//! * [`admin`]: commands and bans of server operators.
//! * [`channel`]: one channel, its members, its ring of deliveries, and its moderation.
//! * [`proposal`]: what is submitted to the commit log.
//! * [`recovered`]: the state that the store held at start.
//! * [`apply`]: the only writer of the shared state.
//! * [`snapshot`]: the only reader of it for answers.
//! * [`stats`] and [`rate_counter`]: figures about the server.
//! * [`probe`]: takes each lock once, for the watchdog.
//! * [`ports`]: traits that other modules implement.

pub(crate) mod admin;
pub(crate) mod apply;
pub(crate) mod channel;
pub mod client;
pub(crate) mod fanout;
pub mod id;
pub mod limits;
pub mod ports;
pub(crate) mod probe;
pub mod proposal;
pub mod query;
mod rate_counter;
pub mod recovered;
mod skeleton_index;
pub(crate) mod snapshot;
mod stats;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use chat_proto::event::{Event, Sentence};
use chat_proto::id::MessageId;
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;
use tokio::sync::Notify;

use crate::hub::admin::server_moderation::ServerModeration;
use crate::hub::channel::Channel;
use crate::hub::channel::index::ChannelIndex;
use crate::hub::channel::presence::PresenceBatcher;
use crate::hub::channel::table::ChannelTable;
use crate::hub::client::Client;
use crate::hub::client::account::AccountTable;
use crate::hub::client::directory::Directory;
use crate::hub::client::name_holds::NameHolds;
use crate::hub::client::notification::Notification;
use crate::hub::client::private::PrivateChats;
use crate::hub::client::throttle::{QuotaOwner, RetryAfter, STORED_BESIDE, ThrottledOp, Throttles};
use crate::hub::fanout::delivery::SequencedEvent;
use crate::hub::fanout::sequence::Sequence;
use crate::hub::fanout::wake_batch::WakeBatch;
use crate::hub::id::Source;
use crate::hub::limits::Limits;
use crate::hub::ports::{Authenticator, CommitLog, HistoryReader};
use crate::hub::proposal::StateChange;
use crate::hub::rate_counter::RateCounter;
use crate::hub::recovered::{RecoveredChannel, RecoveredState};
use crate::util::sync::{Rank, RankedMutex, RankedRwLock, lock};

/// The state that all clients share.
pub struct Hub {
    pub(crate) bounds: Limits,
    /// The server's name, for greetings.
    pub(crate) server_name: String,
    /// Lines shown on connect.
    pub(crate) motd: Vec<String>,
    directory: RankedMutex<{ Rank::Directory as u8 }, Directory>,
    accounts: RankedMutex<{ Rank::Accounts as u8 }, AccountTable>,
    server_moderation: RankedMutex<{ Rank::ServerModeration as u8 }, ServerModeration>,
    channels: RankedRwLock<{ Rank::Channels as u8 }, ChannelTable>,
    private: RankedMutex<{ Rank::Private as u8 }, PrivateChats>,
    presence: PresenceBatcher,
    wake_batch: WakeBatch,
    commit_log: Arc<dyn CommitLog>,
    pub(crate) history: Arc<dyn HistoryReader>,
    pub(crate) auth: Arc<dyn Authenticator>,
    name_holds: RankedMutex<{ Rank::NameHolds as u8 }, NameHolds>,
    index: RankedMutex<{ Rank::ChannelIndex as u8 }, ChannelIndex>,
    /// The number of hidden channels.
    hidden: AtomicUsize,
    throttles: RankedMutex<{ Rank::Throttles as u8 }, Throttles>,
    sequence: Arc<Sequence>,
    next_client: AtomicU64,
    started: Timestamp,
    /// Counts stored messages.
    lines: RateCounter,
    /// Set on shutdown: new proposals are refused.
    closing: AtomicBool,
    /// The disk is nearly full: only accounts may write.
    disk_low: AtomicBool,
    /// Proposals that are not applied yet.
    in_flight: AtomicU64,
    /// Notified when none is left.
    all_applied: Notify,
}

/// The modules that the hub uses, and the recovered state.
pub struct Backends {
    /// Orders and stores proposals.
    pub commit_log: Arc<dyn CommitLog>,
    /// Answers queries about stored messages.
    pub history: Arc<dyn HistoryReader>,
    /// Hashes passwords and makes tokens.
    pub auth: Arc<dyn Authenticator>,
    /// The state that the store held at start.
    pub recovered: RecoveredState,
}

impl Hub {
    /// A hub without clients, with the recovered channels.
    pub fn new(
        bounds: Limits,
        server_name: String,
        motd: Vec<String>,
        keeping: Backends,
        now: Timestamp,
    ) -> Arc<Self> {
        let Backends { commit_log, history, auth, recovered } = keeping;
        let sequence = Arc::new(Sequence::default());
        let mut channels =
            ChannelTable { forgotten: recovered.forgotten, ..ChannelTable::default() };
        let mut given_up = Vec::new();
        let mut index = ChannelIndex::default();
        let mut hidden = 0;
        for RecoveredChannel { name, topic, topic_by, last, floor, open, running } in
            recovered.channels
        {
            if open {
                let mut channel = Channel::new(name, topic, last, Arc::clone(&sequence));
                channel.restore(running);
                hidden += usize::from(channel.is_hidden());
                let (changed, count, accounts) = {
                    let mut state = channel.state();
                    state.floor = floor;
                    state.topic_by = topic_by;
                    state.empty_since = Some(now);
                    state.outlives = true;
                    state.counted = state.moderation.count();
                    (
                        state.moderation.take_changed(),
                        state.counted,
                        state.operators.all().0.into_iter().chain(topic_by),
                    )
                };
                let channel = Arc::new(channel);
                index.count(&channel, 0, count);
                for (key, is_added) in changed {
                    index.change(&channel, key, is_added);
                }
                for account in accounts {
                    index.concerns(account, &channel);
                }
                channels.add(channel);
            } else {
                given_up.extend(channels.keep_last_line(&name, last));
            }
        }
        // A clock that was wrong may have stamped a use in the future.
        let tokens = recovered.tokens.into_iter();
        let tokens = tokens.map(|(hash, user_id, used)| (hash, user_id, used.min(now))).collect();
        let mut name_holds = NameHolds::default();
        for (name, user_id) in recovered.held {
            name_holds.add(&name, user_id, None, now);
        }
        let hub = Arc::new(Self {
            bounds,
            server_name,
            motd,
            directory: RankedMutex::default(),
            server_moderation: RankedMutex::new(ServerModeration::load(
                recovered.server_moderation,
            )),
            accounts: RankedMutex::new(AccountTable::load(recovered.accounts, tokens)),
            channels: RankedRwLock::new(channels),
            private: RankedMutex::default(),
            presence: PresenceBatcher::default(),
            wake_batch: WakeBatch::default(),
            commit_log,
            history,
            auth,
            name_holds: RankedMutex::new(name_holds),
            index: RankedMutex::new(index),
            hidden: AtomicUsize::new(hidden),
            throttles: RankedMutex::default(),
            sequence,
            started: now,
            lines: RateCounter::default(),
            next_client: AtomicU64::new(recovered.next_user_id.max(1)),
            closing: AtomicBool::new(false),
            disk_low: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            all_applied: Notify::new(),
        });
        for (name, last) in given_up {
            hub.record(StateChange::ChannelForgotten(name, last));
        }
        hub
    }

    /// Submits a change that has no reply.
    fn record(self: &Arc<Self>, change: StateChange) {
        self.commit_log.submit(change.into(), self);
    }
}

impl Hub {
    /// Publishes a batch: clients are woken after all of it is published.
    pub(crate) fn publish_batch(&self, tell: impl FnOnce()) {
        self.wake_batch.batch(tell);
    }

    /// Forwards the wakes of batches published outside the runtime, while it is polled.
    pub async fn forward_wakes(&self) {
        self.wake_batch.forward_wakes().await;
    }

    /// Takes a token from the client's bucket for a costly operation.
    pub(crate) fn throttle(
        &self,
        client: &Client,
        costly: ThrottledOp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(shares) = &self.bounds.shares else { return Ok(()) };
        let holder = QuotaOwner::of(client);
        lock(&self.throttles).take(costly, holder, client.id.0, shares, now)
    }

    /// Refuses an account beyond the limit.
    pub(crate) fn has_room_for_account(&self) -> Result<(), Refusal> {
        match &self.bounds.shares {
            Some(shares) if lock(&self.accounts).count() >= shares.accounts => {
                Err(Refusal::too_many_accounts(shares.accounts))
            }
            _ => Ok(()),
        }
    }

    /// Takes the cost of lines from the buckets of the client's account and address.
    pub(crate) fn throttle_lines(
        &self,
        client: &Client,
        amount: u32,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        self.take_of_both(ThrottledOp::Line, client, amount.into(), now)
    }

    /// Takes the bytes of a stored line from the buckets of the client's account and address.
    pub(crate) fn throttle_storage(
        &self,
        client: &Client,
        bytes: u16,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let bytes = STORED_BESIDE + u64::from(bytes);
        let taken = self.take_of_both(ThrottledOp::Store, client, bytes, now);
        taken.map_err(|wait| Refusal::stored_too_much(wait.secs()))
    }

    fn take_of_both(
        &self,
        costly: ThrottledOp,
        client: &Client,
        amount: u64,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        let Some(shares) = &self.bounds.shares else { return Ok(()) };
        let who = (client.account().map(|account| account.0), client.address());
        lock(&self.throttles).take_of_both(costly, who, amount, shares, now)
    }

    /// Takes a token for a new connection from this address.
    pub(crate) fn throttle_connect(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some((shares, address)) = self.bounds.shares.as_ref().zip(address) else {
            return Ok(());
        };
        let who = (None, Some(address));
        let taken = lock(&self.throttles).take_of_both(ThrottledOp::Connect, who, 1, shares, now);
        taken.map_err(|wait| Refusal::connects_too_often(wait.secs()))
    }

    /// Updates the state of the disk; server operators who are online are notified of a change.
    pub(crate) fn disk_is(&self, low: bool, free_mib: u64) {
        if self.disk_low.swap(low, Ordering::AcqRel) == low {
            return;
        }
        let text = if low {
            tracing::warn!(
                free_mib,
                "the disk is nearly full: users without an account can only read"
            );
            format!(
                "The server's disk has {free_mib} MiB left: people without an account can only read."
            )
        } else {
            tracing::info!(free_mib, "the disk has space again: all users can write");
            "The server's disk has room again: everybody can write.".to_owned()
        };
        let event = Event::Notice(Sentence::new(text));
        let number = self.sequence.next();
        let announcement =
            Arc::new(SequencedEvent::new(event, Source::NONE, number, MessageId::default()).into());
        let everybody: Vec<_> = lock(&self.directory).everyone.values().cloned().collect();
        for one in everybody.iter().filter(|one| one.is_server_operator()) {
            one.try_push(Notification::Broadcast(Arc::clone(&announcement)));
        }
    }

    /// Refuses guests while the disk is nearly full.
    pub(crate) fn may_store(&self, client: &Client) -> Result<(), Refusal> {
        if self.disk_low.load(Ordering::Acquire) && client.account().is_none() {
            return Err(Refusal::disk_nearly_full());
        }
        Ok(())
    }

    /// A sequence number: every earlier event has a lower one.
    pub(crate) fn now_number(&self) -> u64 {
        self.sequence.next()
    }
}
