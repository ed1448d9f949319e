//! The state of one client that commands read.

use std::collections::VecDeque;

use chat_proto::conversation::Conversation;
use chat_proto::name::UserName;

use crate::dialect::ClientDialect;
use crate::hub::client::account::{self, Account};
use crate::hub::id::{Source, UserId};
use crate::hub::query::HiddenAuthors;

/// The name, conversations and ignored users of one client.
pub(crate) struct ClientState {
    pub(crate) name: Option<UserName>,
    /// Whether the name is an account's.
    signed_in: bool,
    pub(crate) dialect: ClientDialect,
    /// Every open conversation, in the order of use; the current one is last.
    joined: Vec<JoinedConversation>,
    ignored: Option<Box<Ignored>>,
    /// Rare fields, boxed so that an idle client is small.
    cold: Option<Box<ColdState>>,
    /// The peer's address as displayed.
    pub(crate) address: Box<str>,
}

/// Fields that most clients never use.
#[derive(Default)]
struct ColdState {
    /// The author of the last private message, for `/reply`.
    reply_to: Option<(UserId, UserName)>,
    /// Ids of delivered events that arrive in more than one way.
    delivered: VecDeque<u64>,
    /// A name that was refused because it isn't an account's; `/register` claims it.
    wanted_name: Option<UserName>,
}

/// A conversation that the client is in.
#[derive(Clone, Debug)]
pub(crate) struct JoinedConversation {
    pub(crate) conversation: Conversation,
    /// The other user of a private chat. A later user of the same name is another one.
    pub(crate) with: Option<UserId>,
}

/// Ignored users, for as long as the connection lives.
type Ignored = Vec<Hidden>;

/// An ignored user, by name and by id, so that a rename doesn't end it.
struct Hidden {
    name: UserName,
    client: Option<UserId>,
    /// The current name, as far as renames were delivered.
    called: UserName,
}

/// Upper bound on ignored users.
const MAX_IGNORED: usize = 100;

/// Upper bound on the ids in memory. All copies of an event arrive within moments of each other.
const REMEMBERED: usize = 256;

impl ClientState {
    pub(crate) fn new(address: Box<str>) -> Self {
        Self {
            name: None,
            signed_in: false,
            dialect: ClientDialect::default(),
            joined: Vec::new(),
            ignored: None,
            cold: None,
            address,
        }
    }

    /// Signs in to an account, and ignores the users that the account ignores.
    pub(crate) fn sign_in(&mut self, account: &Account) {
        self.name = Some(account.name.clone());
        self.signed_in = true;
        for hidden in account.ignored() {
            self.hide(hidden);
        }
    }

    /// Records that the name is an account's. Returns whether the client had no name before.
    pub(crate) fn register(&mut self, name: UserName) -> bool {
        self.signed_in = true;
        if let Some(cold) = &mut self.cold {
            cold.wanted_name = None;
        }
        self.name.replace(name).is_none()
    }

    /// The name that was refused because it isn't an account's.
    pub(crate) fn wanted_name(&self) -> Option<&UserName> {
        self.cold.as_ref()?.wanted_name.as_ref()
    }

    /// Records a name that was refused because it isn't an account's.
    pub(crate) fn set_wanted_name(&mut self, name: UserName) {
        self.cold.get_or_insert_default().wanted_name = Some(name);
    }

    /// Clears the name, the conversations and the ignored users.
    pub(crate) fn sign_out(&mut self) {
        self.name = None;
        self.signed_in = false;
        self.joined = Vec::new();
        if let Some(cold) = &mut self.cold {
            cold.reply_to = None;
        }
        self.ignored = None;
    }

    /// The author of the last private message.
    pub(crate) fn reply_to(&self) -> Option<&(UserId, UserName)> {
        self.cold.as_ref()?.reply_to.as_ref()
    }

    /// Records the author of a private message.
    pub(crate) fn set_reply_to(&mut self, by: (UserId, UserName)) {
        self.cold.get_or_insert_default().reply_to = Some(by);
    }

