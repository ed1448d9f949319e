//! Messages: sending, and queries of stored ones.

pub(super) mod history;
pub(super) mod me;
pub(super) mod mentions;
pub(super) mod msg;
pub(super) mod once;
pub(super) mod private;
pub(super) mod reply;
pub(super) mod say;
pub(super) mod search;
