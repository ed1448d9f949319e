//! What an account hasn't read, and which lines name it.

use std::cmp::Reverse;

use chat_proto::command::SearchCursor;
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_WAITING_LINES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;

use super::{Stored, Told, event, stored, stored_key, unless_failed};
use crate::hub::id::ConversationKey;
use crate::hub::id::UserId;
use crate::hub::query;
use crate::hub::query::QueryResult;
use crate::store::{
    Cutoff, Hit, Hits, Kind, Lookup, Mentions, StoredLine, Unread, UnreadChat, Whose,
};

/// Lines of one conversation that are counted; where more aren't read, it is told that these aren't.
const MOST_COUNTED: u64 = 10_000;

/// Lines that name somebody and are counted for one channel.
const MOST_NAMING: usize = 100;

/// Unread lines that are counted over all private chats. Chats past it are reported at a later sign-in, when these lines are
/// read.
const MOST_COUNTED_PRIVATELY: u64 = 10_000;

/// Bytes of text of the unread private lines that one sign-in sends. Older lines are sent at a later one.
const MOST_BYTES: usize = 128 * 1024;

/// What an account hasn't read: how much of its channels, and the newest private lines. It ends early if the asker has gone.
pub(super) fn unread(
    lookup: &Lookup,
    reader: &query::UnreadQuery,
    cutoff: &Cutoff,
) -> Result<QueryResult, Refusal> {
    // The cutoff is for the counts of mentions alone: of a channel that comes late none is told.
    let goes_on: &dyn Fn() -> bool = &|| !cutoff.is_abandoned();
    let stored = Stored::new(reader.user_id, reader.hidden.clone());
    let all = unless_failed(lookup.unread_channels(&stored.reader(), MOST_COUNTED, goes_on))?;
    let mut found = QueryResult::default();
    for mut one in all {
        if !goes_on() {
            return Ok(found);
        }
        bring_up_to_date(lookup, &stored, reader, &mut one)?;
        let Whose::Channel(shown) = &one.whose else { continue };
        let Ok(channel) = ChannelName::new(shown) else { continue };
        if one.others > 0 {
            let mentions = count_naming(lookup, &stored, reader, (&channel, one.after), cutoff);
            let (count, after) = (one.others, MessageId(one.after));
            found.unread.push(query::UnreadCount { channel, count, mentions, after });
        }
    }
    let read = |(one, other)| {
        let key = ConversationKey::Private(UserId(one), UserId(other));
        reader.read.get(&key).map_or(0, |line| line.0)
    };
    let mut chats = unless_failed(lookup.unread_chats(reader.user_id.0, read))?;
    let mut left = MOST_COUNTED_PRIVATELY;
    let mut with_others = Vec::new();
    for chat in chats.drain(..) {
        if left == 0 || !goes_on() {
            break;
        }
        let one = unless_failed(lookup.count_unread(&chat, &stored.reader(), left))?;
        left -= one.lines.min(left);
        found.waiting += one.others;
        if one.others > 0 {
            with_others.push(chat);
        }
    }
    newest_private(lookup, reader, &stored, &with_others, goes_on, &mut found)?;
    Ok(found)
}

/// What was read since the store was told of it last.
fn bring_up_to_date(
    lookup: &Lookup,
    of: &Stored,
    reader: &query::UnreadQuery,
    one: &mut Unread,
) -> Result<(), Refusal> {
    let key = match &one.whose {
        Whose::Channel(shown) => ChannelName::new(shown).map(ConversationKey::Channel),
        Whose::Private((one, other), _) => {
            Ok(ConversationKey::Private(UserId(*one), UserId(*other)))
        }
    };
    let Ok(key) = key else { return Ok(()) };
    let Some(MessageId(read)) = reader.read.get(&key).copied().filter(|read| read.0 > one.after)
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
    reader: &query::UnreadQuery,
    (channel, after): (&ChannelName, u64),
    cutoff: &Cutoff,
) -> u64 {
    let asked = Mentions {
        reader: of.reader(),
        name: reader.name.as_str(),
        channels: &[(stored(channel), after)],
        before: None,
        most: MOST_NAMING,
    };
    // A count that takes too long isn't told.
    let hits = lookup.mentions(&asked, cutoff);
    hits.map_or(0, |hits| hits.hits.len() as u64)
}

