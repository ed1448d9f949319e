//! Private chats: each a pair of bounded queues, one for each direction.
//!
//! A queue holds the messages of one sender only, so a flood fills only the queue between the two.
//! A pair is created with the first message. It is only transport: it ends when either user leaves,
//! or has opened many other chats since; the next message creates a new pair.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use tokio::sync::mpsc;

use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::fanout::delivery::{Delivery, is_much_alive};
use crate::hub::fanout::ready_set::ReadySet;
use crate::hub::id::ClientId;

/// Messages that may wait in one direction of a chat; beyond it the sender gets `user-busy`. The
/// queue is allocated on demand.
const MAX_WAITING_LINES: usize = 256;

/// Private messages that may wait for one client in total, which bounds the cost of one that
/// doesn't read.
const MAX_WAITING_FOR_ONE: usize = 1024;

/// The same while deliveries take much memory.
const FEW_WAITING_FOR_ONE: usize = 64;

/// Pairs of one client; beyond it the oldest is dropped.
const MAX_PAIRS: usize = 64;

/// The queues, by reader and writer.
#[derive(Default)]
pub(crate) struct PrivateChats {
    queues: HashMap<(ClientId, ClientId), mpsc::Sender<Arc<Delivery>>>,
    partners: HashMap<ClientId, VecDeque<ClientId>>,
}

/// A slot reserved in a queue, released unless it is used.
pub(crate) struct SendPermit {
    permit: Option<mpsc::OwnedPermit<Arc<Delivery>>>,
    to: Arc<Client>,
}

impl SendPermit {
    pub(in crate::hub) fn send(mut self, delivery: &Arc<Delivery>) {
        if let Some(permit) = self.permit.take() {
            permit.send(Arc::clone(delivery));
            self.to.ready.notify(ReadySet::PRIVATE);
        }
    }
}

impl SendPermit {
    /// The client whose queue it is.
    pub(in crate::hub) fn reader(&self) -> &Arc<Client> {
        &self.to
    }
}

impl Drop for SendPermit {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.to.private_lines.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl PrivateChats {
    /// Reserves a slot for one message.
    ///
    /// # Errors
    ///
    /// `user-busy` if the queue is full.
    pub(in crate::hub) fn permit(
        &mut self,
        from: &Arc<Client>,
        to: &Arc<Client>,
        to_name: &UserName,
    ) -> Result<SendPermit, Refusal> {
        let busy = || Refusal::user_busy(to_name);
        self.open(from, to).ok_or_else(busy)?;
        let queue = self.queues.get(&(to.id, from.id)).ok_or_else(busy)?;
        let permit = queue.clone().try_reserve_owned().map_err(|_| busy())?;
        let waiting = to.private_lines.fetch_add(1, Ordering::AcqRel);
        let permit = SendPermit { permit: Some(permit), to: Arc::clone(to) };
        let most = if is_much_alive() { FEW_WAITING_FOR_ONE } else { MAX_WAITING_FOR_ONE };
        if waiting < most { Ok(permit) } else { Err(busy()) }
    }

    /// Creates the pair of two clients if there is none; `None` if the other takes no more
    /// notifications.
    pub(in crate::hub) fn open(&mut self, from: &Arc<Client>, to: &Arc<Client>) -> Option<()> {
        if self.queues.contains_key(&(to.id, from.id)) {
            return Some(());
        }
        let (to_sender, lines) = mpsc::channel(MAX_WAITING_LINES);
        if !to.try_push(Notification::PrivateQueue { lines }) {
            return None;
        }
        let (from_sender, lines) = mpsc::channel(MAX_WAITING_LINES);
        from.push(Notification::PrivateQueue { lines });
        for (one, other, sender) in [(to.id, from.id, to_sender), (from.id, to.id, from_sender)] {
            let partners = self.partners.entry(one).or_default();
            partners.push_back(other);
            if partners.len() > MAX_PAIRS
                && let Some(oldest) = partners.front().copied()
            {
                self.close(one, oldest);
            }
            self.queues.insert((one, other), sender);
        }
        Some(())
    }

    /// The queue in which `to` reads what `from` writes, if there is one.
    pub(in crate::hub) fn queue(
        &self,
        to: ClientId,
        from: ClientId,
    ) -> Option<&mpsc::Sender<Arc<Delivery>>> {
        self.queues.get(&(to, from))
    }

    pub(in crate::hub) fn partners(&self, of: ClientId) -> Vec<ClientId> {
        self.partners
            .get(&of)
            .map(|partners| partners.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Drops the pairs of a client that left.
    pub(in crate::hub) fn depart(&mut self, id: ClientId) {
        for partner in self.partners(id) {
            self.close(id, partner);
        }
    }

    /// Drops a pair; messages in its queues are still read.
    fn close(&mut self, one: ClientId, other: ClientId) {
        for (reader, writer) in [(one, other), (other, one)] {
            self.queues.remove(&(reader, writer));
            if let Some(partners) = self.partners.get_mut(&reader) {
                partners.retain(|partner| *partner != writer);
                if partners.is_empty() {
                    self.partners.remove(&reader);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::time::Timestamp;

    fn client(id: u64) -> Arc<Client> {
        Arc::new(Client::new(ClientId(id), None, Timestamp(0), Arc::default()))
    }

    #[test]
    fn a_flood_to_one_user_is_refused_and_others_can_write() {
        let mut chats = PrivateChats::default();
        let (alice, bob, carol) = (client(1), client(2), client(3));
        let name = UserName::new("bob").unwrap();
        let permits: Vec<_> =
            (0..1000).map_while(|_| chats.permit(&alice, &bob, &name).ok()).collect();
        assert_eq!(permits.len(), MAX_WAITING_LINES);
        assert!(chats.permit(&carol, &bob, &name).is_ok());
    }

    #[test]
    fn pairs_are_bounded_for_each_user_and_created_again() {
        let mut chats = PrivateChats::default();
        let alice = client(0);
        let name = UserName::new("somebody").unwrap();
        let others: Vec<_> = (1..=200).map(client).collect();
        for other in &others {
            chats.permit(&alice, other, &name).unwrap();
        }
        assert_eq!(chats.partners(alice.id).len(), MAX_PAIRS);
        assert_eq!(chats.queues.len(), 2 * MAX_PAIRS);
        assert!(chats.permit(&alice, &others[0], &name).is_ok());
        chats.depart(alice.id);
        assert!(chats.queues.is_empty() && chats.partners.is_empty());
    }

    #[test]
    fn messages_for_one_user_are_bounded_over_all_senders() {
        let mut chats = PrivateChats::default();
        let bob = client(0);
        let name = UserName::new("bob").unwrap();
        let permits: Vec<_> = (1..=50)
            .map(client)
            .flat_map(|other| std::iter::repeat_n(other, 100))
            .filter_map(|other| chats.permit(&other, &bob, &name).ok())
            .collect();
        assert_eq!(permits.len(), MAX_WAITING_FOR_ONE);
        drop(permits);
        assert_eq!(bob.private_lines.load(Ordering::Acquire), 0, "unused permit is given back");
    }
}
