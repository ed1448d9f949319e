//! What a person is at the moment, as their own connection knows it.

use std::collections::HashSet;

use chat_proto::conversation::Conversation;
use chat_proto::id::Timestamp;
use chat_proto::name::UserName;
use chat_proto::rendition::Form;

use crate::hub::person::PersonId;

/// The state of one connection that handlers read.
pub(crate) struct Me {
    pub(crate) name: Option<UserName>,
    pub(crate) form: Form,
    /// Every conversation that was entered or opened, the current one last, before it the one that
    /// was current before, and so on.
    conversations: Vec<Conversation>,
    /// Who wrote privately last.
    pub(crate) reply_to: Option<UserName>,
    ignored: Option<Box<Ignored>>,
    /// The peer's address, as it is shown.
    pub(crate) address: Box<str>,
    pub(crate) since: Timestamp,
}

/// Whom a person hides, for as long as the connection lives: by name, and by who bore the name then,
/// so that a new name doesn't bring them back.
#[derive(Default)]
struct Ignored {
    names: HashSet<UserName>,
    people: HashSet<PersonId>,
}

impl Me {
    pub(crate) fn new(address: Box<str>, since: Timestamp) -> Self {
        Self {
            name: None,
            form: Form::default(),
            conversations: Vec::new(),
            reply_to: None,
            ignored: None,
            address,
            since,
        }
    }

    /// Where what is typed goes.
    pub(crate) fn current(&self) -> Option<&Conversation> {
        self.conversations.last()
    }

    pub(crate) fn is_in(&self, conversation: &Conversation) -> bool {
        self.conversations.contains(conversation)
    }

    pub(crate) fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    /// Makes a conversation current, which may be new.
    pub(crate) fn go_to(&mut self, conversation: Conversation) {
        self.conversations.retain(|other| *other != conversation);
        self.conversations.push(conversation);
    }

    /// Leaves a conversation; the one before becomes current.
    pub(crate) fn leave(&mut self, conversation: &Conversation) {
        self.conversations.retain(|other| other != conversation);
    }

    /// Somebody has another name now.
    pub(crate) fn renamed(&mut self, from: &UserName, to: &UserName) {
        for conversation in &mut self.conversations {
            if matches!(conversation, Conversation::Private(user) if user == from) {
                *conversation = Conversation::Private(to.clone());
            }
        }
        if self.reply_to.as_ref() == Some(from) {
            self.reply_to = Some(to.clone());
        }
    }

    /// Hides somebody; `false` if they were hidden already.
    pub(crate) fn ignore(&mut self, name: UserName, person: Option<PersonId>) -> bool {
        let ignored = self.ignored.get_or_insert_default();
        ignored.people.extend(person);
        ignored.names.insert(name)
    }

    /// Sees somebody again; `false` if they were not hidden.
    pub(crate) fn unignore(&mut self, name: &UserName, person: Option<PersonId>) -> bool {
        let Some(ignored) = &mut self.ignored else { return false };
        let by_person = person.is_some_and(|person| ignored.people.remove(&person));
        let by_name = ignored.names.remove(name);
        if ignored.names.is_empty() {
            self.ignored = None;
        }
        by_name || by_person
    }

    pub(crate) fn ignores(&self, person: PersonId, name: &UserName) -> bool {
        self.ignored
            .as_ref()
            .is_some_and(|ignored| ignored.people.contains(&person) || ignored.names.contains(name))
    }

    /// The names of the hidden, in order.
    pub(crate) fn ignored_names(&self) -> Vec<UserName> {
        let mut names: Vec<_> =
            self.ignored.iter().flat_map(|ignored| ignored.names.iter().cloned()).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::name::ChannelName;

    fn channel(name: &str) -> Conversation {
        Conversation::Channel(ChannelName::new(name).unwrap())
    }

    #[test]
    fn the_conversation_before_becomes_current() {
        let mut me = Me::new("test".into(), Timestamp(0));
        for name in ["one", "two", "three", "two"] {
            me.go_to(channel(name));
        }
        assert_eq!(me.current(), Some(&channel("two")));
        me.leave(&channel("one"));
        assert_eq!(me.current(), Some(&channel("two")));
        me.leave(&channel("two"));
        assert_eq!(me.current(), Some(&channel("three")));
        me.leave(&channel("three"));
        assert_eq!(me.current(), None);
    }

    #[test]
    fn a_new_name_does_not_bring_an_ignored_person_back() {
        let mut me = Me::new("test".into(), Timestamp(0));
        let [bob, rob] = ["bob", "rob"].map(|name| UserName::new(name).unwrap());
        assert!(me.ignore(bob.clone(), Some(PersonId(7))));
        assert!(!me.ignore(bob.clone(), Some(PersonId(7))));
        assert!(me.ignores(PersonId(7), &rob));
        assert!(me.ignores(PersonId(8), &bob));
        assert!(!me.ignores(PersonId(8), &rob));
        assert!(me.unignore(&bob, Some(PersonId(7))));
        assert!(!me.ignores(PersonId(7), &bob));
    }
}
