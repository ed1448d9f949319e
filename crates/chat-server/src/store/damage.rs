//! Damage in the files of a store, found before they are opened.

use std::path::Path;

use super::paths::{FILE, JOURNAL_FILE};
use super::wal_repair::{self, RepairMode, WalDamage};

/// Damage in the WALs of a directory.
#[derive(Debug, Default)]
pub(super) struct DamageReport {
    /// The losses, one sentence each.
    pub(super) losses: Vec<String>,
    /// Commits of the tables are missing that the journal counts on.
    pub(super) lacks_of_tables: bool,
    /// Commits of the journal are missing.
    pub(super) lacks_of_journal: bool,
}

/// Scans the WALs of a directory that no server has open. With `mend`, repairs what it can.
pub(super) fn look(directory: &Path, mend: bool) -> DamageReport {
    let mut found = DamageReport::default();
    for name in [FILE, JOURNAL_FILE] {
        let cure = match (mend, name) {
            (false, _) => RepairMode::None,
            (true, FILE) => RepairMode::Mend,
            // Journal rows have checksums of their own.
            (true, _) => RepairMode::Accept,
        };
        let path = directory.join(name);
        match wal_repair::look(&path, cure) {
            Ok(damage) => {
                let lacks = damage.lost_from.is_some();
                if name == FILE {
                    found.lacks_of_tables = lacks;
                } else {
                    found.lacks_of_journal = lacks;
                }
                found.losses.extend(told(name, damage, mend));
            }
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "a log can't be looked through");
            }
        }
    }
    found
}

fn told(name: &str, damage: WalDamage, mend: bool) -> Option<String> {
    let WalDamage { mended, lost_from, lost_commits, accepted } = damage;
    if mended > 0 {
        let done = if mend { "are put right" } else { "can be put right by the server" };
        tracing::error!(
            "{name}-wal is damaged: {mended} places in it were changed, and {done}; no line is missing by that. Look at the disk"
        );
    }
    if let Some(at) = accepted {
        tracing::error!(
            "{name}-wal is damaged at its frame {at}; what is behind it is read all the same. Look at the disk"
        );
    }
    let at = lost_from?;
    if at == 0 && lost_commits == 0 {
        return Some(format!("{name}-wal can't be read: what it had is missing"));
    }
    if lost_commits == 0 {
        // It may have been in progress when the server ended.
        return Some(format!(
            "the last commit in {name}-wal can't be read: the server ended while it was written, before it was answered, or it is \
             damaged, and what it had is missing"
        ));
    }
    let what = if name == FILE {
        "lines among them are taken from recent.db, and what else they changed, of accounts and channels, is lost"
    } else {
        "their lines are missing"
    };
    Some(format!(
        "{name}-wal can't be read from its frame {at} on, and at least {lost_commits} commits are behind it: {what}"
    ))
}
