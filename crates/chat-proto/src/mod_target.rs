//! The target of a ban: a user by name, or a range of addresses.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use crate::name::UserName;

/// The prefix length of `::ffff:0:0/96`, the IPv4-mapped addresses of IPv6.
const MAPPED_BITS: u8 = 96;

/// A user, or all clients in a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModTarget {
    /// The user of this name, or of one that is confusable with it.
    User(UserName),
    /// Clients that connect from this net. A single address is a net.
    Net(IpNet),
}

impl ModTarget {
    /// Parses an address (`192.0.2.7`) or a net (`10.0.0.0/8`, `2001:db8::/32`); `None` if it is
    /// neither.
    ///
    /// Bits behind the prefix are ignored, and an IPv4-mapped IPv6 address is an IPv4 address.
    pub fn net(typed: &str) -> Option<Self> {
        let net = match typed.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => typed.parse::<IpNet>().ok()?,
        };
        let net = match net.addr().to_canonical() {
            // Refuses a net that is wider than all of IPv4.
            v4 @ IpAddr::V4(_) if net.addr().is_ipv6() => {
                IpNet::new(v4, net.prefix_len().checked_sub(MAPPED_BITS)?).ok()?
            }
            _ => net,
        };
        Some(Self::Net(net.trunc()))
    }

    /// Whether a word that doesn't parse as a net is a mistyped address or net rather than a name:
    /// it has a colon or a slash, or only digits with at least three dots among them, and dashes. A
    /// name of that shape is typed with its `@`.
    pub fn is_meant_as_net(typed: &str) -> bool {
        let is_numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
        typed.contains([':', '/'])
            || typed.matches('.').count() >= 3 && typed.chars().all(is_numeric)
    }

    /// Whether a name has only digits and dots, like an incomplete address.
    pub fn is_like_address(name: &str) -> bool {
        name.contains('.') && name.chars().all(|c| c.is_ascii_digit() || c == '.')
    }

    /// The addresses of the target. One IPv6 address expands to its /64, which one client is
    /// assumed to own.
    pub fn addresses(&self) -> Option<IpNet> {
        match self {
            Self::User(_) => None,
            Self::Net(IpNet::V6(one)) if one.prefix_len() == one.max_prefix_len() => {
                Ipv6Net::new(one.addr(), 64).ok().map(|net| IpNet::V6(net.trunc()))
            }
            Self::Net(net) => Some(*net),
        }
    }

    /// Whether the target includes this address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses().is_some_and(|net| net.contains(&address.to_canonical()))
    }

    /// Parses what `Display` prints; `None` if it is neither a net nor a name.
    pub fn read(written: &str) -> Option<Self> {
        let user = |name| UserName::new(name).ok().map(Self::User);
        match written.strip_prefix('@') {
            Some(name) => user(name),
            None => Self::net(written).or_else(|| user(written)),
        }
    }
}

/// Prints the target as it is typed. A name that could be taken for an address has its `@`.
impl fmt::Display for ModTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name)
                if Self::net(name.as_str()).is_some() || Self::is_meant_as_net(name.as_str()) =>
            {
                write!(f, "@{name}")
            }
            Self::User(name) => write!(f, "{name}"),
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => {
                write!(f, "{}", net.addr())
            }
            Self::Net(net) => write!(f, "{net}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_round_trip() {
        for (typed, written) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.7/32", Some("192.0.2.7")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("2001:db8:1::/32", Some("2001:db8::/32")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7/128", Some("192.0.2.7")),
            ("::ffff:10.1.2.3/104", Some("10.0.0.0/8")),
            ("::ffff:10.1.2.3/96", Some("0.0.0.0/0")),
            ("::ffff:10.1.2.3/64", None),
            ("@1.2.3.256", Some("@1.2.3.256")),
            ("bob", Some("bob")),
            ("@bob", Some("bob")),
            ("@192.0.2.7", Some("@192.0.2.7")),
            ("1.2.3", Some("1.2.3")),
            ("10.0.0.0/33", None),
            ("2001:db8::/129", None),
            ("b b", None),
        ] {
            let read = ModTarget::read(typed);
            assert_eq!(read.as_ref().map(ToString::to_string).as_deref(), written, "{typed}");
            if let Some(read) = read {
                assert_eq!(ModTarget::read(&read.to_string()), Some(read), "{typed}");
            }
        }
    }
}
