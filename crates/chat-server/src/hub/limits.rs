//! What bounds the hub, and what one account or address may do and have.

use chat_proto::setting::ChannelSetting;

/// Entries of the audit log of the server's operators that are kept; older ones are dropped.
pub(crate) const MAX_AUDIT_ENTRIES: usize = 2000;

/// The bounds that the hub keeps.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many channels there may be.
    pub channels: usize,
    /// How many conversations one person may be in.
    pub conversations_per_person: usize,
    /// A channel with more people than this tells comings and goings together.
    pub large_channel: usize,
    /// After how many milliseconds without people a channel goes with its lines, unless an operator of it has an
    /// account; without a value, it stays.
    pub empty_channel_millis: Option<i64>,
    /// How many of a channel's last lines are told to whoever enters it.
    pub replay_lines: u32,
    /// Who may make an account.
    pub registration: RegistrationMode,
    /// Only accounts get beyond the name.
    pub accounts_required: bool,
    /// What is set in a new channel.
    pub new_channels: Vec<ChannelSetting>,
    /// How much one account or address may do and have; nothing bounds it without.
    pub shares: Option<Quotas>,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Everybody.
    #[default]
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody.
    Closed,
}

/// How much one account or address may do and have. The usual numbers are for a public server: a hundred people behind one
/// address can each make a channel and an account in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Channels that one account has made and that are still there.
    pub channels_per_account: usize,
    /// The same for everybody at one address who has no account.
    pub channels_per_address: usize,
    /// Channels made in an hour.
    pub channels_per_hour: u32,
    /// Accounts made in an hour.
    pub accounts_per_hour: u32,
    /// Invitations to a channel in an hour.
    pub invitations_per_hour: u32,
    /// Accounts in all; past it nobody registers.
    pub accounts: usize,
    /// Bans, mutes, invitations and refused words of all channels that one account has made, or people without one at one
    /// address.
    pub rules_per_owner: usize,
    /// The same of all channels.
    pub rules: usize,
    /// Private chats opened in an hour, and those in which the first line is said.
    pub private_chats_per_hour: u32,
    /// Changes of a name in an hour.
    pub renames_per_hour: u32,
    /// Topics set in an hour.
    pub topics_per_hour: u32,
    /// Other commands that run a channel, in an hour.
    pub moderation_per_hour: u32,
    /// Connections made in a minute from one address.
    pub connects_per_minute: u32,
    /// The pace of all connections of one account together.
    pub account_lines: RateLimit,
    /// The pace of all connections from one address together.
    pub address_lines: RateLimit,
    /// Bytes that one account may have stored in a day.
    pub stored_per_account: u64,
    /// Bytes that everybody at one address may have stored in a day.
    pub stored_per_address: u64,
}

/// A pace of lines, counted in bytes: a line counts [`LINE`] of them at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What may come at once.
    pub at_once: u64,
    /// What may come in a second after that.
    pub per_second: u64,
}

/// What a line counts at least in a [`RateLimit`], in bytes.
pub const LINE: u32 = 1024;

#[cfg(test)]
impl Limits {
    /// For tests that aren't about them.
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
    /// The usual numbers.
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
