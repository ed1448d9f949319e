//! Names to people: no two people here have one name, nor names that look alike.

use std::collections::HashMap;
use std::sync::Arc;

use chat_proto::name::UserName;

use super::person::{Person, PersonId};

/// Everybody connected, and who has which name.
#[derive(Default)]
pub(crate) struct Directory {
    /// Everybody connected, with or without a name.
    pub(super) everyone: HashMap<PersonId, Arc<Person>>,
    named: HashMap<UserName, Arc<Person>>,
    /// What a name looks like, to the one who has it; a name may have two such keys.
    by_look: HashMap<Box<str>, PersonId>,
}

impl Directory {
    /// Gives the name to the person, who gives up the one they had.
    ///
    /// # Errors
    ///
    /// The one who has it, or a name that looks like it.
    pub(super) fn claim(&mut self, name: &UserName, person: &Arc<Person>) -> Result<(), UserName> {
        let holder = name.looks().find_map(|look| {
            self.by_look.get(look.as_ref()).copied().filter(|holder| *holder != person.id)
        });
        if let Some(holder) = holder {
            let held = self.everyone.get(&holder).and_then(|holder| holder.name());
            return Err(held.unwrap_or_else(|| name.clone()));
        }
        self.release(person);
        for look in name.looks() {
            self.by_look.insert(look.into(), person.id);
        }
        self.named.insert(name.clone(), Arc::clone(person));
        person.set_name(name.clone());
        Ok(())
    }

    /// Gives up the name that the person has.
    fn release(&mut self, person: &Person) {
        if let Some(name) = person.name() {
            self.named.remove(&name);
            for look in name.looks() {
                self.by_look.remove(look.as_ref());
            }
        }
    }

    pub(super) fn remove(&mut self, person: &Person) {
        self.release(person);
        self.everyone.remove(&person.id);
    }

    /// By the name as typed in any case.
    pub(super) fn find(&self, name: &UserName) -> Option<&Arc<Person>> {
        self.named.get(name)
    }

    pub(super) fn named(&self) -> impl ExactSizeIterator<Item = (&UserName, &Arc<Person>)> {
        self.named.iter()
    }
}
