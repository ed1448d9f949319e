//! Applies connects, names and disconnects.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{CloseReason, Event};
use chat_proto::id::MessageId;
use chat_proto::name::NameError;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::channel::Channel;
use crate::hub::client::account::NameConflict;
use crate::hub::client::directory::Directory;
use crate::hub::client::notification::Notification;
use crate::hub::client::throttle::{QuotaOwner, ThrottledOp};
use crate::hub::client::{Client, ClientKind};
use crate::hub::fanout::delivery::{Delivery, SequencedEvent};
use crate::hub::fanout::ready_set::ReadySet;
use crate::hub::id::{ClientId, Source, UserId};
use crate::hub::proposal::StateChange;
use crate::util::clock::on_the_wall;
use crate::util::sync::lock;

impl Hub {
    /// Adds a client; the address is `None` on the Unix socket.
    pub fn arrive(&self, address: Option<IpAddr>, now: Timestamp) -> Arc<Client> {
        let id = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        let client = Arc::new(Client::new(id, address, now, Arc::clone(&self.sequence)));
        lock(&self.directory).everyone.insert(id, Arc::clone(&client));
        self.kill_if_banned(&client, now);
        client
    }

    /// The shell of the server's machine, as a client that moderates channels. It is in no list.
    pub(crate) fn shell(&self, now: Timestamp) -> Arc<Client> {
        let id = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        let client = Client::new(id, None, now, Arc::clone(&self.sequence));
        client.set_kind(ClientKind::Shell);
        Arc::new(client)
    }

