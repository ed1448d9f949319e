//! Identities: of clients, users, conversations and tokens.

use std::net::IpAddr;

use chat_proto::name::{ChannelName, UserName};
use chat_proto::time::Timestamp;

/// A connection; unique while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u64);

/// An identity in private chats. It outlives a lost connection and a restart, and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub(crate) u64);

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The connection, which gets a reply instead of the event.
    pub(crate) id: ClientId,
    /// The present identity.
    pub(crate) user_id: UserId,
    /// The identity before this event: another one right after signing in.
    pub(crate) was: UserId,
}

impl Source {
    /// No client: the event goes to everyone.
    pub(crate) const NONE: Self = Self { id: ClientId(0), user_id: UserId(0), was: UserId(0) };
}

/// A name, and the time in which a user had it; without a bound, for all time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    pub(crate) name: UserName,
    pub(crate) from: Option<Timestamp>,
    pub(crate) upto: Option<Timestamp>,
}

/// A conversation, the same for all its members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKey {
    /// A channel, by name.
    Channel(ChannelName),
    /// A private chat, by its two users, the smaller number first.
    Private(UserId, UserId),
}

impl ConversationKey {
    pub(crate) fn private(one: UserId, other: UserId) -> Self {
        Self::Private(one.min(other), one.max(other))
    }
}

/// The hash of a token, which is what is stored of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What bans, mutes and invitations match.
#[derive(Clone, Debug)]
pub(crate) struct UserDetails {
    pub(crate) name: Option<UserName>,
    pub(crate) user_id: UserId,
    /// The user id of the account, if signed in.
    pub(crate) account: Option<UserId>,
    pub(crate) address: Option<IpAddr>,
    /// Earlier identities on this connection.
    pub(crate) before: Vec<UserId>,
}

impl UserDetails {
    /// The skeletons of the name.
    pub(crate) fn skeletons(&self) -> Vec<Box<str>> {
        self.name.as_ref().map(skeletons).unwrap_or_default()
    }
}

/// The skeletons of a name, by which bans find it.
pub(in crate::hub) fn skeletons(name: &UserName) -> Vec<Box<str>> {
    name.ban_skeletons().map(Into::into).collect()
}
