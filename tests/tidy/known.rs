//! Faults that are known and not mended yet: `tests/tidy/known.txt`, one a line.
//!
//! The list must shrink. A fault that isn't on it fails the test, and so does an entry whose fault
//! is gone. `UPDATE=1 cargo test -p chat-tests --test tidy` writes the list anew; read the
//! difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

use crate::tree::{read, workspace};

const FILE: &str = "tests/tidy/known.txt";

/// Tests that update the list do so one at a time.
static UPDATE: Mutex<()> = Mutex::new(());

/// The known faults of one kind, and those that are found.
pub(crate) struct Known {
    kind: &'static str,
    listed: BTreeSet<String>,
    found: BTreeMap<String, String>,
}

impl Known {
    pub(crate) fn of(kind: &'static str) -> Self {
        let listed = read(FILE)
            .lines()
            .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(": ").map(str::to_owned))
            .collect();
        Self { kind, listed, found: BTreeMap::new() }
    }

    /// A fault, under the name that the list has for it, with the sentence that says what to do.
    pub(crate) fn found(&mut self, name: &str, sentence: &str) {
        self.found.entry(name.to_owned()).or_insert_with(|| sentence.to_owned());
    }

    pub(crate) fn check(self) {
        if std::env::var_os("UPDATE").is_some() {
            self.write();
            return;
        }
        let new: Vec<&String> = self
            .found
            .iter()
            .filter(|(name, _)| !self.listed.contains(*name))
            .map(|(_, sentence)| sentence)
            .collect();
        assert!(new.is_empty(), "{new:#?}");
        let mended: Vec<&String> =
            self.listed.iter().filter(|name| !self.found.contains_key(*name)).collect();
        assert!(mended.is_empty(), "mended: take it off {FILE}: {}: {mended:#?}", self.kind);
    }

    fn write(&self) {
        let _guard = UPDATE.lock();
        let text = read(FILE);
        let others = text.lines().filter(|line| !line.starts_with(self.kind)).map(str::to_owned);
        let found = self.found.keys().map(|name| format!("{}: {name}", self.kind));
        let lines: BTreeSet<String> = others.chain(found).collect();
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(workspace().join(FILE), text).unwrap();
    }
}
