//! What was said outlives a restart, and is read and searched.
