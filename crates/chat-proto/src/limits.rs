//! The limits that both ends of a connection know.
//!
//! They are part of the protocol and therefore constants, not settings: a client may rely on them.

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

/// Rows of one answer to `/channels` or `/users`; its last line shows how to continue the list.
pub const LIST_ROWS: usize = 1000;

/// The same for `/channels` before a name is given, where the list doesn't continue.
pub const NAMELESS_LIST_ROWS: usize = 50;

/// Characters of the reason given with `/quit`, `/kick`, `/away` and their like.
pub const MAX_REASON_CHARS: usize = 200;

/// Minimum characters of a password, from NIST SP 800-63B.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Characters of a password; a sentence fits, and the longest of a password manager.
pub const MAX_PASSWORD_CHARS: usize = 200;

/// Characters of an invitation's code.
pub const MAX_INVITE_CHARS: usize = 64;

/// Days until an unused invitation expires.
pub const INVITATION_DAYS: usize = 7;

/// Unused invitations of one server.
pub const MAX_INVITATIONS: usize = 1000;

/// Bans of one server.
pub const MAX_SERVER_BANS: usize = 10_000;

/// Tokens of one account; one more sign-in revokes the least recently used token.
pub const MAX_TOKENS: usize = 32;

/// Days until a token expires after its last use.
pub const TOKEN_DAYS: usize = 30;

/// Concurrent connections that are signed in to one account.
pub const MAX_DEVICES: usize = 16;

/// Private messages that are sent at sign-in, the newest of those that arrived while the account
/// was offline. They fit on a few screens; `/history` returns the rest.
pub const MAX_WAITING_LINES: usize = 100;

/// Maximum bytes of one character in UTF-8.
const MAX_CHAR_BYTES: usize = 4;

/// Bytes reserved for a command's word and the blanks and signs around its arguments.
const WORD_BYTES: usize = 64;

// Every argument of maximum length fits on one line.
const _: () = assert!(
    WORD_BYTES + (MAX_CHANNEL_NAME_CHARS + MAX_TOPIC_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES
);
const _: () = assert!(
    WORD_BYTES + (MAX_USER_NAME_CHARS + MAX_REASON_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES
);
// An old and a new password on one line, or an invitation and a password.
const _: () = assert!(WORD_BYTES + 2 * MAX_PASSWORD_CHARS * MAX_CHAR_BYTES <= MAX_LINE_BYTES);
const _: () = assert!(MAX_INVITE_CHARS <= MAX_PASSWORD_CHARS);
// In `/once` most of the line is left for the text.
const _: () = assert!(
    WORD_BYTES + (MAX_KEY_CHARS + MAX_CHANNEL_NAME_CHARS) * MAX_CHAR_BYTES <= MAX_LINE_BYTES / 4
);

/// Maximum messages of one `/history`; another request can continue at its end.
pub const MAX_HISTORY_LINES: u32 = 10_000;

/// Messages that `/history` returns without a count; they fit on a terminal of 24 rows.
pub const HISTORY_LINES: u32 = 20;

/// Words and quoted phrases of one `/search`; more wouldn't narrow the result.
pub const MAX_SEARCH_WORDS: usize = 16;

/// Prefixes among them; each matches many words.
pub const MAX_SEARCH_BEGINNINGS: usize = 4;

/// Characters of the key of `/once`; a UUID has 36, a SHA-256 in hexadecimal 64.
pub const MAX_KEY_CHARS: usize = 64;

/// Seconds of a timed ban or mute: ten years. A longer one is permanent, without a time.
pub const MAX_PERIOD_SECS: u32 = 3650 * 86_400;

/// Seconds between the messages of one user in a slow channel: six hours.
pub const MAX_SLOW_SECS: u32 = 6 * 3600;

/// Moderation actions that one `/log` returns; a channel stores no more.
pub const MAX_LOGGED_ACTS: u32 = 1000;

/// Moderation actions that `/log` returns without a count; they fit on a terminal of 24 rows.
pub const LOGGED_ACTS: u32 = 20;

/// Characters of one pattern of `/set words`.
pub const MAX_PATTERN_CHARS: usize = 48;

/// Patterns of `/set words` in one channel; every message there is matched against all of them.
pub const MAX_PATTERNS: usize = 50;

/// Similar names or commands that a refusal suggests.
pub const MAX_NEAREST: usize = 3;

/// Characters of a typed word that a refusal repeats; this bounds the length of an answer to a long
/// line.
pub const MAX_SHOWN_WORD_CHARS: usize = 40;
