//! Unread counts and mentions of an account.

use std::cmp::Reverse;

use chat_proto::command::SearchCursor;
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_WAITING_LINES;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;

use super::{LineContext, StoredViewer, event, unless_failed, with_key};
use crate::hub::id::ConversationKey;
use crate::hub::id::UserId;
use crate::hub::query;
use crate::hub::query::QueryResult;
use crate::store::{
    ConversationInfo, Cutoff, MentionQuery, Reader, SearchHit, SearchHits, StoreErrorKind,
    StoredLine, UnreadChat, UnreadLines, channel_key,
};

/// Unread lines counted per conversation; past it, the count is reported as a lower bound.
const MOST_COUNTED: u64 = 10_000;

/// Mentions counted per channel.
const MOST_NAMING: usize = 100;

/// Unread lines counted over all private chats. Chats past it are reported at a later sign-in, when
/// these lines are read.
const MOST_COUNTED_PRIVATELY: u64 = 10_000;

/// Bytes of unread private lines sent at a sign-in. Older lines are sent at a later one.
const MOST_BYTES: usize = 128 * 1024;

/// Returns the unread counts of channels and the newest unread private lines. Ends early if the
/// client has disconnected.
pub(super) fn unread(
    reader: &Reader,
    viewer: &query::UnreadQuery,
    cutoff: &Cutoff,
) -> Result<QueryResult, Refusal> {
    // The time limit applies to the counts of mentions alone: channels past it are reported
    // without.
    let goes_on: &dyn Fn() -> bool = &|| !cutoff.is_abandoned();
    let stored = StoredViewer::new(viewer.user_id, viewer.hidden.clone());
    let all = unless_failed(reader.unread_channels(&stored.viewer(), MOST_COUNTED, goes_on))?;
    let mut found = QueryResult::default();
    for mut one in all {
        if !goes_on() {
            return Ok(found);
        }
        bring_up_to_date(reader, &stored, viewer, &mut one)?;
        let ConversationInfo::Channel(shown) = &one.conversation else { continue };
        let Ok(channel) = ChannelName::new(shown) else { continue };
        if one.others > 0 {
            let mentions = count_naming(reader, &stored, viewer, (&channel, one.after), cutoff);
            let (count, after) = (one.others, MessageId(one.after));
            found.unread.push(query::UnreadCount { channel, count, mentions, after });
        }
    }
    let read = |(one, other)| {
        let key = ConversationKey::Private(UserId(one), UserId(other));
        viewer.read.get(&key).map_or(0, |line| line.0)
    };
    let mut chats = unless_failed(reader.unread_chats(viewer.user_id.0, read))?;
    let mut left = MOST_COUNTED_PRIVATELY;
    let mut with_others = Vec::new();
    for chat in chats.drain(..) {
        if left == 0 || !goes_on() {
            break;
        }
        let one = unless_failed(reader.count_unread(&chat, &stored.viewer(), left))?;
        left -= one.lines.min(left);
        found.waiting += one.others;
        if one.others > 0 {
            with_others.push(chat);
        }
    }
    newest_private(reader, viewer, &stored, &with_others, goes_on, &mut found)?;
    Ok(found)
}

/// Applies read markers that the store doesn't have yet.
fn bring_up_to_date(
    reader: &Reader,
    of: &StoredViewer,
    viewer: &query::UnreadQuery,
    one: &mut UnreadLines,
) -> Result<(), Refusal> {
    let key = match &one.conversation {
        ConversationInfo::Channel(shown) => ChannelName::new(shown).map(ConversationKey::Channel),
        ConversationInfo::Private((one, other), _) => {
            Ok(ConversationKey::Private(UserId(*one), UserId(*other)))
        }
    };
    let Ok(key) = key else { return Ok(()) };
    let Some(MessageId(read)) = viewer.read.get(&key).copied().filter(|read| read.0 > one.after)
    else {
        return Ok(());
    };
    let again = with_key(&key, |key| {
        unless_failed(reader.unread_in(key, read, &of.viewer(), MOST_COUNTED))
    })?;
    if let Some(again) = again {
        *one = again;
    }
    Ok(())
}

