//! Indexes channels by the users that their moderation concerns, so that no action visits every
//! channel.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use ipnet::IpNet;

use crate::hub::channel::Channel;
use crate::hub::channel::moderation::RestrictionKey;
use crate::hub::client::throttle::QuotaOwner;
use crate::hub::id::UserDetails;
use crate::hub::id::UserId;
use crate::hub::limits::Quotas;

/// The index of channels.
#[derive(Default)]
pub(in crate::hub) struct ChannelIndex {
    /// One entry for each ban and mute with this key.
    by_key: HashMap<RestrictionKey, Vec<Arc<Channel>>>,
    /// The number of keys that are nets of each prefix length, of IPv4 if `true`.
    lengths: HashMap<(bool, u8), usize>,
    /// The channels that an account operates, or whose topic it set.
    of_account: HashMap<UserId, Vec<Arc<Channel>>>,
    /// List entries and refused words in all channels.
    rules: usize,
    /// The same by the channels' owners.
    rules_of: HashMap<QuotaOwner, usize>,
}

impl ChannelIndex {
    #[cfg(test)]
    pub(in crate::hub) fn is_empty(&self) -> bool {
        let has_none = self.by_key.is_empty() && self.lengths.is_empty();
        has_none && self.of_account.is_empty() && self.rules == 0 && self.rules_of.is_empty()
    }

    /// Updates the count of a channel's list entries and refused words.
    pub(in crate::hub) fn count(&mut self, channel: &Channel, before: usize, now: usize) {
        self.rules = self.rules.saturating_sub(before) + now;
        if let Some(owner) = channel.maker {
            let own = self.rules_of.entry(owner).or_default();
            *own = own.saturating_sub(before) + now;
            if *own == 0 {
                self.rules_of.remove(&owner);
            }
        }
    }

    /// Refuses a further one beyond the quotas.
    pub(in crate::hub) fn has_room(
        &self,
        channel: &Channel,
        shares: &Quotas,
    ) -> Result<(), Refusal> {
        let own = channel.maker.and_then(|owner| self.rules_of.get(&owner)).copied();
        if own.is_some_and(|own| own >= shares.rules_per_owner) {
            return Err(Refusal::too_many_own_rules(&channel.name, shares.rules_per_owner));
        }
        if self.rules >= shares.rules {
            return Err(Refusal::too_many_rules(shares.rules));
        }
        Ok(())
    }

    /// Whether no channel has a ban or a mute.
    pub(in crate::hub) fn has_no_entries(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds or removes a key of a channel's bans and mutes.
    pub(in crate::hub) fn change(
        &mut self,
        channel: &Arc<Channel>,
        key: RestrictionKey,
        is_added: bool,
    ) {
        let length = match &key {
            RestrictionKey::Net(net) => Some(length(net)),
            RestrictionKey::Skeleton(_) | RestrictionKey::User(_) | RestrictionKey::Reason(_) => {
                None
            }
        };
        if is_added {
            let channels = self.by_key.entry(key).or_default();
            if let Some(length) = length.filter(|_| channels.is_empty()) {
                *self.lengths.entry(length).or_default() += 1;
            }
            channels.push(Arc::clone(channel));
            return;
        }
        let Some(channels) = self.by_key.get_mut(&key) else { return };
        if let Some(at) = channels.iter().position(|other| Arc::ptr_eq(other, channel)) {
            channels.swap_remove(at);
        }
        if channels.is_empty() {
            self.by_key.remove(&key);
            if let Some(length) = length
                && let Some(count) = self.lengths.get_mut(&length)
            {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&length);
                }
            }
        }
    }

    /// The channels whose bans or mutes may match a user, each once.
    pub(in crate::hub) fn about(&self, who: &UserDetails) -> Vec<Arc<Channel>> {
        if self.by_key.is_empty() {
            return Vec::new();
        }
        let user_ids =
            [who.user_id].into_iter().chain(who.account).chain(who.before.iter().copied());
        let nets = who.address.into_iter().flat_map(|address| self.nets(address));
        let skeletons = who.skeletons().into_iter().map(RestrictionKey::Skeleton);
        self.once(skeletons.chain(user_ids.map(RestrictionKey::User)).chain(nets))
    }

    /// The channels whose bans or mutes may match a user's name, each once.
    pub(in crate::hub) fn about_name(&self, who: &UserDetails) -> Vec<Arc<Channel>> {
        if self.by_key.is_empty() {
            return Vec::new();
        }
        self.once(who.skeletons().into_iter().map(RestrictionKey::Skeleton))
    }

    fn nets(&self, address: IpAddr) -> impl Iterator<Item = RestrictionKey> {
        let address = address.to_canonical();
        let lengths = self.lengths.keys().filter(move |(is_v4, _)| *is_v4 == address.is_ipv4());
        let nets = lengths.filter_map(move |(_, length)| IpNet::new(address, *length).ok());
        nets.map(|net| RestrictionKey::Net(net.trunc()))
    }

    fn once(&self, restriction_keys: impl Iterator<Item = RestrictionKey>) -> Vec<Arc<Channel>> {
        once(restriction_keys.filter_map(|key| self.by_key.get(&key)).flatten().cloned())
    }

    /// Adds a channel that concerns an account.
    pub(in crate::hub) fn concerns(&mut self, account: UserId, channel: &Arc<Channel>) {
        let channels = self.of_account.entry(account).or_default();
        if !channels.iter().any(|other| Arc::ptr_eq(other, channel)) {
            channels.push(Arc::clone(channel));
        }
    }

    /// Removes it.
    pub(in crate::hub) fn concerns_no_more(&mut self, account: UserId, channel: &Arc<Channel>) {
        if let Some(channels) = self.of_account.get_mut(&account) {
            channels.retain(|other| !Arc::ptr_eq(other, channel));
            if channels.is_empty() {
                self.of_account.remove(&account);
            }
        }
    }

    /// Removes a deleted account; returns the channels that concerned it, and those where it gave a
    /// reason.
    pub(in crate::hub) fn take_account(
        &mut self,
        account: UserId,
        name: Option<&UserName>,
    ) -> Vec<Arc<Channel>> {
        let own = self.of_account.remove(&account).unwrap_or_default();
        let reasons = name.map(|name| RestrictionKey::Reason(name.clone()));
        let reasons = reasons.and_then(|reasons| self.by_key.get(&reasons));
        once(own.into_iter().chain(reasons.into_iter().flatten().cloned()))
    }
}

/// Each channel once.
fn once(channels: impl Iterator<Item = Arc<Channel>>) -> Vec<Arc<Channel>> {
    let mut all: Vec<_> = channels.collect();
    all.sort_unstable_by_key(Arc::as_ptr);
    all.dedup_by(|one, other| Arc::ptr_eq(one, other));
    all
}

fn length(net: &IpNet) -> (bool, u8) {
    (net.addr().is_ipv4(), net.prefix_len())
}
