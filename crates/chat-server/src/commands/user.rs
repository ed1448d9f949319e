//! Users: names, absence, ignoring, profiles.

pub(super) mod away;
pub(super) mod back;
pub(super) mod ignore;
pub(super) mod name;
pub(super) mod unignore;
pub(super) mod whois;
