//! Network addresses of clients.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the prefix that limits count by. A client is assumed to own its whole IPv6 /64 (RFC
/// 4291, section 2.5.4).
pub(crate) fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
