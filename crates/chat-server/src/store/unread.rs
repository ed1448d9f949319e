//! Unread counts: the lines after read markers.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use super::memtable::Memtable;
use super::pending_redactions::PendingRedactions;
use super::reader::{COLUMNS, MAX_LOOKED_AT, MAX_PRIVATE, Merged, Reader, conversation_meta};
use super::row::{
    BY_OTHER, ConversationInfo, ConversationMeta, NOT_SHOWN, StoreKey, StoredLine, line_id, rowid,
    stored_line,
};
use super::viewer::Viewer;
use crate::util::sync::lock;

/// Unread lines of one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadLines {
    /// The conversation.
    pub conversation: ConversationInfo,
    /// The last line that was read or removed by retention.
    pub after: u64,
    /// Lines after it.
    pub lines: u64,
    /// Of these, lines by others.
    pub others: u64,
}

/// A private chat with unread lines.
pub struct UnreadChat {
    at: ConversationMeta,
    /// The two parties.
    pub parties: (u64, u64),
    /// Their names.
    pub names: (String, String),
    /// The last line that was read or removed by retention.
    pub after: u64,
    /// The last line.
    pub last: u64,
    /// Its time.
    pub time: i64,
}

impl Reader {
    /// Counts the lines of one conversation after an id, up to a bound. `None` if the conversation
    /// doesn't exist.
    pub fn unread_in(
        &self,
        of: StoreKey<'_>,
        after: u64,
        viewer: &Viewer<'_>,
        most: u64,
    ) -> Result<Option<UnreadLines>, StoreError> {
        let Some(at) = self.find_conversation(of)? else { return Ok(None) };
        Ok(Some(self.count(&at, after, viewer, most)?))
    }

