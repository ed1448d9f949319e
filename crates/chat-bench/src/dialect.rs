//! What is sent to a server of each kind, and how its answer is known.

use std::io::Write as _;

use clap::ValueEnum;
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Greeting of the bare loop.
pub(crate) const FLOOR_GREETING: &str = "* floor";

/// With a channel's name after it, the only line that the bare loop doesn't pass on: its sender is
/// in that channel from then on. It arrives alone.
pub(crate) const FLOOR_ENTER: &str = "/enter ";

/// The bare loop's answer to it.
pub(crate) const FLOOR_ENTERED: &str = "* entered";

/// How one talks to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dialect {
    /// Our protocol in the text form
    Text,
    /// Our protocol in the JSON form
    Json,
    /// RFC 2812
    Irc,
    /// The bare loop, which sends each line to everybody else in the room
    Floor,
}

/// The room of a scenario that has one only. At the bare loop everybody is in it from the
/// beginning, and stays somebody who has never said anything, of whom the least is to be done.
pub(crate) const HALL: &str = "hall";

/// Lines to be sent, and what the line holds that answers the last of them.
pub(crate) struct SignInRequest {
    pub(crate) lines: String,
    pub(crate) answer: &'static [u8],
}

/// Whom a line is for.
#[derive(Clone, Copy)]
pub(crate) enum To<'a> {
    /// The room that one entered last.
    Current(&'a str),
    /// Some room that one is in.
    Room(&'a str),
    /// One person.
    Person(&'a str),
}

impl Dialect {
    /// Gives the name. It is sent as soon as the connection is there.
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

    /// Makes a room and is in it then.
    pub(crate) fn make(self, room: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/create {room}\r\n"), answer: b"* You made #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/create {room}\n"), answer: br#""re":"create""# }
            }
            Self::Irc | Self::Floor => self.enter(room),
        }
    }

    /// Enters a room that is there.
    pub(crate) fn enter(self, room: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/enter {room}\r\n"), answer: b"* You entered #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/enter {room}\n"), answer: br#""re":"enter""# }
            }
            // The end of the list of who is there.
            Self::Irc => SignInRequest { lines: format!("JOIN #{room}\r\n"), answer: b" 366 " },
            Self::Floor if room == HALL => SignInRequest { lines: String::new(), answer: b"" },
            Self::Floor => SignInRequest {
                lines: format!("{FLOOR_ENTER}{room}\n"),
                answer: FLOOR_ENTERED.as_bytes(),
            },
        }
    }

    /// Leaves a room.
    pub(crate) fn leave(self, room: &str) -> SignInRequest {
        match self {
            Self::Text => {
                SignInRequest { lines: format!("/leave #{room}\r\n"), answer: b"* You left #" }
            }
            Self::Json => {
                SignInRequest { lines: format!("/leave #{room}\n"), answer: br#""re":"leave""# }
            }
            Self::Irc => SignInRequest { lines: format!("PART #{room}\r\n"), answer: b" PART " },
            Self::Floor => SignInRequest { lines: String::new(), answer: b"" },
        }
    }

    /// A question of which the answer comes after everything that was told before.
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

    /// Appends a line that says `text`.
    pub(crate) fn say(self, to: To<'_>, text: &[u8], out: &mut Vec<u8>) {
        let begun = match (self, to) {
            (Self::Irc, To::Current(room) | To::Room(room)) => write!(out, "PRIVMSG #{room} :"),
            (Self::Irc, To::Person(name)) => write!(out, "PRIVMSG {name} :"),
            (Self::Text | Self::Json, To::Room(room)) => write!(out, "/say #{room} "),
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

    /// Whether this line of the server's refuses something.
    pub(crate) fn refuses(self, line: &[u8]) -> bool {
        match self {
            Self::Text => line.starts_with(b"! "),
            Self::Json => line.starts_with(br#"{"type":"error""#),
            Self::Irc => {
                let code = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
                // That there is no message of the day is no refusal (422).
                let refuses = code.len() == 3 && matches!(code[0], b'4' | b'5') && code != b"422";
                refuses || line.starts_with(b"ERROR ")
            }
            Self::Floor => false,
        }
    }

    /// What is to be answered to a line by which the server asks whether one is still there.
    pub(crate) fn still_here(self, line: &[u8], out: &mut Vec<u8>) {
        if self == Self::Irc
            && let Some(token) = line.strip_prefix(b"PING ")
        {
            out.extend_from_slice(b"PONG ");
            out.extend_from_slice(token.trim_ascii_end());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whether such a line may be among these bytes.
    pub(crate) fn may_ask(self, bytes: &[u8]) -> bool {
        self == Self::Irc
            && (bytes.starts_with(b"PING ") || memmem::find(bytes, b"\nPING ").is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_answers() {
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
    fn a_server_that_asks_whether_one_is_there_is_answered() {
        let mut out = Vec::new();
        Dialect::Irc.still_here(b"PING :irc.test\r\n", &mut out);
        Dialect::Text.still_here(b"PING :irc.test\r\n", &mut out);
        assert_eq!(out, b"PONG :irc.test\r\n");
        assert!(Dialect::Irc.may_ask(b":a PRIVMSG #b :c\r\nPING x\r\n"));
        assert!(!Dialect::Irc.may_ask(b":a PRIVMSG #b :PING x\r\n"));
    }
}
