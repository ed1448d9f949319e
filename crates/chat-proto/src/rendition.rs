//! Every event in each form. The only place where an event becomes bytes.
//!
//! One event is at most one line; an event that a form has no line for renders to nothing.

mod json;
mod text;

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::event::Event;

pub use json::TYPES;

/// A form of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// For people at a terminal; lines end with CR LF.
    #[default]
    Text,
    /// For programs: one JSON object a line; lines end with LF.
    Json,
}

impl Form {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Appends the line of `event` in `form`, with its ending, to `out`.
pub fn render(event: &Event, form: Form, out: &mut BytesMut) {
    match form {
        Form::Text => text::render(event, out),
        Form::Json => json::render(event, out),
    }
}

/// The line of `event` in `form`, with its ending; empty if the form has none for it.
pub fn rendered(event: &Event, form: Form) -> Bytes {
    let text = match event {
        Event::Message { text, .. } | Event::Private { text, .. } => text.as_str().len(),
        _ => 0,
    };
    // Room for what stands around a text; a long name makes it grow.
    let around = match form {
        Form::Text => 48,
        Form::Json => 176,
    };
    let mut out = BytesMut::with_capacity(text + around);
    render(event, form, &mut out);
    out.freeze()
}
