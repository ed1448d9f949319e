//! Identities: of clients, users, conversations and tokens.

use std::net::IpAddr;

use chat_proto::name::{ChannelName, UserName};
use chat_proto::time::Timestamp;

/// Tells people apart for as long as the server runs; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u64);

/// One side of private chats: somebody connected, and whoever goes on under their name after they were
/// cut off. Never given twice, also over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub(crate) u64);

/// Whose doing something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The connection, which has its own answer and isn't told.
    pub(crate) id: ClientId,
    /// Who they are now.
    pub(crate) user_id: UserId,
    /// Who they were until this: another one, if they have just signed in.
    pub(crate) was: UserId,
}

impl Source {
    /// Nobody's doing: told to everybody.
    pub(crate) const NOBODY: Self = Self { id: ClientId(0), user_id: UserId(0), was: UserId(0) };
}

/// A name, and the time for which somebody had it; without a bound, for all time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    pub(crate) name: UserName,
    pub(crate) from: Option<Timestamp>,
    pub(crate) upto: Option<Timestamp>,
}

/// A conversation, the same for everybody in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKey {
    /// A channel, by its name.
    Channel(ChannelName),
    /// A private chat, by the two in it, the smaller number in front.
    Private(UserId, UserId),
}

impl ConversationKey {
    pub(crate) fn private(one: UserId, other: UserId) -> Self {
        Self::Private(one.min(other), one.max(other))
    }
}

/// What is kept of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// By what somebody is known.
#[derive(Clone, Debug)]
pub(crate) struct UserDetails {
    pub(crate) name: Option<UserName>,
    pub(crate) user_id: UserId,
    /// The party that their account is, if they have one.
    pub(crate) account: Option<UserId>,
    pub(crate) address: Option<IpAddr>,
    /// Who they were earlier on this connection, with or without an account.
    pub(crate) before: Vec<UserId>,
}

impl UserDetails {
    /// What their name may be taken for.
    pub(crate) fn skeletons(&self) -> Vec<Box<str>> {
        self.name.as_ref().map(skeletons).unwrap_or_default()
    }
}

/// The skeletons of a name, by which bans find it.
pub(in crate::hub) fn skeletons(name: &UserName) -> Vec<Box<str>> {
    name.ban_skeletons().map(Into::into).collect()
}