    /// Whether the name is an account's.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.signed_in
    }

    /// Ignores a user that another device of the account ignores.
    pub(crate) fn hide(&mut self, hidden: account::IgnoredUser) {
        if self.check_ignore_limit().is_ok() {
            self.ignore(hidden.name, hidden.user_id);
        }
    }

    /// The ignored users, for storage in an account.
    pub(crate) fn hidden(&self) -> Vec<(UserName, Option<UserId>)> {
        let hidden = self.ignored.iter().flat_map(|ignored| ignored.iter());
        hidden.map(|hidden| (hidden.name.clone(), hidden.client)).collect()
    }

    /// The names under which a user is ignored.
    pub(crate) fn hidden_as(&self, name: &UserName, client: Option<UserId>) -> Vec<UserName> {
        let hidden = self.ignored.iter().flat_map(|ignored| ignored.iter());
        hidden.filter(|hidden| hidden.is(name, client)).map(|hidden| hidden.name.clone()).collect()
    }

    /// The current conversation, to which plain lines go.
    pub(crate) fn current_joined(&self) -> Option<&JoinedConversation> {
        self.joined.last()
    }

    /// The current conversation, to which plain lines go.
    pub(crate) fn current(&self) -> Option<&Conversation> {
        self.current_joined().map(|joined| &joined.conversation)
    }

    /// Every open conversation, the current one last.
    pub(crate) fn joined(&self) -> &[JoinedConversation] {
        &self.joined
    }

    /// An open conversation.
    pub(crate) fn find_joined(&self, conversation: &Conversation) -> Option<&JoinedConversation> {
        self.joined.iter().find(|joined| joined.conversation == *conversation)
    }

    /// Makes a conversation current; it may be new.
    pub(crate) fn make_current(&mut self, joined: JoinedConversation) {
        self.leave(&joined.conversation);
        // Most clients are in one conversation.
        self.joined.reserve_exact(1);
        self.joined.push(joined);
    }

    /// Adds a conversation. The current one stays, if there is one.
    pub(crate) fn add_joined(&mut self, joined: JoinedConversation) {
        self.leave(&joined.conversation);
        self.joined.reserve_exact(1);
        self.joined.insert(0, joined);
    }

    /// Leaves a conversation; the one used before becomes current.
    pub(crate) fn leave(&mut self, conversation: &Conversation) {
        self.joined.retain(|joined| joined.conversation != *conversation);
    }

    /// Follows a rename.
    pub(crate) fn renamed(&mut self, who: Source, to: &UserName) {
        for joined in &mut self.joined {
            if joined.with == Some(who.was) {
                joined.with = Some(who.user_id);
                joined.conversation = Conversation::Private(to.clone());
            }
        }
        if let Some(cold) = &mut self.cold
            && let Some((last, name)) = &mut cold.reply_to
            && *last == who.was
        {
            *last = who.user_id;
            *name = to.clone();
        }
        for hidden in self.ignored.iter_mut().flat_map(|ignored| ignored.iter_mut()) {
            if hidden.client == Some(who.was) {
                hidden.client = Some(who.user_id);
                hidden.called = to.clone();
            }
        }
    }

    /// Ignores a user. Returns `false` if the user was ignored already.
    pub(crate) fn ignore(&mut self, name: UserName, client: Option<UserId>) -> bool {
        let ignored = self.ignored.get_or_insert_default();
        let already = ignored.iter().any(|hidden| hidden.is(&name, client));
        if !already {
            ignored.push(Hidden { called: name.clone(), name, client });
        }
        !already
    }

    /// Stops ignoring a user. Returns `false` if the user wasn't ignored.
    pub(crate) fn unignore(&mut self, name: &UserName, client: Option<UserId>) -> bool {
        let Some(ignored) = &mut self.ignored else { return false };
        let before = ignored.len();
        ignored.retain(|hidden| !hidden.is(name, client));
        let changed = ignored.len() < before;
        if ignored.is_empty() {
            self.ignored = None;
        }
        changed
    }

    /// Whether messages under this name are ignored, where only the author's name is known.
    pub(crate) fn ignores_name(&self, name: &UserName) -> bool {
        let mut hidden = self.ignored.iter().flat_map(|ignored| ignored.iter());
        hidden.any(|hidden| hidden.name == *name || hidden.called == *name)
    }

    /// The ignored authors, for queries.
    pub(crate) fn hidden_authors(&self) -> HiddenAuthors {
        let hidden = || self.ignored.iter().flat_map(|ignored| ignored.iter());
        let names = hidden().flat_map(|hidden| [&hidden.name, &hidden.called]);
        HiddenAuthors {
            names: names.map(|name| name.key().to_owned()).collect(),
            user_ids: hidden().filter_map(|hidden| hidden.client).collect(),
        }
    }

    pub(crate) fn ignores(&self, client: UserId, name: &UserName) -> bool {
        self.ignored
            .as_ref()
            .is_some_and(|ignored| ignored.iter().any(|hidden| hidden.is(name, Some(client))))
    }

    /// Whether no user is ignored.
    pub(crate) fn ignores_none(&self) -> bool {
        self.ignored.as_ref().is_none_or(|ignored| ignored.is_empty())
    }

    /// Checks [`MAX_IGNORED`].
    pub(crate) fn check_ignore_limit(&self) -> Result<(), usize> {
        let ignored = self.ignored.as_ref().map_or(0, |ignored| ignored.len());
        if ignored < MAX_IGNORED { Ok(()) } else { Err(MAX_IGNORED) }
    }

    /// The names of the ignored users, sorted.
    pub(crate) fn ignored_names(&self) -> Vec<UserName> {
        let ignored = self.ignored.iter().flat_map(|ignored| ignored.iter());
        let mut names: Vec<_> = ignored.map(|hidden| hidden.called.clone()).collect();
        names.sort();
        names
    }

    /// Records the id of an event that arrives in more than one way. Returns whether it is the
    /// first.
    pub(crate) fn is_first(&mut self, once: u64) -> bool {
        let delivered = &mut self.cold.get_or_insert_default().delivered;
        if delivered.contains(&once) {
            return false;
        }
        if delivered.len() == REMEMBERED {
            delivered.pop_front();
        }
        delivered.push_back(once);
        true
    }
}

