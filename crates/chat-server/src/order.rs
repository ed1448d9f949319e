//! Where a line gets its place in its conversation.
//!
//! Each file is one way to implement [`crate::hub::ports::Order`].

pub mod local;
