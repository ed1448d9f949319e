//! An event on its way to several people.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chat_proto::event::Event;
use chat_proto::id::LineId;
use chat_proto::name::ChannelName;
use chat_proto::rendition::{Form, rendered};

use super::person::PersonId;

/// An event with its place among a conversation's events. It is encoded at most once for each form,
/// when the first receiver of that form needs it, and the bytes are shared.
pub(crate) struct Delivery {
    pub(crate) event: Event,
    /// Whose doing it is: they have their own answer and don't get this.
    pub(crate) by: PersonId,
    /// Its place among all events of the channel; grows by one with each.
    pub(crate) seq: u64,
    /// The last line of the conversation, this one included: tells how many lines lie between two
    /// events.
    pub(crate) last_line: LineId,
    /// For what is told once to each person who shares any of these channels: it counts only where it
    /// comes through the first of them that the receiver is in.
    pub(crate) once_among: Option<Arc<[ChannelName]>>,
    /// Who is put out by this: nothing after it is theirs to see.
    pub(crate) ends_for: Option<PersonId>,
    text: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Delivery {
    pub(crate) fn new(event: Event, by: PersonId, seq: u64, last_line: LineId) -> Self {
        Self {
            event,
            by,
            seq,
            last_line,
            once_among: None,
            ends_for: None,
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
