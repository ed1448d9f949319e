//! Where a server is.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of the chat line protocol.
const DEFAULT_PORT: u16 = 5002;

/// Where a server is: a host and port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host name or IP address, and a port.
    Tcp { host: String, port: u16 },
    /// A path.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (host, rest) = bracketed.split_once(']').ok_or("the `]` is missing")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(format!("`{host}` is no IPv6 address"));
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(format!("`{rest}` follows the `]`")),
            }
        } else if text.parse::<Ipv6Addr>().is_ok() {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("it has no host; write HOST:PORT, HOST, or a path with a `/`".into());
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("`{port}` is no port; it is a number from 1 to 65535")),
            },
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_parsed() {
        for (typed, shown) in [
            ("localhost", "localhost:5002"),
            ("localhost:6000", "localhost:6000"),
            ("10.0.0.1", "10.0.0.1:5002"),
            ("::1", "[::1]:5002"),
            ("[::1]", "[::1]:5002"),
            ("[fe80::1]:70", "[fe80::1]:70"),
            ("/run/chat.sock", "/run/chat.sock"),
            ("./chat.sock", "./chat.sock"),
        ] {
            let address: Address = typed.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{typed}");
            assert_eq!(matches!(address, Address::Unix(_)), typed.contains('/'), "{typed}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for typed in
            ["", ":5002", "host:", "host:0", "host:65536", "host:x", "a:b:c", "[::1", "[x]:1"]
        {
            assert!(typed.parse::<Address>().is_err(), "{typed}");
        }
    }
}