/// The newest private lines of others that aren't read, the newest last. The chat with the newest line comes first, so
/// those of which all lines are older than what is found aren't looked into.
fn newest_private(
    lookup: &Lookup,
    reader: &query::UnreadQuery,
    of: &Stored,
    chats: &[UnreadChat],
    goes_on: &dyn Fn() -> bool,
    found: &mut QueryResult,
) -> Result<(), Refusal> {
    // The newest first; each with its chat, by its place among them.
    let mut lines: Vec<(StoredLine, usize)> = Vec::new();
    let mut is_all = vec![false; chats.len()];
    for (at, chat) in chats.iter().enumerate() {
        let oldest = lines.last().map(|(line, _)| line.time);
        let is_full = lines.len() >= MAX_WAITING_LINES;
        if !goes_on() || is_full && oldest.is_some_and(|oldest| chat.time < oldest) {
            break;
        }
        let mut bytes = 0;
        let (mut taken, most) = (0, MAX_WAITING_LINES + 1);
        let all = lookup.newest_of_other(chat, &of.reader(), most, |line| {
            if is_full && oldest.is_some_and(|oldest| line.time < oldest) {
                return false;
            }
            bytes += line.text.len();
            taken += 1;
            lines.push((line, at));
            // One more than is told shows that there are more.
            taken < most && bytes <= MOST_BYTES
        });
        is_all[at] = unless_failed(all)?;
        lines.sort_by_key(|(line, _)| Reverse(line.time));
        let mut bytes = 0;
        let fitting = lines.iter().take_while(|(line, _)| {
            bytes += line.text.len();
            bytes <= MOST_BYTES
        });
        let fitting = fitting.count();
        for (_, at) in lines.drain(fitting.clamp(1, MAX_WAITING_LINES).min(lines.len())..) {
            is_all[at] = false;
        }
    }
    for (chat, _) in chats.iter().zip(is_all).filter(|(_, is_all)| *is_all) {
        // What isn't told isn't read.
        found.waiting_from.push((with(chat, reader), MessageId(chat.last)));
    }
    lines.reverse();
    found.last_writer = lines.last().and_then(|(line, at)| {
        let author = UserName::new(&line.author).ok()?;
        Some((with(chats.get(*at)?, reader), author))
    });
    let row = |(line, at): (StoredLine, usize)| {
        let chat = chats.get(at)?;
        let is_one = UserId(chat.parties.0) == reader.user_id;
        event(line, &Told::Private(chat.names.clone(), is_one))
    };
    found.rows = lines.into_iter().filter_map(row).collect();
    Ok(())
}

fn with(chat: &UnreadChat, reader: &query::UnreadQuery) -> UserId {
    let (one, other) = chat.parties;
    UserId(if UserId(one) == reader.user_id { other } else { one })
}

/// The newest lines that name the reader, the newest last.
pub(super) fn mentions(
    lookup: &Lookup,
    reader: &query::UnreadQuery,
    channels: &[(ChannelName, MessageId)],
    (most, before): (u32, Option<SearchCursor>),
    cutoff: &Cutoff,
) -> Result<QueryResult, Refusal> {
    let of = Stored::new(reader.user_id, reader.hidden.clone());
    let channels: Vec<(String, u64)> =
        channels.iter().map(|(name, begin)| (stored(name), begin.0)).collect();
    let asked = Mentions {
        reader: of.reader(),
        name: reader.name.as_str(),
        channels: &channels,
        before: before.map(|before| (before.time.0, before.id.0)),
        most: most as usize,
    };
    let hits = match lookup.mentions(&asked, cutoff) {
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
    Ok(QueryResult {
        rows: hits.into_iter().filter_map(row).collect(),
        next: super::next(next),
        ..QueryResult::default()
    })
}
