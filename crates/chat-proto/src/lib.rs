//! The chat line protocol, version 1.
//!
//! In reading order:
//!
//! * [`limits`]: the limits that both sides observe.
//! * [`mod@line`]: bytes to lines and back ([`line::LineCodec`]).
//! * [`text`] and [`name`]: texts and names that are valid by construction.
//! * [`secret`]: passwords and tokens, which are never shown.
//! * [`conversation`]: the destination of a message, a channel or a private chat.
//! * [`command_table`]: the one table of commands; it feeds the parser, `/help`, completion and the
//!   docs.
//! * [`command`]: the command of a line, and its parser.
//! * [`setting`] and [`mod_target`]: a channel's settings, and the target of a moderation action.
//! * [`fold`]: the folding under which two words are equal.
//! * [`spelling`]: how a word filter reads a text.
//! * [`ban_mask`]: the target of a server-wide ban.
//! * [`refusal`]: a coded "no" for the user who sent a command.
//! * [`event`]: the output of the server.
//! * [`encoding`]: the encoding of events, as text and as JSON.
//!
//! This crate never opens a socket, starts a task or reads a clock: bytes, names and times are
//! arguments and return values. No domain type here is serialisable; the JSON format has its own
//! structs in its own module.

pub mod ban_mask;
pub mod command;
pub mod command_table;
pub mod conversation;
pub mod encoding;
pub mod event;
pub mod fold;
pub mod format;
pub mod id;
pub mod limits;
pub mod line;
pub mod mod_target;
pub mod name;
pub mod period;
pub mod refusal;
pub mod secret;
pub mod setting;
pub mod spelling;
pub mod suggest;
pub mod term;
pub mod text;
pub mod time;
