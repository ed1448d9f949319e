//! The limits that both ends of a connection have to know.
//!
//! They are part of the protocol and therefore constants, not settings: a client may count on them.

/// Bytes of a line without its ending. A longer line is refused whole, never cut.
pub const MAX_LINE_BYTES: usize = 4096;

/// Characters of a person's name as shown. Two names and a short line fit on a terminal of 80 columns.
pub const MAX_USER_NAME_CHARS: usize = 32;

/// Characters of a channel's name as shown, without its `#`.
pub const MAX_CHANNEL_NAME_CHARS: usize = 48;

/// Characters of a channel's topic; longer than one row of a terminal, shorter than a message.
pub const MAX_TOPIC_CHARS: usize = 300;

/// Characters of the reason given with `/quit`, `/kick`, `/away` and their like.
pub const MAX_REASON_CHARS: usize = 200;

/// Bytes that one character takes at most in UTF-8.
const MAX_CHAR_BYTES: usize = 4;

/// Room for a command's word and the blanks and signs around its arguments.
const WORD_BYTES: usize = 64;

// Whatever a limit allows can also be typed on one line.
const _: () = assert!(
    WORD_BYTES + (MAX_CHANNEL_NAME_CHARS + MAX_TOPIC_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES
);
const _: () = assert!(
    WORD_BYTES + (MAX_USER_NAME_CHARS + MAX_REASON_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES
);
// Whoever says something once has most of the line for the text.
const _: () = assert!(
    WORD_BYTES + (MAX_KEY_CHARS + MAX_CHANNEL_NAME_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES / 4
);

/// Lines that one `/history` asks for at most; who wants more asks again from where it ended.
pub const MAX_HISTORY_LINES: u32 = 10_000;

/// Lines that `/history` tells when no count is given; they fit on a terminal of 24 rows.
pub const HISTORY_LINES: u32 = 20;

/// Words and quoted phrases of one `/search`; more would narrow nothing.
pub const MAX_SEARCH_WORDS: usize = 16;

/// Of these, words and phrases of which only the beginning is given; each stands for many words.
pub const MAX_SEARCH_BEGINNINGS: usize = 4;

/// Characters of the key of `/once`; a UUID has 36, a SHA-256 in hexadecimal 64.
pub const MAX_KEY_CHARS: usize = 64;

/// How many near names or commands a refusal suggests.
pub const MAX_NEAREST: usize = 3;

/// Characters of a typed word that a refusal repeats; an answer stays much shorter than the line it
/// answers.
pub const MAX_SHOWN_WORD_CHARS: usize = 40;
