//! Who runs on which processor: where there are two, the server has one for itself, and the load
//! another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this program was given when it began.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    all: CpuSet,
    servers: CpuSet,
    loads: CpuSet,
    is_split: bool,
}

impl Cores {
    /// Those that the load isn't held to yet are the machine's.
    pub(crate) fn of_this_machine() -> anyhow::Result<Self> {
        static ALL: std::sync::OnceLock<CpuSet> = std::sync::OnceLock::new();
        let now = sched_getaffinity(None)?;
        let all = *ALL.get_or_init(|| now);
        let mut ours = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let (mut servers, mut loads) = (all, all);
        let is_split = if let (Some(one), Some(other)) = (ours.next(), ours.next()) {
            (servers, loads) = (CpuSet::new(), CpuSet::new());
            servers.set(one);
            loads.set(other);
            true
        } else {
            false
        };
        Ok(Self { all, servers, loads, is_split })
    }

    /// Whether server and load have a core each.
    pub(crate) fn are_split(self) -> bool {
        self.is_split
    }

    /// How many there are.
    pub(crate) fn count(self) -> u32 {
        self.all.count()
    }

    /// What is started meanwhile has the server's core for itself.
    pub(crate) fn on_the_servers<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.servers)?;
        let started = start();
        sched_setaffinity(None, &self.loads)?;
        Ok(started)
    }

    /// What is started meanwhile has all cores, and so have we.
    pub(crate) fn on_all<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.all)?;
        Ok(start())
    }
}
