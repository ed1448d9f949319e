//! Which channels are about whom, so that no act looks at every channel or every account.

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

/// The channels by the people whom their rules are about.
#[derive(Default)]
pub(in crate::hub) struct ChannelIndex {
    /// One entry for each ban and mute that goes by the sign.
    by_key: HashMap<RestrictionKey, Vec<Arc<Channel>>>,
    /// How many signs are nets of each length, of IPv4 if `true`.
    lengths: HashMap<(bool, u8), usize>,
    /// The channels that an account operates, or whose topic it set.
    of_account: HashMap<UserId, Vec<Arc<Channel>>>,
    /// Bans, mutes, invitations and refused words of all channels.
    rules: usize,
    /// Of those, how many are in the channels that each has made.
    rules_of: HashMap<QuotaOwner, usize>,
}

impl ChannelIndex {
    #[cfg(test)]
    pub(in crate::hub) fn is_empty(&self) -> bool {
        let has_none = self.by_key.is_empty() && self.lengths.is_empty();
        has_none && self.of_account.is_empty() && self.rules == 0 && self.rules_of.is_empty()
    }

    /// A channel has so many bans, mutes, invitations and refused words, and had so many before.
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

    /// Whether a channel may have one more of these.
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

    /// The bans and mutes of a channel go by a sign more, or less.
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

    /// The channels with a ban or a mute that may hit somebody, each once.
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

    /// Those with a ban or a mute that may hit somebody by their name, each once.
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

    /// An account has a part in a channel.
    pub(in crate::hub) fn concerns(&mut self, account: UserId, channel: &Arc<Channel>) {
        let channels = self.of_account.entry(account).or_default();
        if !channels.iter().any(|other| Arc::ptr_eq(other, channel)) {
            channels.push(Arc::clone(channel));
        }
    }

    /// It has none there any more.
    pub(in crate::hub) fn concerns_no_more(&mut self, account: UserId, channel: &Arc<Channel>) {
        if let Some(channels) = self.of_account.get_mut(&account) {
            channels.retain(|other| !Arc::ptr_eq(other, channel));
            if channels.is_empty() {
                self.of_account.remove(&account);
            }
        }
    }

    /// The account is gone: takes out the channels that it had a part in, and returns those where
    /// it gave a reason, too.
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
