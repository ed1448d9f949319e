//! Names and channels that the client has seen, for completion.

use std::collections::HashMap;

use chat_proto::fold::folded;

/// Upper bound on users; beyond it the one seen longest ago is forgotten.
const MAX_PEOPLE: usize = 2_000;
/// Upper bound on channels.
const MAX_CHANNELS: usize = 1_000;

/// Names and channels, ranked by when they were last seen.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    people: KnownName,
    channels: KnownName,
}

#[derive(Debug, Default)]
struct KnownName {
    /// By lower-case name: the name as displayed, and its rank.
    names: HashMap<String, (String, NameRank)>,
    /// A counter; a higher value is more recent.
    clock: u64,
}

/// Users who wrote sort before users who were only seen, the most recent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NameRank {
    spoke: u64,
    seen: u64,
}

impl KnownNames {
    pub(crate) fn spoke(&mut self, name: &str) {
        self.people.hear(name, true, MAX_PEOPLE);
    }

    pub(crate) fn saw(&mut self, name: &str) {
        self.people.hear(name, false, MAX_PEOPLE);
    }

    pub(crate) fn gone(&mut self, name: &str) {
        self.people.names.remove(&name.to_lowercase());
    }

    pub(crate) fn renamed(&mut self, from: &str, to: &str) {
        let old = self.people.names.remove(&from.to_lowercase());
        self.saw(to);
        if let (Some((_, rank)), Some(new)) = (old, self.people.names.get_mut(&to.to_lowercase())) {
            new.1.spoke = rank.spoke;
        }
    }

    pub(crate) fn channel(&mut self, name: &str) {
        self.channels.hear(name, false, MAX_CHANNELS);
    }

    /// Users whose name begins with this, the most recent writer first.
    pub(crate) fn people(&self, beginning: &str) -> Vec<String> {
        self.people.find(beginning)
    }

    /// Channels, with their `#`, whose name begins with this, the most recent first.
    pub(crate) fn channels(&self, beginning: &str) -> Vec<String> {
        self.channels.find(beginning)
    }
}

impl KnownName {
    fn hear(&mut self, name: &str, spoke: bool, most: usize) {
        if name.is_empty() {
            return;
        }
        self.clock += 1;
        let now = self.clock;
        let folded = name.to_lowercase();
        if !self.names.contains_key(&folded) && self.names.len() >= most {
            let oldest = self.names.iter().min_by_key(|(_, (_, rank))| *rank);
            if let Some(oldest) = oldest.map(|(folded, _)| folded.clone()) {
                self.names.remove(&oldest);
            }
        }
        let nothing = || (name.to_owned(), NameRank { spoke: 0, seen: 0 });
        let (shown, rank) = self.names.entry(folded).or_insert_with(nothing);
        name.clone_into(shown);
        rank.seen = now;
        if spoke {
            rank.spoke = now;
        }
    }

    fn find(&self, beginning: &str) -> Vec<String> {
        let beginning = folded(beginning);
        let begins = |(shown, _): &&(String, NameRank)| folded(shown).starts_with(&*beginning);
        let mut found: Vec<_> = self.names.values().filter(begins).collect();
        found.sort_by(|(_, one), (_, other)| other.cmp(one));
        found.into_iter().map(|(shown, _)| shown.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_speaker_comes_first() {
        let mut known = KnownNames::default();
        known.spoke("Bob");
        known.saw("barbara");
        known.spoke("bea");
        known.saw("bob");
        assert_eq!(known.people("b"), ["bea", "bob", "barbara"]);
        known.spoke("bob");
        assert_eq!(known.people("B"), ["bob", "bea", "barbara"]);
        known.renamed("bea", "Beatrice");
        known.gone("bob");
        assert_eq!(known.people("b"), ["Beatrice", "barbara"]);
        assert!(known.people("x").is_empty());
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut known = KnownNames::default();
        known.spoke("first-speaker");
        known.saw("first-seen");
        for n in 0..MAX_PEOPLE - 1 {
            known.saw(&format!("n{n}"));
        }
        assert_eq!(known.people("").len(), MAX_PEOPLE);
        assert_eq!(known.people("first"), ["first-speaker"]);
    }
}
