//! Limits of the hub, and quotas of one account or address.

use chat_proto::setting::ChannelSetting;

/// Entries kept in the audit log; beyond it the oldest is dropped.
pub(crate) const MAX_AUDIT_ENTRIES: usize = 2000;

/// Limits of the hub.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Channels.
    pub channels: usize,
    /// Conversations of one client.
    pub conversations_per_person: usize,
    /// Channels with more clients publish joins and leaves in batches.
    pub large_channel: usize,
    /// Milliseconds after which an empty channel is dropped with its messages, unless an operator
    /// has an account; without a value it stays.
    pub empty_channel_millis: Option<i64>,
    /// Messages replayed to a client that joins.
    pub replay_lines: u32,
    /// Who may register.
    pub registration: RegistrationMode,
    /// Only accounts may pass the sign-in.
    pub accounts_required: bool,
    /// Settings of a new channel.
    pub new_channels: Vec<ChannelSetting>,
    /// Quotas of one account or address; `None` switches them off.
    pub shares: Option<Quotas>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Anyone.
    #[default]
    Open,
    /// Users with an invitation.
    Invitation,
    /// No one.
    Closed,
}

/// Quotas of one account or address. The defaults suit a public server: a hundred users behind one
/// address can each create a channel and an account in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Existing channels created by one account.
    pub channels_per_account: usize,
    /// Existing channels created by guests of one address.
    pub channels_per_address: usize,
    /// Channels created in an hour.
    pub channels_per_hour: u32,
    /// Accounts registered in an hour.
    pub accounts_per_hour: u32,
    /// Channel invitations in an hour.
    pub invitations_per_hour: u32,
    /// Accounts in total.
    pub accounts: usize,
    /// Bans, mutes, invitations and refused words in all channels of one owner.
    pub rules_per_owner: usize,
    /// The same in all channels.
    pub rules: usize,
    /// Private chats opened in an hour, and first messages of private chats.
    pub private_chats_per_hour: u32,
    /// Renames in an hour.
    pub renames_per_hour: u32,
    /// Topic changes in an hour.
    pub topics_per_hour: u32,
    /// Other moderation commands in an hour.
    pub moderation_per_hour: u32,
    /// Connections in a minute from one address.
    pub connects_per_minute: u32,
    /// The rate of all connections of one account.
    pub account_lines: RateLimit,
    /// The rate of all connections from one address.
    pub address_lines: RateLimit,
    /// Bytes stored in a day by one account.
    pub stored_per_account: u64,
    /// Bytes stored in a day by one address.
    pub stored_per_address: u64,
}

/// A rate of lines, counted in bytes; a line costs at least [`LINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The burst.
    pub at_once: u64,
    /// The sustained rate.
    pub per_second: u64,
}

/// The minimum cost of a line in a [`RateLimit`], in bytes.
pub const LINE: u32 = 1024;

#[cfg(test)]
impl Limits {
    /// For tests that don't depend on them.
    pub(crate) fn small() -> Self {
        Self {
            channels: 100,
            conversations_per_person: 10,
            large_channel: 50,
            empty_channel_millis: Some(1000),
            replay_lines: 20,
            registration: RegistrationMode::Open,
            accounts_required: false,
            new_channels: Vec::new(),
            shares: None,
        }
    }
}

#[cfg(test)]
impl Quotas {
    /// The defaults.
    pub(crate) fn for_tests() -> Self {
        Self {
            channels_per_account: 500,
            channels_per_address: 1000,
            channels_per_hour: 240,
            accounts_per_hour: 120,
            invitations_per_hour: 480,
            accounts: 200_000,
            rules_per_owner: 10_000,
            rules: 100_000,
            private_chats_per_hour: 960,
            renames_per_hour: 480,
            topics_per_hour: 480,
            moderation_per_hour: 1920,
            connects_per_minute: 120,
            account_lines: RateLimit { at_once: 400 * 1024, per_second: 40 * 1024 },
            address_lines: RateLimit { at_once: 2000 * 1024, per_second: 200 * 1024 },
            stored_per_account: 64 << 20,
            stored_per_address: 256 << 20,
        }
    }
}
