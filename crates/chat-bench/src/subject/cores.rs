//! CPU affinity: with at least two cores, the server is pinned to one and the load to another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this program was started with.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    all: CpuSet,
    servers: CpuSet,
    loads: CpuSet,
    is_split: bool,
}

impl Cores {
    /// The cores of this machine, from the affinity at the first call, before the load is pinned.
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

    /// Whether server and load are pinned to a core each.
    pub(crate) fn are_split(self) -> bool {
        self.is_split
    }

    /// The number of cores.
    pub(crate) fn count(self) -> u32 {
        self.all.count()
    }

    /// Runs `start` on the server's core, so that a started process inherits it; then pins the
    /// load.
    pub(crate) fn on_the_servers<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.servers)?;
        let started = start();
        sched_setaffinity(None, &self.loads)?;
        Ok(started)
    }

    /// Runs `start` on all cores, on which the load stays.
    pub(crate) fn on_all<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.all)?;
        Ok(start())
    }
}
