//! `/channels`: the channels, those whose name contains what was typed.

use chat_proto::event::{Done, Event};
use chat_proto::text::Text;

use super::{Asker, Outcome};

pub(super) fn handle(asker: &Asker<'_>, part: Option<&Text>) -> Outcome {
    let found = asker.hub.channels(asker.person, part.map(Text::as_str), asker.now);
    let count = found.len();
    let rows = std::iter::once(Event::ChannelsHead { count, part: part.cloned() });
    let rows = rows.chain(found.into_iter().map(Event::from)).collect();
    Outcome::Answer(rows, Done::Listed { count })
}
