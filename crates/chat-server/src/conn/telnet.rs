//! The telnet protocol (RFC 854, RFC 855) between bytes and lines: a pure state machine.
//!
//! 0xFF never occurs in UTF-8, so a peer's first one tells that it speaks telnet. Before that every byte
//! is data and nothing of telnet is ever sent. From then on commands are taken out, also when cut across
//! packets; every option that is offered or asked for is refused, but for the echo that the server takes over
//! while somebody types a password (RFC 857); a refusal is never answered, so there is no loop; and BS and DEL
//! erase.

/// What a piece of input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal<'a> {
    /// Bytes of lines.
    Data(&'a [u8]),
    /// The last character typed is to go (BS, DEL, IAC EC).
    EraseChar,
    /// The line typed so far is to go (IAC EL).
    EraseLine,
    /// The peer interrupts (IAC IP, IAC BRK, IAC ABORT), at a terminal by Ctrl-C.
    Interrupt,
    /// The peer asks whether anybody is there (IAC AYT).
    AreYouThere,
    /// To be sent.
    Reply([u8; 3]),
}

/// Where in a command the input is. The arguments of a subnegotiation are passed over, so what is
/// remembered is one byte whatever comes.
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

/// A subnegotiation that is longer than this has lost its end; what follows is data again.
const MAX_SUBNEGOTIATION: u16 = 512;

/// One peer's telnet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Telnet {
    speaks: bool,
    state: State,
    echo: Echo,
}

/// Whether the peer shows what is typed, or leaves that to the server, which doesn't: the states of RFC 1143
/// for the server's side of one option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Echo {
    #[default]
    Theirs,
    /// WILL was sent and is not answered yet.
    WantsOurs,
    Ours,
    /// WONT was sent and is not answered yet.
    WantsTheirs,
}

/// End of file, of RFC 1184 as the next two; nobody's leaving is taken from it.
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
    /// A peer that hasn't shown yet what it speaks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the peer has shown that it speaks telnet.
    pub fn speaks(&self) -> bool {
        self.speaks
    }

    /// Takes some input apart.
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

    /// Takes the echo over, so that what is typed isn't shown, or gives it back. Tells what is to be sent: nothing to
    /// a peer that hasn't shown that it speaks telnet.
    pub fn hide_typing(&mut self, hide: bool) -> Option<[u8; 3]> {
        let hidden = matches!(self.echo, Echo::WantsOurs | Echo::Ours);
        if !self.speaks || hidden == hide {
            return None;
        }
        self.echo = if hide { Echo::WantsOurs } else { Echo::WantsTheirs };
        Some([IAC, if hide { WILL } else { WONT }, ECHO])
    }

    /// IAC DONT ECHO: the answer to WONT, or the peer keeps its echo.
    fn is_told_to_leave_echo<'a>(&mut self, sink: &mut impl FnMut(Signal<'a>)) {
        if std::mem::take(&mut self.echo) == Echo::Ours {
            sink(Signal::Reply([IAC, WONT, ECHO]));
        }
    }

    /// How many bytes from the beginning are data.
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
            // An escaped 0xFF is data, though no UTF-8 has it.
            IAC => sink(Signal::Data(&rest[..1])),
            IP | BRK | ABORT => sink(Signal::Interrupt),
            AYT => sink(Signal::AreYouThere),
            EC => sink(Signal::EraseChar),
            EL => sink(Signal::EraseLine),
            // End of file, suspend, end of record, no-operation, data mark, abort output, go ahead.
            EOF..=WILL => {}
            // No command: a stray 0xFF, and data.
            _ => sink(Signal::Data(&rest[..1])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of some input, cut into pieces of this many bytes. Data is joined, so that cuts
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
    fn sequences_are_taken_out_however_they_are_cut() {
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
    fn a_subnegotiation_without_an_end_swallows_only_so_much() {
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
    fn typing_is_hidden_while_that_is_wanted_and_shown_again() {
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
        // A peer that wants to keep its echo, at once or later.
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
