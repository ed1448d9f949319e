//! The limits that both ends of a connection have to know.
//!
//! They are part of the protocol and therefore constants, not settings: a client may count on them.

/// Bytes of a line without its ending. A longer line is refused whole, never cut.
pub const MAX_LINE_BYTES: usize = 4096;

/// Characters of a person's name as shown. Two names and a short line fit on a terminal of 80
/// columns.
pub const MAX_USER_NAME_CHARS: usize = 32;

/// Characters of a channel's name as shown, without its `#`.
pub const MAX_CHANNEL_NAME_CHARS: usize = 48;

/// Characters of a channel's topic; longer than one row of a terminal, shorter than a message.
pub const MAX_TOPIC_CHARS: usize = 300;

/// Characters of a topic in a row of `/channels`; `/topic` and `/enter` show the whole.
pub const LISTED_TOPIC_CHARS: usize = 80;

/// Rows of one answer to `/channels` or `/users`; its last line tells how the list goes on.
pub const LIST_ROWS: usize = 1000;

/// The same of `/channels` before a name is given, where the list doesn't go on.
pub const NAMELESS_LIST_ROWS: usize = 50;

/// Characters of the reason given with `/quit`, `/kick`, `/away` and their like.
pub const MAX_REASON_CHARS: usize = 200;

/// Characters of a password at least, as NIST SP 800-63B has it.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Characters of a password; a sentence fits, and a password manager's longest.
pub const MAX_PASSWORD_CHARS: usize = 200;

/// Characters of an invitation's code.
pub const MAX_INVITE_CHARS: usize = 64;

/// Days that an invitation is good for if it isn't used.
pub const INVITATION_DAYS: usize = 7;

/// Invitations of one server that are not used yet.
pub const MAX_INVITATIONS: usize = 1000;

/// Bans of one server.
pub const MAX_SERVER_BANS: usize = 10_000;

/// Tokens of one account; who signs in once more loses the one that was used longest ago.
pub const MAX_TOKENS: usize = 32;

/// Days that a token is good for after it was used last.
pub const TOKEN_DAYS: usize = 30;

/// Connections that are signed in to one account at once.
pub const MAX_DEVICES: usize = 16;

/// Private lines that are told to whoever signs in after a while, the newest of all that came; they
/// fit on a few screens, and the rest is asked for by `/history`.
pub const MAX_WAITING_LINES: usize = 100;

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
// An old and a new password on one line, or an invitation and a password.
const _: () = assert!(WORD_BYTES + 2 * MAX_PASSWORD_CHARS * MAX_CHAR_BYTES <= MAX_LINE_BYTES);
const _: () = assert!(MAX_INVITE_CHARS <= MAX_PASSWORD_CHARS);
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

/// Seconds of a timed ban or mute: ten years. Who means longer leaves the time out.
pub const MAX_PERIOD_SECS: u32 = 3650 * 86_400;

/// Seconds between the lines of one person in a slow channel: six hours.
pub const MAX_SLOW_SECS: u32 = 6 * 3600;

/// Acts that one `/log` tells; a channel keeps no more.
pub const MAX_LOGGED_ACTS: u32 = 1000;

/// Acts that `/log` tells when no count is given; they fit on a terminal of 24 rows.
pub const LOGGED_ACTS: u32 = 20;

/// Characters of one pattern of `/set words`.
pub const MAX_PATTERN_CHARS: usize = 48;

/// Patterns of `/set words` in one channel; every line that is said there is held against all of
/// them.
pub const MAX_PATTERNS: usize = 50;

/// How many near names or commands a refusal suggests.
pub const MAX_NEAREST: usize = 3;

/// Characters of a typed word that a refusal repeats; an answer stays much shorter than the line it
/// answers.
pub const MAX_SHOWN_WORD_CHARS: usize = 40;
