//! The lines that are sent to a server of each kind, and how its answers are recognised.

use std::io::Write as _;

use clap::ValueEnum;
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Greeting of the bare loop.
pub(crate) const FLOOR_GREETING: &str = "* floor";

/// With a channel's name after it, the only line that the bare loop doesn't forward: it moves its
/// sender to that channel. It is sent alone in one write.
pub(crate) const FLOOR_ENTER: &str = "/enter ";

/// The bare loop's answer to [`FLOOR_ENTER`].
pub(crate) const FLOOR_ENTERED: &str = "* entered";

/// The language of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dialect {
    /// Our protocol in the text format
    Text,
    /// Our protocol in the JSON format
    Json,
    /// RFC 2812
    Irc,
    /// The bare loop, which sends each line to all other members of the channel
    Floor,
}

/// The channel of a scenario that uses only one. On the bare loop every client starts in it and
/// sends nothing to enter it, so a client that only receives costs the loop the least.
pub(crate) const HALL: &str = "hall";

/// Lines to send, and a substring of the line that answers the last of them.
pub(crate) struct SignInRequest {
    pub(crate) lines: String,
    pub(crate) answer: &'static [u8],
}

/// The recipient of a message.
#[derive(Clone, Copy)]
pub(crate) enum To<'a> {
    /// The channel that the sender entered last.
    Current(&'a str),
    /// A channel that the sender is in.
    Channel(&'a str),
    /// One user.
    Person(&'a str),
}

impl Dialect {
    /// Signs in under a name. Sent as soon as the connection is established.
    pub(crate) fn sign_in(self, name: &str) -> SignInRequest {
        match self {
            Self::Text => SignInRequest { lines: format!("{name}\r\n"), answer: b"* Hello, " },
            Self::Json => SignInRequest {
                lines: format!("/format json\n/name {name}\n"),
                answer: br#""re":"name""#,
            },
            Self::Irc => SignInRequest {
                lines: format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\n"),
                answer: b" 001 ",
            },
            Self::Floor => {
                SignInRequest { lines: String::new(), answer: FLOOR_GREETING.as_bytes() }
            }
        }
    }

    /// Creates a channel and enters it.
    pub(crate) fn make(self, channel: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/create {channel}\r\n"), answer: b"* You made #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/create {channel}\n"), answer: br#""re":"create""# }
            }
            Self::Irc | Self::Floor => self.enter(channel),
        }
    }

    /// Enters an existing channel.
    pub(crate) fn enter(self, channel: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/enter {channel}\r\n"), answer: b"* You entered #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/enter {channel}\n"), answer: br#""re":"enter""# }
            }
            // The end of the list of members.
            Self::Irc => SignInRequest { lines: format!("JOIN #{channel}\r\n"), answer: b" 366 " },
            Self::Floor if channel == HALL => SignInRequest { lines: String::new(), answer: b"" },
            Self::Floor => SignInRequest {
                lines: format!("{FLOOR_ENTER}{channel}\n"),
                answer: FLOOR_ENTERED.as_bytes(),
            },
        }
    }

    /// Leaves a channel.
    pub(crate) fn leave(self, channel: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/leave #{channel}\r\n"), answer: b"* You left #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/leave #{channel}\n"), answer: br#""re":"leave""# }
            }
            Self::Irc => SignInRequest { lines: format!("PART #{channel}\r\n"), answer: b" PART " },
            Self::Floor => SignInRequest { lines: String::new(), answer: b"" },
        }
    }

    /// A request whose answer arrives after everything that the server sent before.
    pub(crate) fn settle(self) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: "/ping settled\r\n".to_owned(), answer: b"settled" }
            }
            Self::Json => SignInRequest { lines: "/ping settled\n".to_owned(), answer: b"settled" },
            Self::Irc => {
                SignInRequest { lines: "PING :settled\r\n".to_owned(), answer: b"settled" }
            }
            Self::Floor => SignInRequest { lines: String::new(), answer: b"" },
        }
    }

    /// Appends a line that sends `text`.
    pub(crate) fn say(self, to: To<'_>, text: &[u8], out: &mut Vec<u8>) {
        let begun = match (self, to) {
            (Self::Irc, To::Current(channel) | To::Channel(channel)) => {
                write!(out, "PRIVMSG #{channel} :")
            }
            (Self::Irc, To::Person(name)) => write!(out, "PRIVMSG {name} :"),
            (Self::Text | Self::Json, To::Channel(channel)) => write!(out, "/say #{channel} "),
            (Self::Text | Self::Json, To::Person(name)) => write!(out, "/msg {name} "),
            (Self::Floor, _) | (_, To::Current(_)) => Ok(()),
        };
        debug_assert!(begun.is_ok(), "a vector takes everything");
        out.extend_from_slice(text);
        out.extend_from_slice(self.ending());
    }

    fn ending(self) -> &'static [u8] {
        match self {
            Self::Json | Self::Floor => b"\n",
            Self::Text | Self::Irc => b"\r\n",
        }
    }

    /// Whether this line of the server is a refusal.
    pub(crate) fn refuses(self, line: &[u8]) -> bool {
        match self {
            Self::Text => line.starts_with(b"! "),
            Self::Json => line.starts_with(br#"{"type":"error""#),
            Self::Irc => {
                let code = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
                // A missing message of the day (422) is not a refusal.
                let refuses = code.len() == 3 && matches!(code[0], b'4' | b'5') && code != b"422";
                refuses || line.starts_with(b"ERROR ")
            }
            Self::Floor => false,
        }
    }

    /// Appends the answer to a keepalive request of the server.
    pub(crate) fn still_here(self, line: &[u8], out: &mut Vec<u8>) {
        if self == Self::Irc
            && let Some(token) = line.strip_prefix(b"PING ")
        {
            out.extend_from_slice(b"PONG ");
            out.extend_from_slice(token.trim_ascii_end());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whether these bytes may contain a keepalive request.
    pub(crate) fn may_ask(self, bytes: &[u8]) -> bool {
        self == Self::Irc
            && (bytes.starts_with(b"PING ") || memmem::find(bytes, b"\nPING ").is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_distinguished_from_answers() {
        for (dialect, line, refuses) in [
            (Dialect::Text, &b"! name-taken: Somebody is bob."[..], true),
            (Dialect::Text, b"* Hello, bob.", false),
            (Dialect::Json, br#"{"type":"error","re":"name"}"#, true),
            (Dialect::Json, br#"{"type":"ok","re":"name"}"#, false),
            (Dialect::Irc, b":irc.test 433 * bob :Nickname already in use", true),
            (Dialect::Irc, b":irc.test 422 bob :MOTD file is missing", false),
            (Dialect::Irc, b":irc.test 001 bob :Welcome", false),
            (Dialect::Irc, b"ERROR :Closing link", true),
        ] {
            assert_eq!(dialect.refuses(line), refuses, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn keepalive_requests_are_answered() {
        let mut out = Vec::new();
        Dialect::Irc.still_here(b"PING :irc.test\r\n", &mut out);
        Dialect::Text.still_here(b"PING :irc.test\r\n", &mut out);
        assert_eq!(out, b"PONG :irc.test\r\n");
        assert!(Dialect::Irc.may_ask(b":a PRIVMSG #b :c\r\nPING x\r\n"));
        assert!(!Dialect::Irc.may_ask(b":a PRIVMSG #b :PING x\r\n"));
    }
}
