//! Finds names by their skeletons.

use std::collections::HashMap;

/// By loose skeleton. Almost always one entry has it; names stored by an earlier version may share
/// one.
pub(super) struct SkeletonIndex<T> {
    first: HashMap<Box<str>, T>,
    others: HashMap<Box<str>, Vec<T>>,
}

impl<T> Default for SkeletonIndex<T> {
    fn default() -> Self {
        Self { first: HashMap::new(), others: HashMap::new() }
    }
}

impl<T: PartialEq> SkeletonIndex<T> {
    pub(super) fn add(&mut self, skeleton: &str, one: T) {
        if self.first.contains_key(skeleton) {
            self.others.entry(skeleton.into()).or_default().push(one);
        } else {
            self.first.insert(skeleton.into(), one);
        }
    }

    pub(super) fn remove(&mut self, skeleton: &str, one: &T) {
        let mut others = self.others.remove(skeleton).unwrap_or_default();
        if self.first.get(skeleton) == Some(one) {
            self.first.remove(skeleton);
            if let Some(next) = others.pop() {
                self.first.insert(skeleton.into(), next);
            }
        } else {
            others.retain(|other| other != one);
        }
        if !others.is_empty() {
            self.others.insert(skeleton.into(), others);
        }
    }

    /// All entries with this skeleton.
    pub(super) fn of(&self, skeleton: &str) -> impl Iterator<Item = &T> {
        self.first.get(skeleton).into_iter().chain(self.others.get(skeleton).into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_one_entry_leaves_the_others() {
        let mut all = SkeletonIndex::default();
        let of = |all: &SkeletonIndex<u8>| {
            let mut found: Vec<_> = all.of("bl").copied().collect();
            found.sort_unstable();
            found
        };
        (1..=3).for_each(|one| all.add("bl", one));
        assert_eq!(of(&all), [1, 2, 3]);
        all.remove("bl", &1);
        assert_eq!(of(&all), [2, 3]);
        all.remove("bl", &2);
        all.remove("bl", &9);
        assert_eq!(of(&all), [3]);
        all.remove("bl", &3);
        assert!(all.first.is_empty() && all.others.is_empty());
    }
}
