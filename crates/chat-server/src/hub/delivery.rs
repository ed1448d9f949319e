//! An event on its way to several people.

use std::sync::OnceLock;

use bytes::Bytes;
use chat_proto::event::Event;
use chat_proto::id::LineId;
use chat_proto::rendition::{Form, rendered};

use super::person::By;

/// An event with its number. It is encoded at most once for each form, when the first receiver of that
/// form needs it, and the bytes are shared.
pub(crate) struct Delivery {
    pub(crate) event: Event,
    /// Whose doing it is: they have their own answer and don't get this.
    pub(crate) by: By,
    /// From the hub's [`super::sequence::Sequence`].
    pub(crate) number: u64,
    /// The last line of the conversation, this one included: tells how many lines lie between two
    /// events.
    pub(crate) last_line: LineId,
    /// For what comes in more than one way and is told once to each person: the same for all of its
    /// copies.
    pub(crate) once: Option<u64>,
    text: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Delivery {
    pub(crate) fn new(event: Event, by: By, number: u64, last_line: LineId) -> Self {
        Self {
            event,
            by,
            number,
            last_line,
            once: None,
            text: OnceLock::new(),
            json: OnceLock::new(),
        }
    }

    /// Whether it is a line somebody said, with an id of its own.
    pub(crate) fn is_line(&self) -> bool {
        matches!(self.event, Event::Message { .. } | Event::Private { .. })
    }

    /// The line in this form, with its ending.
    pub(crate) fn bytes(&self, form: Form) -> &Bytes {
        let cell = match form {
            Form::Text => &self.text,
            Form::Json => &self.json,
        };
        cell.get_or_init(|| rendered(&self.event, form))
    }
}
