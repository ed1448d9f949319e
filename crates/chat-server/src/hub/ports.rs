//! What the hub asks of the rooms outside, as traits that they implement.

use std::sync::Arc;

use chat_proto::conversation::Conversation;
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;

use super::Hub;
use super::channel::Channel;
use super::person::{Person, PersonId};
use super::private::Room;

/// Gives each line its place in its conversation.
///
/// An order takes a draft, gives it the next id of its conversation (and, where lines are kept, makes
/// it durable), and only then hands it to [`Hub::apply`], in the order of the ids. So whatever anyone
/// has seen has its place already. An id that [`Hub::apply`] did not use is still free. It may do so before `submit` returns, or later from a thread of
/// its own; the author learns of it by an answer in either case.
pub trait Order: Send + Sync {
    /// Takes a draft. Never blocks.
    fn submit(&self, draft: Draft, hub: &Arc<Hub>);

    /// The last id that was given in a conversation; 0 if none was.
    fn last(&self, key: &ConversationKey) -> LineId;

    /// A private conversation is over for good: one of the two has left the system.
    fn forget(&self, key: &ConversationKey);
}

/// A line that has no place yet.
pub struct Draft {
    /// Which conversation's next id it gets.
    pub key: ConversationKey,
    pub(crate) author: Arc<Person>,
    pub(crate) from: UserName,
    pub(crate) text: Text,
    /// `/me`.
    pub(crate) action: bool,
    /// When it was said.
    pub(crate) time: Timestamp,
    pub(crate) to: Addressee,
    /// As the author names the conversation; for the answer.
    pub(crate) place: Conversation,
}

/// A line that got its place.
pub struct Placed {
    pub(crate) id: LineId,
    pub(crate) draft: Draft,
}

impl Placed {
    /// The draft gets its place.
    pub fn new(draft: Draft, id: LineId) -> Self {
        Self { id, draft }
    }
}

/// Who hears a line.
pub(crate) enum Addressee {
    Channel(Arc<Channel>),
    /// The room for the line in the other's queue is taken before the line gets its place, so a line
    /// that has a place is never refused for want of room.
    Person {
        to: UserName,
        room: Room,
    },
}

/// A conversation, the same for everybody in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConversationKey {
    /// A channel, by its name.
    Channel(ChannelName),
    /// A private chat, by the two in it, the one who came first in front.
    Private(PersonId, PersonId),
}

impl ConversationKey {
    pub(crate) fn private(one: PersonId, other: PersonId) -> Self {
        Self::Private(one.min(other), one.max(other))
    }
}
