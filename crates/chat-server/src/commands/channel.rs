//! Channels: lists, creating, entering, leaving, topics, members.

pub(super) mod channels;
pub(super) mod create;
pub(super) mod drop;
pub(super) mod enter;
pub(super) mod leave;
pub(super) mod topic;
pub(super) mod users;
