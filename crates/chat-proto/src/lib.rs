//! Lines, names and texts of the chat protocol.
pub mod limits;
pub mod line;
pub mod name;
pub mod text;
