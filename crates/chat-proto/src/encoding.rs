//! The encoding of events in each format. The only place where an event becomes bytes.
//!
//! One event is at most one line; an event that has no line in a format encodes to nothing.

mod json;
mod text;

use bytes::{Bytes, BytesMut};

use crate::event::Event;
use crate::format::Format;

pub use json::TYPES;

/// Appends the line of `event` in `format`, with its ending, to `out`.
pub fn encode(event: &Event, format: Format, out: &mut BytesMut) {
    match format {
        Format::Text => text::render(event, out),
        Format::Json => json::render(event, out),
    }
}

/// An estimate of the length of the line in bytes. It is an upper bound for a message in a
/// conversation with a short name, unless its text is escaped.
pub fn estimated_len(event: &Event, format: Format) -> usize {
    let text = match event {
        Event::Message { text, .. } | Event::Private { text, .. } => text.as_str().len(),
        _ => 0,
    };
    let around = match format {
        Format::Text => 48,
        Format::Json => 176,
    };
    text + around
}

/// The line of `event` in `format`, with its ending; empty if the format has none for it.
pub fn encoded(event: &Event, format: Format) -> Bytes {
    let mut out = BytesMut::with_capacity(estimated_len(event, format));
    encode(event, format, &mut out);
    out.freeze()
}
