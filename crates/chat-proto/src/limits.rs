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

/// Bytes of the token of `/ping`, which comes back as it was sent.
pub const MAX_TOKEN_BYTES: usize = 64;

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
const _: () = assert!(WORD_BYTES + MAX_TOKEN_BYTES <= MAX_LINE_BYTES);