    /// Returns every channel of an account with unread lines, each counted up to a bound. Ends
    /// early once `goes_on` returns false, which is called between two channels.
    pub fn unread_channels(
        &self,
        viewer: &Viewer<'_>,
        most: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<UnreadLines>, StoreError> {
        let mut unread = Vec::new();
        for mut at in self.channels_of(viewer.user_id)? {
            if !goes_on() {
                break;
            }
            self.look_below(&mut at)?;
            let waits = self.memtable().map(|memtable| memtable.marker(viewer.user_id, at.number));
            let read = waits.unwrap_or_default().max(self.marker(viewer.user_id, at.number)?);
            let one = self.count(&at, read, viewer, most)?;
            if one.lines > 0 {
                unread.push(one);
            }
        }
        Ok(unread)
    }

    /// Returns every private chat of an account with unread lines, the one with the newest line
    /// first. `read` returns read markers that the store may not have yet.
    pub fn unread_chats(
        &self,
        user_id: u64,
        read: impl Fn((u64, u64)) -> u64,
    ) -> Result<Vec<UnreadChat>, StoreError> {
        // Read before the tables: buffered lines may be flushed in between.
        let waiting = self.memtable().map(Memtable::all_ends).unwrap_or_default();
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(&format!(
            "{COLUMNS_WITH_ENDS} WHERE one = ?1 OR other = ?1 ORDER BY number DESC LIMIT ?2"
        ))?;
        let mut time = connection.prepare_cached("SELECT time FROM line WHERE place = ?1")?;
        let mut rows = all.query(params![user_id, MAX_PRIVATE])?;
        let mut chats = Vec::new();
        while let Some(row) = rows.next()? {
            let mut at = conversation_meta(row)?;
            let ConversationInfo::Private(parties, names) = at.conversation.clone() else {
                continue;
            };
            let marker = self.memtable().map_or(0, |memtable| memtable.marker(user_id, at.number));
            let marker: u64 = row.get::<_, u64>(7)?.max(marker).max(read(parties));
            let stored: Option<i64> = row.get(8)?;
            let waits = waiting.get(&at.number).copied().unwrap_or_default();
            at.floor = at.floor.max(waits.floor);
            let last = stored.map_or(0, line_id).max(waits.last);
            let after = marker.max(at.floor);
            if last <= after {
                continue;
            }
            let mut time_of = |at: i64| time.query_row([at], |row| row.get(0)).optional();
            let time = match stored.filter(|at| line_id(*at) == last) {
                Some(at) => time_of(at)?.unwrap_or(waits.time),
                None => waits.time,
            };
            chats.push(UnreadChat { at, parties, names, after, last, time });
        }
        chats.sort_by_key(|chat| std::cmp::Reverse(chat.time));
        Ok(chats)
    }

    /// Counts the unread lines of a private chat, up to a bound.
    pub fn count_unread(
        &self,
        chat: &UnreadChat,
        viewer: &Viewer<'_>,
        most: u64,
    ) -> Result<UnreadLines, StoreError> {
        self.count(&chat.at, chat.after, viewer, most)
    }

    /// Visits the newest unread lines by the other party, newest first, until `take` returns false.
    /// Returns whether these were all.
    pub fn newest_of_other(
        &self,
        chat: &UnreadChat,
        viewer: &Viewer<'_>,
        most: usize,
        mut take: impl FnMut(StoredLine) -> bool,
    ) -> Result<bool, StoreError> {
        let UnreadChat { at, parties, after, last, .. } = chat;
        let erasing = PendingRedactions::now(&lock(self.connection()))?;
        let is_one = parties.0 == viewer.user_id;
        let is_shown = |line: &StoredLine| {
            line.by_other == is_one
                && !line.redacted
                && !erasing.hides(at, line)
                && !viewer.is_hidden(&line.author, line.account)
        };
        let range = (*after, *last);
        let memtable =
            self.memtable().map(|memtable| memtable.newest(at.number, range, most, is_shown));
        let memtable = memtable.transpose()?.unwrap_or_default();
        let oldest = memtable.last().map(|line| line.id);
        if memtable.len() >= most {
            let _ = memtable.into_iter().all(take);
            return Ok(false);
        }
        for line in memtable {
            if !take(line) {
                return Ok(false);
            }
        }
        let connection = lock(self.connection());
        let mut newest = connection.prepare_cached(
            "SELECT place, time, author, flags, text, account FROM line
                WHERE place > ?1 AND place < ?2 AND flags & ?3 = ?4 ORDER BY place DESC",
        )?;
        let side = if is_one { BY_OTHER } else { 0 };
        // Buffered lines were taken already.
        let end = oldest.map_or(last + 1, |oldest| oldest.min(last + 1));
        let ends = (rowid(at.number, *after), rowid(at.number, end));
        let mut rows = newest.query(params![ends.0, ends.1, NOT_SHOWN | BY_OTHER, side])?;
        let mut looked = 0;
        while let Some(row) = rows.next()? {
            let line = stored_line(row)?;
            looked += 1;
            if looked > MAX_LOOKED_AT || is_shown(&line) && !take(line) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn channels_of(&self, user_id: u64) -> Result<Vec<ConversationMeta>, StoreError> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(&format!(
            "{COLUMNS} JOIN member USING (number) WHERE party = ?1 AND one IS NULL ORDER BY number"
        ))?;
        let rows = all.query_map([user_id], conversation_meta)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn marker(&self, user_id: u64, number: u32) -> Result<u64, StoreError> {
        let connection = lock(self.connection());
        let mut marker = connection
            .prepare_cached("SELECT marker FROM member WHERE party = ?1 AND number = ?2")?;
        let read = marker.query_row(params![user_id, number], |row| row.get(0));
        Ok(read.optional()?.unwrap_or_default())
    }

    fn count(
        &self,
        at: &ConversationMeta,
        after: u64,
        viewer: &Viewer<'_>,
        most: u64,
    ) -> Result<UnreadLines, StoreError> {
        let after = after.max(at.floor);
        let erasing = PendingRedactions::now(&lock(self.connection()))?;
        let is_own = |line: &StoredLine| at.conversation.is_by(viewer.user_id, line);
        let is_shown = |line: &StoredLine| {
            !line.redacted
                && !erasing.hides(at, line)
                && (is_own(line) || !viewer.is_hidden(&line.author, line.account))
        };
        let counted = usize::try_from(most).unwrap_or(usize::MAX);
        let memtable = self.recent_lines(at.number, (after, u64::MAX), counted, is_shown)?;
        // In memory, the writer gets its turn between two conversations.
        let connection = lock(self.connection());
        if memtable.is_empty() && erasing.is_empty() && viewer.sees_all() {
            let (lines, others) = count_all(&connection, at, after, viewer.user_id, most)?;
            return Ok(UnreadLines { conversation: at.conversation.clone(), after, lines, others });
        }
        let mut lines = connection.prepare_cached(
            "SELECT place, time, author, flags & 65535, '', account FROM line
                WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 ORDER BY place",
        )?;
        let range = params![rowid(at.number, after), rowid(at.number + 1, 0), NOT_SHOWN];
        let mut lines = Merged::new(lines.query(range)?, memtable);
        let (mut count, mut others) = (0, 0);
        while count < most
            && let Some(line) = lines.next()?
        {
            if is_shown(&line) {
                count += 1;
                others += u64::from(!is_own(&line));
            }
        }
        Ok(UnreadLines { conversation: at.conversation.clone(), after, lines: count, others })
    }
}

const COLUMNS_WITH_ENDS: &str =
    "SELECT number, floor, shown, one, other,
        iif(one IN (SELECT party FROM erasing), '', one_name),
        iif(other IN (SELECT party FROM erasing), '', other_name),
        coalesce((SELECT marker FROM member
            WHERE member.party = ?1 AND member.number = conversation.number), 0),
        (SELECT max(place) FROM line
            WHERE place >= (conversation.number << 36) AND place < ((conversation.number + 1) << 36))
        FROM conversation";

/// Counts lines after an id where all are shown, up to a bound, and those by others.
fn count_all(
    connection: &Connection,
    at: &ConversationMeta,
    after: u64,
    user_id: u64,
    most: u64,
) -> rusqlite::Result<(u64, u64)> {
    let own = match &at.conversation {
        ConversationInfo::Channel(_) => "account IS ?5",
        ConversationInfo::Private((_, other), _) if *other == user_id => "flags & 2 <> 0",
        ConversationInfo::Private(..) => "flags & 2 = 0",
    };
    let mut count = connection.prepare_cached(&format!(
        "SELECT count(*), coalesce(sum(NOT (own)), 0) FROM (SELECT {own} AS own FROM line
            WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 AND ?5 = ?5 ORDER BY place LIMIT ?4)"
    ))?;
    let range = params![rowid(at.number, after), rowid(at.number + 1, 0), NOT_SHOWN, most, user_id];
    count.query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))
}