impl Hidden {
    fn is(&self, name: &UserName, client: Option<UserId>) -> bool {
        let named = self.name == *name || self.called == *name;
        named || (client.is_some() && self.client == client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::id::ClientId;
    use chat_proto::name::ChannelName;

    fn channel(name: &str) -> JoinedConversation {
        let name = ChannelName::new(name).unwrap();
        JoinedConversation { conversation: Conversation::Channel(name), with: None }
    }

    fn state() -> ClientState {
        ClientState::new("test".into())
    }

    fn by(user_id: u64) -> Source {
        Source { id: ClientId(user_id), user_id: UserId(user_id), was: UserId(user_id) }
    }

    fn names<const N: usize>(names: [&str; N]) -> [UserName; N] {
        names.map(|name| UserName::new(name).unwrap())
    }

    #[test]
    fn the_conversation_before_becomes_current() {
        let mut state = state();
        for name in ["one", "two", "three", "two"] {
            state.make_current(channel(name));
        }
        assert_eq!(state.current(), Some(&channel("two").conversation));
        state.leave(&channel("one").conversation);
        assert_eq!(state.current(), Some(&channel("two").conversation));
        state.leave(&channel("two").conversation);
        assert_eq!(state.current(), Some(&channel("three").conversation));
        state.leave(&channel("three").conversation);
        assert_eq!(state.current(), None);
    }

    #[test]
    fn an_ignored_user_stays_ignored_under_a_new_name() {
        let mut state = state();
        let [bob, rob] = names(["bob", "rob"]);
        assert!(state.ignore(bob.clone(), Some(UserId(7))));
        assert!(!state.ignore(bob.clone(), Some(UserId(7))));
        assert!(state.ignores(UserId(7), &rob));
        assert!(state.ignores(UserId(8), &bob));
        assert!(!state.ignores(UserId(8), &rob));
        assert!(state.unignore(&bob, Some(UserId(7))));
        assert!(!state.ignores(UserId(7), &bob));
    }

    #[test]
    fn a_renamed_ignored_user_can_be_unignored_by_either_name() {
        for (typed, now_there) in [("rob", Some(UserId(7))), ("rob", None), ("bob", None)] {
            let mut state = state();
            let [bob, carol, rob, typed] = names(["bob", "carol", "rob", typed]);
            state.ignore(bob, Some(UserId(7)));
            state.ignore(carol.clone(), Some(UserId(8)));
            state.renamed(by(7), &rob);
            assert_eq!(state.ignored_names(), [carol.clone(), rob.clone()]);
            assert!(state.unignore(&typed, now_there));
            assert_eq!(state.ignored_names(), [carol]);
            assert!(!state.ignores(UserId(7), &rob));
        }
    }

    #[test]
    fn a_private_chat_follows_its_user_through_renames() {
        let mut state = state();
        let [bob, rob] = names(["bob", "rob"]);
        state.make_current(JoinedConversation {
            conversation: Conversation::Private(bob.clone()),
            with: Some(UserId(7)),
        });
        state.renamed(by(8), &rob);
        assert_eq!(state.current(), Some(&Conversation::Private(bob)));
        state.renamed(by(7), &rob);
        assert_eq!(state.current(), Some(&Conversation::Private(rob)));
    }

    #[test]
    fn an_event_that_arrives_in_two_ways_is_printed_once() {
        let mut state = state();
        assert!(state.is_first(1));
        assert!(state.is_first(2));
        assert!(!state.is_first(1));
        for once in 3..1000 {
            assert!(state.is_first(once));
            assert!(!state.is_first(once));
        }
    }
}
