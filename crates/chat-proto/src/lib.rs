//! The chat line protocol, version 1: what is on the wire and what it means.
//!
//! In reading order:
//!
//! * [`limits`]: the numbers that both sides keep to.
//! * [`mod@line`]: bytes to lines and back ([`line::LineCodec`]).
//! * [`text`] and [`name`]: words and names that cannot be wrong once they exist.
//! * [`secret`]: passwords and tokens, which nobody is shown.
//! * [`conversation`]: where a line is said, a channel or a private chat.
//! * [`command_table`]: the one table of commands; it feeds the parser, `/help`, completion and the
//!   docs.
//! * [`command`]: what a line asks for, and its parser.
//! * [`setting`] and [`mod_target`]: a channel's settings, and whom a moderation act is about.
//! * [`fold`]: when two words are the same to a person who types.
//! * [`spelling`]: how a filter of words reads a text.
//! * [`ban_mask`]: whom a ban from the whole server is about.
//! * [`refusal`]: a coded "no" for the person who asked.
//! * [`event`]: what the server tells.
//! * [`encoding`]: every event in each form, text and JSON.
//!
//! This crate never opens a socket, starts a task or reads a clock: bytes, names and times come in
//! as arguments and go out as values. No domain type here is serialisable; the JSON form has its
//! own structs in its own file.

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
