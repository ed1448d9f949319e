//! The machine of a report, and the versions of the programs.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::subject::SubjectKind;
use crate::subject::cores::Cores;

/// The machine and the programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MachineInfo {
    /// The day, in UTC.
    date: String,
    processor: String,
    cores: u32,
    /// Whether server and load were pinned to a core each.
    pinned: bool,
    memory_mib: u64,
    system: String,
    /// The version that each server reports.
    versions: BTreeMap<String, String>,
}

impl MachineInfo {
    /// This machine, with these servers.
    pub(crate) fn this(kinds: &[SubjectKind]) -> anyhow::Result<Self> {
        let (system, cores) = (rustix::system::uname(), Cores::of_this_machine()?);
        let shown = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        let version = |kind: &SubjectKind| Some((kind.title().to_owned(), kind.version()?));
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: value("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: cores.count(),
            pinned: cores.are_split(),
            memory_mib: value("/proc/meminfo", "MemTotal")
                .and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or_default()
                / 1024,
            system: format!("{} {}", shown(system.sysname()), shown(system.release())),
            versions: kinds.iter().filter_map(version).collect(),
        })
    }

    /// As a sentence of the page.
    pub(crate) fn sentence(&self) -> String {
        let pinned = if self.pinned {
            "server and load have a core each, but where a scenario gives the server all of them"
        } else {
            "server and load share the core"
        };
        let versions: Vec<String> =
            self.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        format!(
            "Measured on {} with {}: {} cores, {} MiB of memory, {}; {pinned}. Versions: {}.",
            self.date,
            if self.processor.is_empty() { "an unnamed processor" } else { &self.processor },
            self.cores,
            self.memory_mib,
            self.system,
            versions.join("; ")
        )
    }
}

/// The value of the first `name: value` line of a file.
fn value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
