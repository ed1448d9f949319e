//! The resource usage of a process, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A measured process.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| format!("{path}: has the server ended?"))
    }

    /// User and system time since its start, to a hundredth of a second.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let ticks = ticks(&self.read("stat")?).context("/proc/PID/stat has its times")?;
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Duration::from_millis(ticks * 1000 / per_second))
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(self) -> anyhow::Result<u64> {
        kilobytes(&self.read("status")?, "VmRSS:").context("/proc/PID/status has its memory")
    }

    /// The number of its open descriptors.
    pub(crate) fn descriptors(self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }
}

/// Raises the limit on open descriptors of this process and its children to the maximum: the
/// default is enough for a thousand clients.
pub(crate) fn open_as_many_as_allowed() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// User and system time, in ticks (`proc_pid_stat`(5), fields 14 and 15).
fn ticks(stat: &str) -> Option<u64> {
    // The name in front may hold blanks and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// A size in bytes, of a line in kB.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_parsed() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 700 30 0 0 20 0";
        assert_eq!(ticks(stat), Some(730));
        assert_eq!(kilobytes("Name: x\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!((ticks("42 (a"), kilobytes("Name: x", "VmRSS:")), (None, None));
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let own = Process::own();
        assert!(own.memory().unwrap() > 0 && own.descriptors().unwrap() > 2);
        assert!(own.cpu().is_ok());
    }
}
