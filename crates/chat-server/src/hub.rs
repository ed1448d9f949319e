//! Who is here, the channels and the private chats.
//!
//! This room knows nothing of sockets, bytes of a client or tasks. It is synchronous: every lock in it
//! is held for a short section and never across an await. Locks are per channel, so that busy rooms don't
//! wait for each other. Where several are held at once, they are taken in the order of their ranks,
//! [`Rank`], which builds with debug assertions check.
//!
//! * [`kind`]: one connection's place in the system; accounts, names, private chats, throttles.
//! * [`channel`]: one channel, its members, its ring of deliveries, and its moderation.
//! * [`admin`]: what operators of the server decide.
//! * [`fanout`]: events on their way to several clients, and the wakes of a batch.
//! * [`apply`]: the only place that changes what is shared.
//! * [`snapshot`]: the only place that reads it for answers.
//! * [`stats`] and [`rate_counter`]: numbers about the server.
//! * [`probe`]: whether every lock can be taken.
//! * [`ports`]: what the hub asks of the modules outside, as traits.

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

/// Everything that people share.
pub struct Hub {
    pub(crate) bounds: Limits,
    /// The server's name, for greetings.
    pub(crate) server_name: String,
    /// What is shown on connecting.
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
    /// How many channels are hidden.
    hidden: AtomicUsize,
    throttles: RankedMutex<{ Rank::Throttles as u8 }, Throttles>,
    sequence: Arc<Sequence>,
    next_client: AtomicU64,
    started: Timestamp,
    /// Lines that were stored.
    lines: RateCounter,
    /// Set when the server stops: from then on nothing is said any more.
    closing: AtomicBool,
    /// So little of the disk is free that only accounts may write.
    disk_low: AtomicBool,
    /// How many drafts are not settled.
    in_flight: AtomicU64,
    /// Notified when none is left.
    all_applied: Notify,
}

/// Where lines are kept, and what was kept before.
pub struct Backends {
    /// Gives each line its place.
    pub commit_log: Arc<dyn CommitLog>,
    /// Answers questions about the past.
    pub history: Arc<dyn HistoryReader>,
    /// Keeps secrets.
    pub auth: Arc<dyn Authenticator>,
    /// What was kept when the server started.
    pub recovered: RecoveredState,
}

impl Hub {
    /// A hub with nobody in it yet, and with the channels that were kept.
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
        // One that a wrong clock has used in the future is good no longer for that.
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
            hub.commit_log.record(StateChange::ChannelForgotten(name, last), &hub);
        }
        hub
    }
}

impl Hub {
    /// Tells a batch: everybody who is to hear of it is woken when all of it is told.
    pub(crate) fn publish_batch(&self, tell: impl FnOnce()) {
        self.wake_batch.batch(tell);
    }

    /// Wakes those who are to hear of a batch that was told outside the runtime, for as long as it is polled.
    pub async fn forward_wakes(&self) {
        self.wake_batch.forward_wakes().await;
    }

    /// Takes a person's token for something costly.
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

    /// Whether there may be one more account.
    pub(crate) fn has_room_for_account(&self) -> Result<(), Refusal> {
        match &self.bounds.shares {
            Some(shares) if lock(&self.accounts).count() >= shares.accounts => {
                Err(Refusal::too_many_accounts(shares.accounts))
            }
            _ => Ok(()),
        }
    }

    /// Takes what lines count, of what the person's account and address have.
    pub(crate) fn throttle_lines(
        &self,
        client: &Client,
        amount: u32,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        self.take_of_both(ThrottledOp::Line, client, amount.into(), now)
    }

    /// Takes what a line of so many bytes takes of the disk, of what the person's account and address may have stored.
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

    /// Whether one more may connect from there.
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

    /// Notes how the disk is; operators of the server who are here are told when that changes.
    pub(crate) fn disk_is(&self, low: bool, free_mib: u64) {
        if self.disk_low.swap(low, Ordering::AcqRel) == low {
            return;
        }
        let text = if low {
            tracing::warn!(
                free_mib,
                "the disk is nearly full: people without an account can only read"
            );
            format!(
                "The server's disk has {free_mib} MiB left: people without an account can only read."
            )
        } else {
            tracing::info!(free_mib, "the disk has room again: everybody can write");
            "The server's disk has room again: everybody can write.".to_owned()
        };
        let event = Event::Notice(Sentence::new(text));
        let number = self.sequence.next();
        let told = Arc::new(
            SequencedEvent::new(event, Source::NOBODY, number, MessageId::default()).into(),
        );
        let everybody: Vec<_> = lock(&self.directory).everyone.values().cloned().collect();
        for one in everybody.iter().filter(|one| one.is_server_operator()) {
            one.try_push(Notification::Broadcast(Arc::clone(&told)));
        }
    }

    /// Whether a person may have anything stored.
    pub(crate) fn may_store(&self, client: &Client) -> Result<(), Refusal> {
        if self.disk_low.load(Ordering::Acquire) && client.account().is_none() {
            return Err(Refusal::disk_nearly_full());
        }
        Ok(())
    }

    /// What happened until now has lower numbers.
    pub(crate) fn now_number(&self) -> u64 {
        self.sequence.next()
    }
}
