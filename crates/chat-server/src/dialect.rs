//! What a peer speaks: the encoding of events, and the behaviour that depends on it.
//!
//! Chat lines are the only dialect. Text and JSON are its encodings. Nothing else compares formats:
//! the session asks for a property, so that a further dialect needs changes here only.

use bytes::BytesMut;
use chat_proto::encoding::encode;
use chat_proto::event::Event;
use chat_proto::format::Format;

use crate::hub::client::ClientKind;

/// The dialect of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientDialect {
    format: Format,
}

impl ClientDialect {
    /// Chat lines in the given format.
    pub(crate) fn chat(format: Format) -> Self {
        Self { format }
    }

    /// The format of encoded deliveries.
    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Appends the encoded event.
    pub(crate) fn encode(self, event: &Event, out: &mut BytesMut) {
        encode(event, self.format, out);
    }

    /// Whether the ack of a message in a channel prints anything.
    pub(crate) fn shows_acks(self) -> bool {
        self.format == Format::Json
    }

    /// Whether the client stores sign-in tokens. A person at a terminal doesn't.
    pub(crate) fn stores_tokens(self) -> bool {
        self.format == Format::Json
    }

    /// Whether a reply comes before the rows that belong to it. A person reads the heading first; a
    /// program takes the reply as the end of the rows.
    pub(crate) fn reply_first(self) -> bool {
        self.format == Format::Text
    }

    /// The kind that is counted and displayed to operators.
    pub(crate) fn client_kind(self) -> ClientKind {
        match self.format {
            Format::Text => ClientKind::Text,
            Format::Json => ClientKind::Json,
        }
    }

    /// The kind once the peer has answered a telnet option. Only people use telnet.
    pub(crate) fn telnet_kind(self) -> ClientKind {
        match self.format {
            Format::Text => ClientKind::Telnet,
            Format::Json => ClientKind::Json,
        }
    }
}
