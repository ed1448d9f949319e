//! Detects protocols that have come to the wrong port.

/// A protocol that this port doesn't speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForeignProtocol {
    Http,
    Tls,
    Ssh,
    Irc,
}

impl ForeignProtocol {
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
            Self::Irc => {
                "! bad-line: This is a chat server, not an IRC server. Connect with telnet, nc or \
                 chat-cli instead of an IRC client.\r\n"
            }
        }
    }
}

/// The first bytes of each protocol. None is a valid name: names contain no blanks, and a version
/// follows `SSH-2.0-`.
///
/// The first bytes are checked rather than the first line, which also finds requests whose first
/// line is too long or isn't text: a web page must not be able to make a browser chat (the page
/// controls what follows a request's head).
const BEGINNINGS: &[(&[u8], ForeignProtocol)] = &[
    // A handshake record of TLS (RFC 8446, section 5.1).
    (&[22, 3], ForeignProtocol::Tls),
    (b"SSH-2.0-", ForeignProtocol::Ssh),
    (b"SSH-1.", ForeignProtocol::Ssh),
    // The methods of HTTP (RFC 9110, section 9, and RFC 5789), and the preface of HTTP/2.
    (b"GET ", ForeignProtocol::Http),
    (b"HEAD ", ForeignProtocol::Http),
    (b"POST ", ForeignProtocol::Http),
    (b"PUT ", ForeignProtocol::Http),
    (b"DELETE ", ForeignProtocol::Http),
    (b"CONNECT ", ForeignProtocol::Http),
    (b"OPTIONS ", ForeignProtocol::Http),
    (b"TRACE ", ForeignProtocol::Http),
    (b"PATCH ", ForeignProtocol::Http),
    (b"PRI * HTTP/", ForeignProtocol::Http),
];

/// The commands with which an IRC client registers (RFC 2812, section 3.1; `CAP` of its third
/// version). Each one alone, even with blanks after it, is a valid name, so an argument must
/// follow.
const IRC_COMMANDS: &[&[u8]] = &[b"NICK ", b"USER ", b"PASS ", b"CAP "];

fn is_irc(first: &[u8]) -> bool {
    let has_argument = |rest: &[u8]| {
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        rest.get(blanks).is_some_and(u8::is_ascii_graphic)
    };
    IRC_COMMANDS.iter().any(|command| first.strip_prefix(*command).is_some_and(has_argument))
}

/// The first bytes of a connection, while the protocol is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sniffer {
    first: [u8; LONGEST],
    /// Their number. Beyond the longest beginning no further byte matters.
    length: u8,
}

const LONGEST: usize = b"PRI * HTTP/".len();

impl Sniffer {
    /// Checks bytes as they arrive.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Option<ForeignProtocol> {
        for byte in bytes {
            let length = usize::from(self.length);
            *self.first.get_mut(length)? = *byte;
            self.length += 1;
            let first = &self.first[..=length];
            let foreign = BEGINNINGS.iter().find(|(beginning, _)| *beginning == first);
            if let Some((_, foreign)) = foreign {
                return Some(*foreign);
            }
            if is_irc(first) {
                return Some(ForeignProtocol::Irc);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8], piece: usize) -> Option<ForeignProtocol> {
        let mut sniffer = Sniffer::default();
        bytes.chunks(piece).find_map(|piece| sniffer.look(piece))
    }

    #[test]
    fn other_protocols_are_detected_independent_of_cuts() {
        for (bytes, foreign) in [
            (&b"GET / HTTP/1.1\r\n"[..], Some(ForeignProtocol::Http)),
            (b"POST /aaaaaaaaaaaaaaaa", Some(ForeignProtocol::Http)),
            (b"GET /\xe9", Some(ForeignProtocol::Http)),
            (b"PRI * HTTP/2.0\r\n", Some(ForeignProtocol::Http)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Some(ForeignProtocol::Ssh)),
            (&[22, 3, 1, 2, 0], Some(ForeignProtocol::Tls)),
            (&[22, b'a', 3], None),
            (b"alice\nGET / HTTP/1.1\r\n", None),
            (b"GETTY\n", None),
            (b"get / HTTP/1.1\n", None),
            (b"SSH-fan\n", None),
            (b"NICK bob\r\n", Some(ForeignProtocol::Irc)),
            (b"USER a 0 * :b\r\n", Some(ForeignProtocol::Irc)),
            (b"PASS  secret\r\n", Some(ForeignProtocol::Irc)),
            (b"CAP LS 302\r\n", Some(ForeignProtocol::Irc)),
            (b"NICK\r\n", None),
            (b"NICK \r\nalice\n", None),
            (b"CAP\nLS 302\n", None),
            (b"nick\n", None),
            (b"Pass word\n", None),
            (b"", None),
        ] {
            for piece in 1..=bytes.len().max(1) {
                assert_eq!(seen(bytes, piece), foreign, "{:?}", bytes.escape_ascii().to_string());
            }
        }
    }
}
