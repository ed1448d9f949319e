//! Commands of server operators.

pub(super) mod announce;
pub(super) mod invitation;
pub(super) mod kill;
pub(super) mod server_bans;
pub(super) mod stats;
