//! The index of accounts by the channels they are members of.

use std::collections::{HashMap, HashSet};

use chat_proto::name::ChannelName;

use crate::hub::id::UserId;
use crate::util::sync::{Rank, RankedMutex, lock};

/// The member accounts of each channel. Each account has its own list; both change together, with
/// the account locked.
#[derive(Default)]
pub(in crate::hub) struct MembershipIndex(
    RankedMutex<{ Rank::Members as u8 }, HashMap<ChannelName, HashSet<UserId>>>,
);

impl MembershipIndex {
    pub(in crate::hub) fn add(&self, channel: &ChannelName, account: UserId) {
        lock(&self.0).entry(channel.clone()).or_default().insert(account);
    }

    pub(in crate::hub) fn remove(&self, channel: &ChannelName, account: UserId) {
        let mut all = lock(&self.0);
        if let Some(accounts) = all.get_mut(channel) {
            accounts.remove(&account);
            if accounts.is_empty() {
                all.remove(channel);
            }
        }
    }

    /// Removes a channel that is gone; returns its members.
    pub(in crate::hub) fn take(&self, channel: &ChannelName) -> HashSet<UserId> {
        lock(&self.0).remove(channel).unwrap_or_default()
    }
}
