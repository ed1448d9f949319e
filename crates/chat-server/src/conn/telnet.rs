//! The telnet protocol (RFC 854, RFC 855) between bytes and lines: a pure state machine.
//!
//! 0xFF never occurs in UTF-8, so the first one shows that a peer speaks telnet. Before that every
//! byte is data, and no telnet command is sent. Then commands are removed, also when split across
//! packets. Every option is refused except the echo, which the server takes over during a password
//! (RFC 857). A refusal is never answered, so there is no loop. BS and DEL erase.

/// The meaning of a piece of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal<'a> {
    /// Bytes of lines.
    Data(&'a [u8]),
    /// Erase the last character (BS, DEL, IAC EC).
    EraseChar,
    /// Erase the line (IAC EL).
    EraseLine,
    /// Interrupt (IAC IP, IAC BRK, IAC ABORT), at a terminal by Ctrl-C.
    Interrupt,
    /// Are You There (IAC AYT).
    AreYouThere,
    /// A reply to send.
    Reply([u8; 3]),
}

/// The position within a command. Arguments of a subnegotiation are skipped, so the state is one
/// byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC WILL or IAC DO: the option comes next.
    Asked {
        refusal: u8,
    },
    /// After IAC WONT or IAC DONT: the option comes next and needs no answer.
    Declined {
        dont: bool,
    },
    Subnegotiation {
        length: u16,
    },
    /// In a subnegotiation, after IAC.
    SubnegotiationCommand {
        length: u16,
    },
}

/// Length beyond which a subnegotiation counts as unterminated; what follows is data.
const MAX_SUBNEGOTIATION: u16 = 512;

/// The telnet state of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Telnet {
    speaks: bool,
    state: State,
    echo: Echo,
}

/// Which side echoes: the peer, or the server, which doesn't print the input. The states of RFC
/// 1143 for the server's side of one option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Echo {
    #[default]
    Theirs,
    /// WILL was sent and isn't answered.
    WantsOurs,
    Ours,
    /// WONT was sent and isn't answered.
    WantsTheirs,
}

/// End of file, of RFC 1184 like the next two. It ends no session.
const EOF: u8 = 236;
const ABORT: u8 = 238;
const SE: u8 = 240;
const BRK: u8 = 243;
const IP: u8 = 244;
const AYT: u8 = 246;
const EC: u8 = 247;
const EL: u8 = 248;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// The option of RFC 857.
const ECHO: u8 = 1;

const BS: u8 = 8;
const DEL: u8 = 127;

impl Telnet {
    /// A peer that hasn't sent a telnet command.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the peer speaks telnet.
    pub fn speaks(&self) -> bool {
        self.speaks
    }

