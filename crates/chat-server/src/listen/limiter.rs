//! Bounds the number of connections: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use chat_proto::refusal::Refusal;

use crate::util::net::client_prefix;
use crate::util::sync::lock;

/// Counts the open connections.
pub(crate) struct ConnectionLimiter {
    max: usize,
    max_per_address: usize,
    open: Mutex<ConnectionCounts>,
}

#[derive(Default)]
struct ConnectionCounts {
    all: usize,
    from: HashMap<IpAddr, usize>,
}

/// The right to have one connection; it ends when this is dropped.
pub(crate) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    from: Option<IpAddr>,
}

impl ConnectionLimiter {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self { max, max_per_address, open: Mutex::default() }
    }

    /// Counts one more connection, also by its address if that is limited.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        from: Option<IpAddr>,
    ) -> Result<ConnectionPermit, Refusal> {
        let from = from.map(client_prefix);
        let mut open = lock(&self.open);
        if open.all >= self.max {
            return Err(Refusal::server_full(false));
        }
        if let Some(from) = from {
            let count = open.from.entry(from).or_default();
            if *count >= self.max_per_address {
                return Err(Refusal::server_full(true));
            }
            *count += 1;
        }
        open.all += 1;
        Ok(ConnectionPermit { limiter: Arc::clone(self), from })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = lock(&self.limiter.open);
        open.all -= 1;
        if let Some(from) = self.from
            && let Some(count) = open.from.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                open.from.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_limits_hold_and_permits_are_released() {
        let limiter = Arc::new(ConnectionLimiter::new(4, 2));
        let first = limiter.acquire(Some(address("192.0.2.1"))).unwrap();
        let _second = limiter.acquire(Some(address("192.0.2.1"))).unwrap();
        assert_eq!(
            limiter.acquire(Some(address("192.0.2.1"))).err().unwrap().text(),
            Refusal::server_full(true).text()
        );
        let _other = limiter.acquire(Some(address("192.0.2.2"))).unwrap();
        drop(first);
        let _again = limiter.acquire(Some(address("192.0.2.1"))).unwrap();
        let _local = limiter.acquire(None).unwrap();
        assert_eq!(limiter.acquire(None).err().unwrap().text(), Refusal::server_full(false).text());
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let limiter = Arc::new(ConnectionLimiter::new(10, 1));
        let _one = limiter.acquire(Some(address("2001:db8:1:2::1"))).unwrap();
        assert!(limiter.acquire(Some(address("2001:db8:1:2:ffff::9"))).is_err());
        assert!(limiter.acquire(Some(address("2001:db8:1:3::1"))).is_ok());
        let _mapped = limiter.acquire(Some(address("::ffff:192.0.2.7"))).unwrap();
        assert!(limiter.acquire(Some(address("192.0.2.7"))).is_err());
    }
}