    /// Takes or changes a name; `channels` are those the client is in. Returns the previous name.
    pub(crate) fn take_name<'a>(
        self: &Arc<Self>,
        client: &Arc<Client>,
        name: &UserName,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) -> Result<Option<UserName>, Refusal> {
        let who = client.who();
        let (before, held_by) = {
            let mut directory = lock(&self.directory);
            let before = client.name();
            self.is_free(name, now)?;
            if before.as_ref().is_some_and(|before| before.as_str() != name.as_str()) {
                self.throttle(client, ThrottledOp::Rename, now)?;
            }
            directory.claim(name, client).map_err(|holder| Refusal::name_taken(name, &holder))?;
            let held_by = lock(&self.name_holds).take(name);
            // Before another client can find the name: the private chats are those of the identity.
            if let (Some(user_id), None) = (held_by, &before) {
                directory.add_resumed(client, user_id);
                client.resume_as(user_id);
            }
            (before, held_by)
        };
        if before.is_some() {
            let watched = lock(&self.index).about_name(&who);
            for channel in watched {
                let mut state = channel.state();
                state.moderation.follow(&who, now);
                self.reindex(&channel, &mut state);
            }
        }
        client.record_rename(before.as_ref(), now);
        if let Some(before) = &before {
            self.move_name_hold(client, name, before, held_by, now);
        }
        if let Some(from) = &before
            && from.as_str() != name.as_str()
        {
            let event = Event::Renamed { from: from.clone(), to: name.clone() };
            let once = Some(self.sequence.next());
            for channel in channels {
                channel.state().publish_once(event.clone(), client.by(), once);
            }
            self.publish_to_partners(client.by(), &event, once);
        }
        Ok(before)
    }

    /// Refuses a name that is reserved, banned, or similar to an account's.
    pub(crate) fn is_free(&self, name: &UserName, now: Timestamp) -> Result<(), Refusal> {
        if name.resembles_reserved() {
            return Err(Refusal::bad_name(&NameError::Reserved));
        }
        let owned = lock(&self.accounts).owned(name);
        match owned {
            None => self.may_be_called(name, None, now),
            Some(NameConflict::Exact) => Err(Refusal::name_registered(name)),
            Some(NameConflict::Similar(like)) => Err(Refusal::looks_registered(name, &like)),
        }
    }

    /// Drops the name of a client whose registration couldn't be stored.
    pub(crate) fn give_up_name(&self, client: &Client) {
        let mut directory = lock(&self.directory);
        directory.release(client);
        client.lose_name();
    }

    /// Moves the client's name hold to its new name, whose hold by `held_by` ends.
    fn move_name_hold(
        self: &Arc<Self>,
        client: &Client,
        name: &UserName,
        before: &UserName,
        held_by: Option<UserId>,
        now: Timestamp,
    ) {
        if let Some(user_id) = held_by {
            self.record(StateChange::NameReleased(name.key().into()));
            self.record(StateChange::UserGone(user_id));
        }
        if before != name && client.holds_name() {
            self.record(StateChange::NameReleased(before.key().into()));
            self.record(StateChange::NameHeld(name.clone(), client.user_id(), now));
        }
    }

    /// Removes a client from the system, and publishes it once to each user who shared a
    /// conversation. `may_return` is set if the connection was lost: its name is held then.
    pub(crate) fn depart<'a>(
        self: &Arc<Self>,
        client: &Client,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        reason: Option<&Text>,
        now: Timestamp,
        may_return: bool,
    ) {
        client.mark_left();
        let Some(user) = client.name() else {
            lock(&self.directory).remove(client);
            return;
        };
        if client.holds_name() {
            // Before another client can take the name.
            let is_closing = self.closing.load(Ordering::SeqCst);
            if may_return || is_closing {
                let (user_id, owner) = (client.user_id(), QuotaOwner::of(client));
                let owner = Some(owner).filter(|_| !is_closing);
                let given_up = lock(&self.name_holds).add(user.key(), user_id, owner, now);
                self.release(given_up);
            } else {
                self.release([(user.key().into(), client.user_id())]);
            }
        }
        {
            let mut directory = lock(&self.directory);
            directory.remove(client);
            self.record_departure(&directory, client, &user);
        }
        if let Some(account) = client.signed_in() {
            self.record_absence(&account, now);
        }
        self.part(client, &user, channels, reason, now);
        // Also in channels that it operates without being in them.
        for name in client.take_operated() {
            if let Ok(channel) = self.channel(&name) {
                let mut state = channel.state();
                self.ensure_operator(&channel, &mut state);
            }
        }
    }

    /// Marks an account as offline after its last device left.
    pub(super) fn record_departure(&self, directory: &Directory, client: &Client, user: &UserName) {
        if let Some(account) = client.signed_in()
            && directory.owners(user).next().is_none()
        {
            account.set_departed(Some(self.sequence.next()));
        }
    }

    /// Removes a client from every conversation. If no other device of the account is online, its
    /// departure is published, once to each user who shared one; otherwise it leaves the channels
    /// in which no other device is.
    pub(super) fn part<'a>(
        self: &Arc<Self>,
        client: &Client,
        user: &UserName,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        reason: Option<&Text>,
        now: Timestamp,
    ) {
        let gone = Event::Gone { user: user.clone(), reason: reason.cloned() };
        let (account, own) = (client.signed_in(), self.sequence.next());
        // The account's devices share one number: the last one may be leaving at the same time.
        let once = || account.as_ref().map_or(Some(own), |account| account.gone());
        for channel in channels {
            let mut state = channel.state();
            let large = self.is_large(&state);
            if state.remove_member(client.id, now).is_none() {
                continue;
            }
            if state.has_beside(client) {
                // Another device is still in it.
            } else if large {
                self.count_presence(channel, &mut state, false);
            } else if let Some(once) = once() {
                state.publish_once(gone.clone(), client.by(), Some(once));
            } else {
                let (channel, user) = (channel.name.clone(), user.clone());
                let reason = reason.cloned();
                state.publish(
                    Event::Left { channel, user, time: on_the_wall(now), reason },
                    client.by(),
                );
            }
            self.settle_departure(channel, state);
        }
        if let Some(once) = once() {
            self.publish_to_partners(client.by(), &gone, Some(once));
        }
        lock(&self.private).depart(client.id);
    }

    /// Publishes an event to the client's private chats.
    pub(super) fn publish_to_partners(&self, by: Source, event: &Event, once: Option<u64>) {
        let private = lock(&self.private);
        let partners = private.partners(by.id);
        if partners.is_empty() {
            return;
        }
        let number = self.sequence.next();
        let told = SequencedEvent::new(event.clone(), by, number, MessageId::default());
        let delivery = Arc::new(Delivery::from(SequencedEvent { once, ..told }));
        for partner in partners {
            // A partner with a full queue receives it with the next message.
            let told = private
                .queue(partner, by.id)
                .is_some_and(|queue| queue.try_send(Arc::clone(&delivery)).is_ok());
            if told && let Some(partner) = lock(&self.directory).everyone.get(&partner) {
                partner.ready.notify(ReadySet::PRIVATE);
            }
        }
    }

    /// Opens a private chat. The other user is notified and keeps the current conversation.
    pub(crate) fn open_private(
        &self,
        client: &Arc<Client>,
        own_name: &UserName,
        with: &Arc<Client>,
        with_name: &UserName,
    ) -> Result<(), Refusal> {
        let mut told = false;
        for device in self.devices(with) {
            let (name, by) = (own_name.clone(), client.user_id());
            told |= lock(&self.private).open(client, &device).is_some()
                && device.try_push(Notification::PrivateOpened { with: name, by });
        }
        if told { Ok(()) } else { Err(Refusal::user_busy(with_name)) }
    }

    /// Closes every connection.
    pub fn close_all(&self, farewell: CloseReason) {
        self.each_client(|client| client.push(Notification::Closing(farewell)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::hub::limits::Limits;

    /// Guests who came back at the same time after a restart found each other under a fresh
    /// identity for a moment: their chat had no lines, and new ones went into another chat.
    #[test]
    fn a_returned_guest_is_never_seen_with_another_identity() {
        let hub = Hub::in_memory(Limits::small());
        let (name, now) = (UserName::new("bob").unwrap(), Timestamp(0));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let peer = scope.spawn(|| {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let bob = lock(&hub.directory).find(&name).map(|bob| bob.user_id());
                    seen.extend(bob.filter(|user_id| *user_id != UserId(4_000_000)));
                }
                seen
            });
            for _ in 0..2_000 {
                lock(&hub.name_holds).add(name.key(), UserId(4_000_000), None, now);
                let bob = hub.arrive(None, now);
                hub.take_name(&bob, &name, std::iter::empty(), now).unwrap();
                lock(&hub.directory).remove(&bob);
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(peer.join().unwrap(), []);
        });
    }
}
