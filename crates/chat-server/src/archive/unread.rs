//! What an account hasn't read, and which lines name it.

use std::time::Instant;

use chat_proto::command::Before;
use chat_proto::id::LineId;
use chat_proto::limits::MAX_WAITING_LINES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;

use super::{SEARCH_DEADLINE, Stored, Told, event, stored, stored_key, unless_failed};
use crate::hub::person::Party;
use crate::hub::ports::{self, ConversationKey, Found};
use crate::store::{Hit, Hits, Key, Kind, Lookup, Mentions, StoredLine, Unread, Whose};

/// Lines of one conversation that are counted; where more aren't read, it is told that these aren't.
const MOST_COUNTED: u64 = 10_000;

/// Lines that name somebody and are counted for one channel.
const MOST_NAMING: usize = 100;

/// What an account hasn't read: how much of its channels, and the newest private lines.
pub(super) fn unread(lookup: &Lookup, reader: &ports::Reader) -> Result<Found, Refusal> {
    let stored = Stored::new(reader.party, reader.hidden.clone());
    let all = unless_failed(lookup.unread(&stored.reader(), MOST_COUNTED))?;
    let mut found = Found::default();
    let mut private = Vec::new();
    for mut one in all {
        bring_up_to_date(lookup, &stored, reader, &mut one)?;
        if one.others == 0 {
            continue;
        }
        match &one.whose {
            Whose::Channel(shown) => {
                let Ok(channel) = ChannelName::new(shown) else { continue };
                let mentions = count_naming(lookup, &stored, reader, &channel, one.after);
                let (count, after) = (one.others, LineId(one.after));
                found.unread.push(ports::Unread { channel, count, mentions, after });
            }
            Whose::Private(..) => {
                found.waiting += one.others;
                private.push(one);
            }
        }
    }
    newest_private(lookup, reader, &stored, &private, &mut found)?;
    Ok(found)
}

/// What was read since the store was told of it last.
fn bring_up_to_date(
    lookup: &Lookup,
    of: &Stored,
    reader: &ports::Reader,
    one: &mut Unread,
) -> Result<(), Refusal> {
    let key = match &one.whose {
        Whose::Channel(shown) => ChannelName::new(shown).map(ConversationKey::Channel),
        Whose::Private((one, other), _) => Ok(ConversationKey::Private(Party(*one), Party(*other))),
    };
    let Ok(key) = key else { return Ok(()) };
    let Some(LineId(read)) = reader.read.get(&key).copied().filter(|read| read.0 > one.after)
    else {
        return Ok(());
    };
    let again = stored_key(&key, |key| {
        unless_failed(lookup.unread_in(key, read, &of.reader(), MOST_COUNTED))
    })?;
    if let Some(again) = again {
        *one = again;
    }
    Ok(())
}

fn count_naming(
    lookup: &Lookup,
    of: &Stored,
    reader: &ports::Reader,
    channel: &ChannelName,
    after: u64,
) -> u64 {
    let asked = Mentions {
        reader: of.reader(),
        name: reader.name.as_str(),
        channels: &[(stored(channel), after)],
        before: None,
        most: MOST_NAMING,
    };
    // A count that takes too long isn't told.
    let hits = lookup.mentions(&asked, Instant::now() + SEARCH_DEADLINE);
    hits.map_or(0, |hits| hits.hits.len() as u64)
}

/// The newest private lines of others that aren't read, the newest last.
fn newest_private(
    lookup: &Lookup,
    reader: &ports::Reader,
    of: &Stored,
    chats: &[Unread],
    found: &mut Found,
) -> Result<(), Refusal> {
    let mut lines: Vec<(StoredLine, Told, Party)> = Vec::new();
    for Unread { whose, after, .. } in chats {
        let Whose::Private((one, other), names) = whose else { continue };
        let is_one = Party(*one) == reader.party;
        let key = Key::Private(*one, *other);
        let last = unless_failed(lookup.ends(key))?.1;
        let with = Party(if is_one { *other } else { *one });
        found.waiting_from.push((with, LineId(last)));
        // One more than the answer holds, which shows whether there are more.
        let most = MAX_WAITING_LINES + 1;
        let range = (*after, last);
        let newest = unless_failed(lookup.last_of_other(&of.reader(), key, range, most))?;
        let told = |line| (line, Told::Private(names.clone(), is_one), with);
        lines.extend(newest.into_iter().map(told));
        lines.sort_by_key(|(line, ..)| line.time);
        let surplus = lines.len().saturating_sub(MAX_WAITING_LINES);
        for (_, _, with) in lines.drain(..surplus) {
            // What isn't told isn't read.
            found.waiting_from.retain(|(from, _)| *from != with);
        }
    }
    let last = lines.last();
    found.last_writer = last
        .and_then(|(line, _, with)| UserName::new(&line.author).ok().map(|author| (*with, author)));
    found.rows = lines.into_iter().filter_map(|(line, told, _)| event(line, &told)).collect();
    Ok(())
}

/// The newest lines that name the reader, the newest last.
pub(super) fn mentions(
    lookup: &Lookup,
    reader: &ports::Reader,
    channels: &[(ChannelName, LineId)],
    most: u32,
    before: Option<Before>,
) -> Result<Found, Refusal> {
    let of = Stored::new(reader.party, reader.hidden.clone());
    let channels: Vec<(String, u64)> =
        channels.iter().map(|(name, begin)| (stored(name), begin.0)).collect();
    let asked = Mentions {
        reader: of.reader(),
        name: reader.name.as_str(),
        channels: &channels,
        before: before.map(|before| (before.time.0, before.id.0)),
        most: most as usize,
    };
    let hits = match lookup.mentions(&asked, Instant::now() + SEARCH_DEADLINE) {
        Err(failure) if failure.kind() == Kind::TooLong => {
            return Err(Refusal::search_too_costly());
        }
        hits => unless_failed(hits)?,
    };
    let Hits { hits, next } = hits;
    let row = |Hit { whose, line }| match whose {
        Whose::Channel(shown) => event(line, &Told::Channel(ChannelName::new(&shown).ok()?)),
        Whose::Private(..) => None,
    };
    Ok(Found {
        rows: hits.into_iter().filter_map(row).collect(),
        next: super::next(next),
        ..Found::default()
    })
}
