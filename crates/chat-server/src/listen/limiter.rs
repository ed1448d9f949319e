//! How many connections may come in: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use chat_proto::refusal::Refusal;

use crate::util::net::client_prefix;
use crate::util::sync::lock;

/// Counts those who are in.
pub(crate) struct ConnectionLimiter {
    most: usize,
    most_from_one: usize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    all: usize,
    from: HashMap<IpAddr, usize>,
}

/// The right to be in; it ends when this is dropped.
pub(crate) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    from: Option<IpAddr>,
}

impl ConnectionLimiter {
    pub(crate) fn new(most: usize, most_from_one: usize) -> Self {
        Self { most, most_from_one, inside: Mutex::default() }
    }

    /// Lets one in, counted by its address if it has one that counts.
    pub(crate) fn admit(
        self: &Arc<Self>,
        from: Option<IpAddr>,
    ) -> Result<ConnectionPermit, Refusal> {
        let from = from.map(client_prefix);
        let mut inside = lock(&self.inside);
        if inside.all >= self.most {
            return Err(Refusal::server_full(false));
        }
        if let Some(from) = from {
            let count = inside.from.entry(from).or_default();
            if *count >= self.most_from_one {
                return Err(Refusal::server_full(true));
            }
            *count += 1;
        }
        inside.all += 1;
        Ok(ConnectionPermit { limiter: Arc::clone(self), from })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut inside = lock(&self.limiter.inside);
        inside.all -= 1;
        if let Some(from) = self.from
            && let Some(count) = inside.from.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                inside.from.remove(&from);
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
    fn the_limits_hold_and_room_comes_back() {
        let limiter = Arc::new(ConnectionLimiter::new(4, 2));
        let first = limiter.admit(Some(address("192.0.2.1"))).unwrap();
        let _second = limiter.admit(Some(address("192.0.2.1"))).unwrap();
        assert_eq!(
            limiter.admit(Some(address("192.0.2.1"))).err().unwrap().text(),
            Refusal::server_full(true).text()
        );
        let _other = limiter.admit(Some(address("192.0.2.2"))).unwrap();
        drop(first);
        let _again = limiter.admit(Some(address("192.0.2.1"))).unwrap();
        let _local = limiter.admit(None).unwrap();
        assert_eq!(limiter.admit(None).err().unwrap().text(), Refusal::server_full(false).text());
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let limiter = Arc::new(ConnectionLimiter::new(10, 1));
        let _one = limiter.admit(Some(address("2001:db8:1:2::1"))).unwrap();
        assert!(limiter.admit(Some(address("2001:db8:1:2:ffff::9"))).is_err());
        assert!(limiter.admit(Some(address("2001:db8:1:3::1"))).is_ok());
        let _mapped = limiter.admit(Some(address("::ffff:192.0.2.7"))).unwrap();
        assert!(limiter.admit(Some(address("192.0.2.7"))).is_err());
    }
}
