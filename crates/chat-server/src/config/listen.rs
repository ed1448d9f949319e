//! TCP listeners: the addresses as written, and what they resolve to.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs as _};

use super::ConfigError;

/// One `--listen`, or one entry of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// One address, or all addresses of a name that no other entry has.
    pub addresses: Vec<TcpAddress>,
}

/// An address to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpAddress {
    /// The address.
    pub address: SocketAddr,
    /// Whether the socket accepts only IPv6, because another one has the port for IPv4. Otherwise
    /// `[::]` accepts both, whatever `net.ipv6.bindv6only` is set to.
    pub is_only_v6: bool,
}

/// Resolves all entries, and decides which socket accepts what.
pub(super) fn resolve(written: &[String]) -> Result<Vec<Listen>, ConfigError> {
    let mut taken: Vec<(&str, SocketAddr)> = Vec::new();
    for text in written {
        if let Ok(address) = text.parse().map(canonical) {
            let same = taken.iter().find(|(_, other)| overlap(*other, address));
            if let Some((other, _)) = same {
                return Err(ConfigError::SameAddress {
                    one: (*other).to_owned(),
                    other: text.clone(),
                });
            }
            taken.push((text, address));
        }
    }
    let mut found = Vec::with_capacity(written.len());
    for (at, text) in written.iter().enumerate() {
        let addresses = match text.parse() {
            Ok(address) => vec![canonical(address)],
            Err(_) if written[..at].contains(text) => {
                return Err(ConfigError::SameAddress { one: text.clone(), other: text.clone() });
            }
            Err(_) => {
                let mut new = look_up(text)?;
                new.retain(|address| {
                    let is_new = !taken.iter().any(|(_, other)| overlap(*other, *address));
                    if is_new {
                        taken.push((text, *address));
                    }
                    is_new
                });
                new
            }
        };
        found.push(addresses);
    }
    let has_v4 = |port| port != 0 && taken.iter().any(|(_, a)| a.is_ipv4() && a.port() == port);
    let found = found.into_iter().map(|addresses| Listen {
        addresses: addresses
            .into_iter()
            .map(|address| TcpAddress {
                address,
                is_only_v6: address.is_ipv6() && has_v4(address.port()),
            })
            .collect(),
    });
    Ok(found.collect())
}

/// Whether one socket would accept connections for the other. Each port 0 is another port.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_wildcard = |address: SocketAddr| address.ip().is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (one == other || is_wildcard(one) || is_wildcard(other))
}

/// An IPv4 address written as an IPv6 address counts as the IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip != address.ip() => SocketAddr::new(ip, address.port()),
        _ => address,
    }
}

fn look_up(text: &str) -> Result<Vec<SocketAddr>, ConfigError> {
    if text.contains('/') {
        return Err(ConfigError::PathAsAddress { path: text.to_owned() });
    }
    let found = || -> io::Result<Vec<SocketAddr>> {
        let wrong = || io::Error::new(ErrorKind::InvalidInput, "it has no port");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| {
            io::Error::new(ErrorKind::InvalidInput, "its port is no number up to 65535")
        })?;
        // An interface may stand in brackets with its address: [fe80::1%eth0]:5002.
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let found: Vec<_> =
            (bare.unwrap_or(host), port).to_socket_addrs()?.map(canonical).collect();
        if found.is_empty() { Err(ErrorKind::AddrNotAvailable.into()) } else { Ok(found) }
    };
    found().map_err(|source| ConfigError::Address { address: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(written: &[&str]) -> Result<Vec<(String, bool)>, String> {
        let written: Vec<_> = written.iter().map(|text| (*text).to_owned()).collect();
        let found = resolve(&written).map_err(|wrong| wrong.to_string())?;
        let all = found.into_iter().flat_map(|listen| listen.addresses);
        Ok(all.map(|at| (at.address.to_string(), at.is_only_v6)).collect())
    }

    #[test]
    fn a_port_of_both_families_is_two_sockets_in_either_order() {
        for (written, expected) in [
            (&["[::]:5002"][..], &[("[::]:5002", false)][..]),
            (&["0.0.0.0:5002"], &[("0.0.0.0:5002", false)]),
            (&["0.0.0.0:5002", "[::]:5002"], &[("0.0.0.0:5002", false), ("[::]:5002", true)]),
            (&["[::]:5002", "0.0.0.0:5002"], &[("[::]:5002", true), ("0.0.0.0:5002", false)]),
            (&["[::]:5002", "127.0.0.1:5002"], &[("[::]:5002", true), ("127.0.0.1:5002", false)]),
            (&["[::]:5002", "0.0.0.0:5003"], &[("[::]:5002", false), ("0.0.0.0:5003", false)]),
            (&["[::]:0", "0.0.0.0:0"], &[("[::]:0", false), ("0.0.0.0:0", false)]),
            (&["127.0.0.1:0", "127.0.0.1:0"], &[("127.0.0.1:0", false), ("127.0.0.1:0", false)]),
            (&["[::ffff:127.0.0.1]:5002"], &[("127.0.0.1:5002", false)]),
            (&["[fe80::1%7]:5002"], &[("[fe80::1%7]:5002", false)]),
        ] {
            let expected = expected.iter().map(|(text, only)| ((*text).to_owned(), *only));
            assert_eq!(resolved(written), Ok(expected.collect()), "{written:?}");
        }
    }

    #[test]
    fn duplicate_addresses_are_refused() {
        for written in [
            ["127.0.0.1:5002", "127.0.0.1:5002"],
            ["127.0.0.1:5002", "0.0.0.0:5002"],
            ["[::]:5002", "[::1]:5002"],
            ["127.0.0.1:5002", "[::ffff:127.0.0.1]:5002"],
            ["localhost:5002", "localhost:5002"],
        ] {
            let wrong = resolved(&written).unwrap_err();
            assert!(wrong.contains(written[1]) && wrong.contains("leave one"), "{wrong}");
        }
    }

    #[test]
    fn a_name_resolves_to_all_its_addresses_except_listed_ones() {
        let all = resolved(&["localhost:5002"]).unwrap();
        assert!(all.iter().any(|(address, _)| address == "127.0.0.1:5002"), "{all:?}");
        let with_one = resolved(&["localhost:5002", "127.0.0.1:5002"]).unwrap();
        assert_eq!(with_one.len(), all.len(), "{with_one:?}");
        assert_eq!(with_one.last(), Some(&("127.0.0.1:5002".to_owned(), false)));
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for text in ["5002", "127.0.0.1", "127.0.0.1:70000", ":5002", "[::]", ""] {
            let wrong = resolved(&[text]).unwrap_err();
            assert!(wrong.contains("is no address to listen on"), "{text}: {wrong}");
        }
        assert!(resolved(&["/run/chat.sock"]).unwrap_err().contains("--unix"));
    }
}