fn count_naming(
    reader: &Reader,
    of: &StoredViewer,
    viewer: &query::UnreadQuery,
    (channel, after): (&ChannelName, u64),
    cutoff: &Cutoff,
) -> u64 {
    let asked = MentionQuery {
        viewer: of.viewer(),
        name: viewer.name.as_str(),
        channels: &[(channel_key(channel), after)],
        before: None,
        most: MOST_NAMING,
    };
    // A count past the cutoff isn't reported.
    let hits = reader.mentions(&asked, cutoff);
    hits.map_or(0, |hits| hits.hits.len() as u64)
}

/// Finds the newest unread private lines of others, newest last. Chats are sorted by their newest
/// line, so chats with only older lines than those found are skipped.
fn newest_private(
    reader: &Reader,
    viewer: &query::UnreadQuery,
    of: &StoredViewer,
    chats: &[UnreadChat],
    goes_on: &dyn Fn() -> bool,
    found: &mut QueryResult,
) -> Result<(), Refusal> {
    // Newest first, each with the index of its chat.
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
        let all = reader.newest_of_other(chat, &of.viewer(), most, |line| {
            if is_full && oldest.is_some_and(|oldest| line.time < oldest) {
                return false;
            }
            bytes += line.text.len();
            taken += 1;
            lines.push((line, at));
            // One more than is sent shows that there are more.
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
        // Lines that aren't sent stay unread.
        found.waiting_from.push((with(chat, viewer), MessageId(chat.last)));
    }
    lines.reverse();
    found.last_writer = lines.last().and_then(|(line, at)| {
        let author = UserName::new(&line.author).ok()?;
        Some((with(chats.get(*at)?, viewer), author))
    });
    let row = |(line, at): (StoredLine, usize)| {
        let chat = chats.get(at)?;
        let is_one = UserId(chat.parties.0) == viewer.user_id;
        event(line, &LineContext::Private(chat.names.clone(), is_one))
    };
    found.rows = lines.into_iter().filter_map(row).collect();
    Ok(())
}

fn with(chat: &UnreadChat, viewer: &query::UnreadQuery) -> UserId {
    let (one, other) = chat.parties;
    UserId(if UserId(one) == viewer.user_id { other } else { one })
}

/// Returns the newest lines that mention the viewer, newest last.
pub(super) fn mentions(
    reader: &Reader,
    viewer: &query::UnreadQuery,
    channels: &[(ChannelName, MessageId)],
    (most, before): (u32, Option<SearchCursor>),
    cutoff: &Cutoff,
) -> Result<QueryResult, Refusal> {
    let of = StoredViewer::new(viewer.user_id, viewer.hidden.clone());
    let channels: Vec<(String, u64)> =
        channels.iter().map(|(name, begin)| (channel_key(name), begin.0)).collect();
    let asked = MentionQuery {
        viewer: of.viewer(),
        name: viewer.name.as_str(),
        channels: &channels,
        before: before.map(|before| (before.time.0, before.id.0)),
        most: most as usize,
    };
    let hits = match reader.mentions(&asked, cutoff) {
        Err(failure) if failure.kind() == StoreErrorKind::TooLong => {
            return Err(Refusal::search_too_costly());
        }
        hits => unless_failed(hits)?,
    };
    let SearchHits { hits, next } = hits;
    let row = |SearchHit { conversation, line }| match conversation {
        ConversationInfo::Channel(shown) => {
            event(line, &LineContext::Channel(ChannelName::new(&shown).ok()?))
        }
        ConversationInfo::Private(..) => None,
    };
    Ok(QueryResult {
        rows: hits.into_iter().filter_map(row).collect(),
        next: super::next(next),
        ..QueryResult::default()
    })
}
