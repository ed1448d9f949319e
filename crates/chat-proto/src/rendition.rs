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

/// About how many bytes the line of `event` has in `form`: that of something said in a conversation of a short name is no
/// longer, unless its text is escaped.
pub fn length(event: &Event, form: Form) -> usize {
    let text = match event {
        Event::Message { text, .. } | Event::Private { text, .. } => text.as_str().len(),
        _ => 0,
    };
    let around = match form {
        Form::Text => 48,
        Form::Json => 176,
    };
    text + around
}

/// The line of `event` in `form`, with its ending; empty if the form has none for it.
pub fn rendered(event: &Event, form: Form) -> Bytes {
    let mut out = BytesMut::with_capacity(length(event, form));
    render(event, form, &mut out);
    out.freeze()
}