    /// Splits input into signals.
    pub fn feed<'a>(&mut self, input: &'a [u8], sink: &mut impl FnMut(Signal<'a>)) {
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Data => {
                    let plain = self.plain_length(rest);
                    if plain > 0 {
                        let (data, after) = rest.split_at(plain);
                        sink(Signal::Data(data));
                        rest = after;
                        continue;
                    }
                    if byte == IAC {
                        self.speaks = true;
                        self.state = State::Command;
                    } else {
                        sink(Signal::EraseChar);
                    }
                }
                State::Command => self.command(byte, rest, sink),
                State::Asked { refusal } => {
                    self.state = State::Data;
                    if (refusal, byte) != (WONT, ECHO) || self.echo == Echo::Theirs {
                        sink(Signal::Reply([IAC, refusal, byte]));
                    } else if self.echo == Echo::WantsOurs {
                        self.echo = Echo::Ours;
                    }
                }
                State::Declined { dont } => {
                    self.state = State::Data;
                    if dont && byte == ECHO {
                        self.is_told_to_leave_echo(sink);
                    }
                }
                State::Subnegotiation { length: MAX_SUBNEGOTIATION.. } => self.state = State::Data,
                State::Subnegotiation { length } if byte == IAC => {
                    self.state = State::SubnegotiationCommand { length };
                }
                State::SubnegotiationCommand { .. } if byte == SE => self.state = State::Data,
                State::Subnegotiation { length } | State::SubnegotiationCommand { length } => {
                    self.state = State::Subnegotiation { length: length + 1 };
                }
            }
            rest = after;
        }
    }

    /// Takes over the echo, so that input isn't displayed, or gives it back. Returns the bytes to
    /// send: none to a peer that doesn't speak telnet.
    pub fn hide_typing(&mut self, hide: bool) -> Option<[u8; 3]> {
        let hidden = matches!(self.echo, Echo::WantsOurs | Echo::Ours);
        if !self.speaks || hidden == hide {
            return None;
        }
        self.echo = if hide { Echo::WantsOurs } else { Echo::WantsTheirs };
        Some([IAC, if hide { WILL } else { WONT }, ECHO])
    }

    /// IAC DONT ECHO: the answer to WONT, or a refusal of WILL.
    fn is_told_to_leave_echo<'a>(&mut self, sink: &mut impl FnMut(Signal<'a>)) {
        if std::mem::take(&mut self.echo) == Echo::Ours {
            sink(Signal::Reply([IAC, WONT, ECHO]));
        }
    }

    /// The number of leading data bytes.
    fn plain_length(self, input: &[u8]) -> usize {
        let end = if self.speaks {
            memchr::memchr3(IAC, BS, DEL, input)
        } else {
            memchr::memchr(IAC, input)
        };
        end.unwrap_or(input.len())
    }

    fn command<'a>(&mut self, byte: u8, rest: &'a [u8], sink: &mut impl FnMut(Signal<'a>)) {
        self.state = State::Data;
        match byte {
            WILL => self.state = State::Asked { refusal: DONT },
            DO => self.state = State::Asked { refusal: WONT },
            WONT | DONT => self.state = State::Declined { dont: byte == DONT },
            SB => self.state = State::Subnegotiation { length: 0 },
            // An escaped 0xFF is data, though it isn't valid UTF-8.
            IAC => sink(Signal::Data(&rest[..1])),
            IP | BRK | ABORT => sink(Signal::Interrupt),
            AYT => sink(Signal::AreYouThere),
            EC => sink(Signal::EraseChar),
            EL => sink(Signal::EraseLine),
            // End of file, suspend, end of record, no-operation, data mark, abort output, go ahead.
            EOF..=WILL => {}
            // Not a command: a stray 0xFF, and data.
            _ => sink(Signal::Data(&rest[..1])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signals of an input that is cut into pieces of this length. Data is joined, so cuts
    /// don't show.
    fn fed(input: &[u8], piece: usize) -> Vec<String> {
        let mut telnet = Telnet::new();
        let mut seen: Vec<String> = Vec::new();
        for piece in input.chunks(piece) {
            telnet.feed(piece, &mut |signal| match signal {
                Signal::Data(data) => {
                    let data = data.escape_ascii().to_string();
                    match seen.last_mut() {
                        Some(last) if last.starts_with('"') => last.push_str(&data),
                        _ => seen.push(format!("\"{data}")),
                    }
                }
                other => seen.push(format!("{other:?}")),
            });
        }
        seen
    }

    #[test]
    fn commands_are_removed_independent_of_cuts() {
        for (input, expected) in [
            (&b"hi\r\n"[..], &["\"hi\\r\\n"][..]),
            (b"a\x08\x7fb\n", &["\"a\\x08\\x7fb\\n"]),
            (b"\xff\xfb\x18hi\n", &["Reply([255, 254, 24])", "\"hi\\n"]),
            (b"\xff\xfd\x01\xff\xfc\x01\xff\xfe\x01x", &["Reply([255, 252, 1])", "\"x"]),
            (b"h\xff\xfa\x1f\x00\xff\xff\x50\x00\xff\xf0i", &["\"hi"]),
            (b"\xff\xf4a\xff\xf6b", &["Interrupt", "\"a", "AreYouThere", "\"b"]),
            (b"\xff\xf1a\x08b\x7f", &["\"a", "EraseChar", "\"b", "EraseChar"]),
            (b"ab\xff\xf7c\xff\xf8d", &["\"ab", "EraseChar", "\"c", "EraseLine", "\"d"]),
            (b"a\xff\xffb", &["\"a\\xffb"]),
            (b"\xff\xeca\xff\xedb\xff\xefc", &["\"abc"]),
            (b"\xff\xeea", &["Interrupt", "\"a"]),
            (b"abc\xff\n/ping 1\n", &["\"abc\\n/ping 1\\n"]),
        ] {
            for piece in 1..=input.len() {
                assert_eq!(fed(input, piece), expected, "{input:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_unterminated_subnegotiation_is_bounded() {
        let mut input = vec![IAC, SB];
        input.extend([b'x'; 1000]);
        input.extend(b"hi\n");
        let seen = fed(&input, 7);
        assert_eq!(seen.len(), 1);
        assert!(seen[0].ends_with("xhi\\n"), "{seen:?}");
    }

    #[test]
    fn nothing_is_ever_sent_to_a_peer_that_speaks_no_telnet() {
        let all_of_utf8: Vec<u8> = (0..=0xfe).collect();
        assert!(fed(&all_of_utf8, 1).iter().all(|signal| signal.starts_with('"')));
    }

    #[test]
    fn input_is_hidden_on_request_and_displayed_again() {
        let feed = |telnet: &mut Telnet, input: &'static [u8]| {
            let mut replies = Vec::new();
            telnet.feed(input, &mut |signal| {
                if let Signal::Reply(reply) = signal {
                    replies.push(reply);
                }
            });
            replies
        };
        let mut telnet = Telnet::new();
        assert_eq!(telnet.hide_typing(true), None, "the peer speaks no telnet");
        feed(&mut telnet, b"\xff\xf1");
        assert_eq!(telnet.hide_typing(false), None);
        assert_eq!(feed(&mut telnet, b"\xff\xfd\x01"), [[IAC, WONT, ECHO]], "nobody offered it");
        for late in [false, true] {
            assert_eq!(telnet.hide_typing(true), Some([IAC, WILL, ECHO]));
            assert_eq!(telnet.hide_typing(true), None);
            if !late {
                assert!(feed(&mut telnet, b"\xff\xfd\x01").is_empty(), "an answer has none");
            }
            assert_eq!(telnet.hide_typing(false), Some([IAC, WONT, ECHO]));
            if late {
                assert!(feed(&mut telnet, b"\xff\xfd\x01").is_empty(), "an answer that is late");
            }
            assert!(feed(&mut telnet, b"\xff\xfe\x01").is_empty());
        }
        // The peer refuses the server's echo, at once or later.
        telnet.hide_typing(true);
        assert!(feed(&mut telnet, b"\xff\xfe\x01").is_empty());
        assert_eq!(telnet.hide_typing(false), None);
        telnet.hide_typing(true);
        feed(&mut telnet, b"\xff\xfd\x01");
        assert_eq!(feed(&mut telnet, b"\xff\xfe\x01"), [[IAC, WONT, ECHO]]);
        assert_eq!(telnet.hide_typing(false), None);
    }

    #[test]
    fn our_own_refusals_sent_back_are_never_answered() {
        for option in 0..=255 {
            for refusal in [WONT, DONT] {
                assert!(fed(&[IAC, refusal, option], 3).is_empty());
            }
        }
    }
}
