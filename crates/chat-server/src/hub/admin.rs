//! Administration of the server.
//!
//! * [`command`]: a command of a server operator, as it is requested and as it is stored.
//! * [`bans`]: bans from the server.
//! * [`server_moderation`]: bans, invitations and the audit log in memory.

pub(in crate::hub) mod bans;
pub(crate) mod command;
pub(crate) mod server_moderation;
