//! What a peer speaks: chat, or a protocol that has come to the wrong port.

/// A protocol that this port doesn't speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Http,
    Tls,
    Ssh,
}

impl Foreign {
    /// One line of advice.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Http => {
                "! bad-line: This is a chat server, not a web server. Connect with telnet, nc or \
                 chat-cli instead of a browser.\r\n"
            }
            Self::Tls => {
                "! bad-line: This port is plain, without TLS. Connect without TLS, with telnet, nc \
                 or chat-cli.\r\n"
            }
            Self::Ssh => {
                "! bad-line: This is a chat server, not an SSH server. Connect with telnet, nc or \
                 chat-cli instead of ssh.\r\n"
            }
        }
    }
}

/// The beginning of a connection, while it may still turn out that the peer speaks something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing has come.
    #[default]
    Fresh,
    /// The first byte is that of a TLS record.
    MaybeTls,
    /// It isn't TLS; the first line has not come whole.
    FirstLine,
    /// It is chat.
    Chat,
}

/// The type of a TLS handshake record, and the major version after it (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
const TLS_MAJOR: u8 = 3;

impl Opening {
    /// Looks at bytes before they are cut into lines.
    pub(super) fn of_bytes(&mut self, bytes: &[u8]) -> Option<Foreign> {
        for byte in bytes {
            *self = match (*self, *byte) {
                (Self::Fresh, TLS_HANDSHAKE) => Self::MaybeTls,
                (Self::MaybeTls, TLS_MAJOR) => return Some(Foreign::Tls),
                (Self::Fresh | Self::MaybeTls, _) => Self::FirstLine,
                (Self::FirstLine | Self::Chat, _) => return None,
            };
        }
        None
    }

    /// Looks at a line; only the first one can be foreign.
    pub(super) fn of_line(&mut self, line: &str) -> Option<Foreign> {
        if *self == Self::Chat {
            return None;
        }
        *self = Self::Chat;
        if is_http(line) {
            Some(Foreign::Http)
        } else if line.starts_with("SSH-") {
            Some(Foreign::Ssh)
        } else {
            None
        }
    }
}

/// `GET /path HTTP/1.1` (RFC 9112, section 3), or the preface of HTTP/2, which has the same shape.
fn is_http(line: &str) -> bool {
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default();
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    is_method
        && words.next().is_some_and(|target| !target.is_empty())
        && words.next().is_some_and(|version| version.starts_with("HTTP/"))
        && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_apart_from_people() {
        for (line, foreign) in [
            ("GET / HTTP/1.1", Some(Foreign::Http)),
            ("PRI * HTTP/2.0", Some(Foreign::Http)),
            ("SSH-2.0-OpenSSH_9.2", Some(Foreign::Ssh)),
            ("alice", None),
            ("GET is my name HTTP/1.1", None),
            ("get / HTTP/1.1", None),
        ] {
            assert_eq!(Opening::default().of_line(line), foreign, "{line}");
        }
        let mut opening = Opening::default();
        assert_eq!(opening.of_line("alice"), None);
        assert_eq!(opening.of_line("GET / HTTP/1.1"), None, "only the first line counts");
    }

    #[test]
    fn a_client_hello_is_known_however_it_is_cut() {
        let mut opening = Opening::default();
        assert_eq!(opening.of_bytes(&[]), None);
        assert_eq!(opening.of_bytes(&[22]), None);
        assert_eq!(opening.of_bytes(&[3, 1]), Some(Foreign::Tls));
        assert_eq!(Opening::default().of_bytes(&[22, 3, 1, 2, 0]), Some(Foreign::Tls));
        assert_eq!(Opening::default().of_bytes(&[22, b'a', 3]), None);
        assert_eq!(Opening::default().of_bytes(b"alice\n"), None);
    }
}
