//! Against whom a ban is: a person by name, or a net of addresses.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::name::UserName;

/// A person, or everybody at some addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whoever has this name, or one that looks like it.
    User(UserName),
    /// Whoever connects from here. One address is a net of its own.
    Net(IpNet),
}

impl Target {
    /// Reads an address (`192.0.2.7`) or a net (`10.0.0.0/8`, `2001:db8::/32`); `None` if it is neither.
    ///
    /// Bits behind the prefix don't count, and an IPv4 address in IPv6's clothes is an IPv4 address.
    pub fn net(typed: &str) -> Option<Self> {
        let net = match typed.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => typed.parse::<IpNet>().ok()?.trunc(),
        };
        let is_one = net.prefix_len() == net.max_prefix_len();
        Some(Self::Net(if is_one { IpNet::from(net.addr().to_canonical()) } else { net }))
    }

    /// Reads what its `Display` writes; `None` if it is neither a net nor a name.
    pub fn read(written: &str) -> Option<Self> {
        let user = |name| UserName::new(name).ok().map(Self::User);
        match written.strip_prefix('@') {
            Some(name) => user(name),
            None => Self::net(written).or_else(|| user(written)),
        }
    }
}

/// As it is typed. A name that could be taken for an address has its `@`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) if Self::net(name.as_str()).is_some() => write!(f, "@{name}"),
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
    fn what_is_written_is_read_again() {
        for (typed, written) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.7/32", Some("192.0.2.7")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("2001:db8:1::/32", Some("2001:db8::/32")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7/128", Some("192.0.2.7")),
            ("bob", Some("bob")),
            ("@bob", Some("bob")),
            ("@192.0.2.7", Some("@192.0.2.7")),
            ("1.2.3", Some("1.2.3")),
            ("10.0.0.0/33", None),
            ("2001:db8::/129", None),
            ("b b", None),
        ] {
            let read = Target::read(typed);
            assert_eq!(read.as_ref().map(ToString::to_string).as_deref(), written, "{typed}");
            if let Some(read) = read {
                assert_eq!(Target::read(&read.to_string()), Some(read), "{typed}");
            }
        }
    }
}
