//! Memory use of the process.

/// Returns the resident bytes, if the system reports them. The kernel answers at once, without a
/// disk.
pub(crate) fn occupied_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_occupies_some_memory() {
        assert!(occupied_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
