//! What an account hasn't read yet: the lines after its markers.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Failure;
use super::memtable::Recent;
use super::pending_redactions::Erasing;
use super::reader::{
    COLUMNS, Key, Lookup, MAX_LOOKED_AT, MAX_PRIVATE, Merged, Place, StoredLine, Whose,
    found_place, stored_line,
};
use super::writer::{BY_OTHER, UNTOLD, id_of, place};
use crate::util::sync::lock;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The number of the account.
    pub party: u64,
    /// Lines by those of these names (folded) are passed over.
    pub hidden: &'a [String],
    /// So are lines by these accounts.
    pub hidden_accounts: &'a [u64],
    /// How names are folded.
    pub fold: fn(&str) -> String,
}

/// What somebody hasn't read of one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which conversation.
    pub whose: Whose,
    /// The last line that was read, or that is kept no more.
    pub after: u64,
    /// Lines after it.
    pub lines: u64,
    /// How many of them others said.
    pub others: u64,
}

/// A private chat of which not all is read.
pub struct UnreadChat {
    at: Place,
    /// The two in it.
    pub parties: (u64, u64),
    /// Their names.
    pub names: (String, String),
    /// The last line that was read, or that is kept no more.
    pub after: u64,
    /// The last line.
    pub last: u64,
    /// Its time.
    pub time: i64,
}

impl Reader<'_> {
    /// Whether no author is passed over.
    fn sees_all(&self) -> bool {
        self.hidden.is_empty() && self.hidden_accounts.is_empty()
    }

    pub(super) fn is_hidden(&self, author: &str, account: Option<u64>) -> bool {
        account.is_some_and(|account| self.hidden_accounts.contains(&account))
            || !self.hidden.is_empty() && self.hidden.contains(&(self.fold)(author))
    }
}

impl Lookup {
    /// The lines of one conversation after an id; so many are counted at most. `None` if there is no such
    /// conversation.
    pub fn unread_in(
        &self,
        of: Key<'_>,
        after: u64,
        reader: &Reader<'_>,
        most: u64,
    ) -> Result<Option<Unread>, Failure> {
        let Some(at) = self.place(of)? else { return Ok(None) };
        Ok(Some(self.count(&at, after, reader, most)?))
    }

    /// Every channel that an account is in of which there are lines that it hasn't read. So many lines of each are
    /// counted at most. It ends early where `goes_on` tells so, which is asked between two of them.
    pub fn unread_channels(
        &self,
        reader: &Reader<'_>,
        most: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<Unread>, Failure> {
        let mut unread = Vec::new();
        for mut at in self.channels_of(reader.party)? {
            if !goes_on() {
                break;
            }
            self.look_below(&mut at)?;
            let waits = self.recent().map(|recent| recent.marker(reader.party, at.number));
            let read = waits.unwrap_or_default().max(self.marker(reader.party, at.number)?);
            let one = self.count(&at, read, reader, most)?;
            if one.lines > 0 {
                unread.push(one);
            }
        }
        Ok(unread)
    }

    /// Every private chat of an account of which there are lines that it hasn't read, the one with the newest line first.
    /// `read` tells up to which line the account has read one, as far as the store may not know it yet.
    pub fn unread_chats(
        &self,
        party: u64,
        read: impl Fn((u64, u64)) -> u64,
    ) -> Result<Vec<UnreadChat>, Failure> {
        // Before the tables, since what waits may be put there meanwhile.
        let waiting = self.recent().map(Recent::all_ends).unwrap_or_default();
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(&format!(
            "{COLUMNS_WITH_ENDS} WHERE one = ?1 OR other = ?1 ORDER BY number DESC LIMIT ?2"
        ))?;
        let mut time = connection.prepare_cached("SELECT time FROM line WHERE place = ?1")?;
        let mut rows = all.query(params![party, MAX_PRIVATE])?;
        let mut chats = Vec::new();
        while let Some(row) = rows.next()? {
            let mut at = found_place(row)?;
            let Whose::Private(parties, names) = at.whose.clone() else { continue };
            let marker = self.recent().map_or(0, |recent| recent.marker(party, at.number));
            let marker: u64 = row.get::<_, u64>(7)?.max(marker).max(read(parties));
            let stored: Option<i64> = row.get(8)?;
            let waits = waiting.get(&at.number).copied().unwrap_or_default();
            at.floor = at.floor.max(waits.floor);
            let last = stored.map_or(0, id_of).max(waits.last);
            let after = marker.max(at.floor);
            if last <= after {
                continue;
            }
            let mut time_of = |at: i64| time.query_row([at], |row| row.get(0)).optional();
            let time = match stored.filter(|at| id_of(*at) == last) {
                Some(at) => time_of(at)?.unwrap_or(waits.time),
                None => waits.time,
            };
            chats.push(UnreadChat { at, parties, names, after, last, time });
        }
        chats.sort_by_key(|chat| std::cmp::Reverse(chat.time));
        Ok(chats)
    }

    /// What an account hasn't read of a private chat; so many lines are counted at most.
    pub fn count_unread(
        &self,
        chat: &UnreadChat,
        reader: &Reader<'_>,
        most: u64,
    ) -> Result<Unread, Failure> {
        self.count(&chat.at, chat.after, reader, most)
    }

    /// The newest unread lines of a private chat that the other one said, the newest first, for as long as they are taken.
    /// Returns whether these were all.
    pub fn newest_of_other(
        &self,
        chat: &UnreadChat,
        reader: &Reader<'_>,
        most: usize,
        mut take: impl FnMut(StoredLine) -> bool,
    ) -> Result<bool, Failure> {
        let UnreadChat { at, parties, after, last, .. } = chat;
        let erasing = Erasing::now(&lock(self.connection()))?;
        let is_one = parties.0 == reader.party;
        let is_shown = |line: &StoredLine| {
            line.by_other == is_one
                && !line.erased
                && !erasing.hides(at, line)
                && !reader.is_hidden(&line.author, line.account)
        };
        let range = (*after, *last);
        let recent = self.recent().map(|recent| recent.newest(at.number, range, most, is_shown));
        let recent = recent.transpose()?.unwrap_or_default();
        let oldest = recent.last().map(|line| line.id);
        if recent.len() >= most {
            let _ = recent.into_iter().all(take);
            return Ok(false);
        }
        for line in recent {
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
        // What waited was taken.
        let end = oldest.map_or(last + 1, |oldest| oldest.min(last + 1));
        let ends = (place(at.number, *after), place(at.number, end));
        let mut rows = newest.query(params![ends.0, ends.1, UNTOLD | BY_OTHER, side])?;
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

    fn channels_of(&self, party: u64) -> Result<Vec<Place>, Failure> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(&format!(
            "{COLUMNS} JOIN member USING (number) WHERE party = ?1 AND one IS NULL ORDER BY number"
        ))?;
        let rows = all.query_map([party], found_place)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn marker(&self, party: u64, number: u32) -> Result<u64, Failure> {
        let connection = lock(self.connection());
        let mut marker = connection
            .prepare_cached("SELECT marker FROM member WHERE party = ?1 AND number = ?2")?;
        let read = marker.query_row(params![party, number], |row| row.get(0));
        Ok(read.optional()?.unwrap_or_default())
    }

    fn count(
        &self,
        at: &Place,
        after: u64,
        reader: &Reader<'_>,
        most: u64,
    ) -> Result<Unread, Failure> {
        let after = after.max(at.floor);
        let erasing = Erasing::now(&lock(self.connection()))?;
        let is_own = |line: &StoredLine| at.whose.is_by(reader.party, line);
        let is_shown = |line: &StoredLine| {
            !line.erased
                && !erasing.hides(at, line)
                && (is_own(line) || !reader.is_hidden(&line.author, line.account))
        };
        let counted = usize::try_from(most).unwrap_or(usize::MAX);
        let recent = self.recent_lines(at.number, (after, u64::MAX), counted, is_shown)?;
        // In memory the one that writes has its turn between two conversations.
        let connection = lock(self.connection());
        if recent.is_empty() && erasing.is_empty() && reader.sees_all() {
            let (lines, others) = count_all(&connection, at, after, reader.party, most)?;
            return Ok(Unread { whose: at.whose.clone(), after, lines, others });
        }
        let mut lines = connection.prepare_cached(
            "SELECT place, time, author, flags, '', account FROM line
                WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 ORDER BY place",
        )?;
        let range = params![place(at.number, after), place(at.number + 1, 0), UNTOLD];
        let mut lines = Merged::new(lines.query(range)?, recent);
        let (mut count, mut others) = (0, 0);
        while count < most
            && let Some(line) = lines.next()?
        {
            if is_shown(&line) {
                count += 1;
                others += u64::from(!is_own(&line));
            }
        }
        Ok(Unread { whose: at.whose.clone(), after, lines: count, others })
    }
}

const COLUMNS_WITH_ENDS: &str =
    "SELECT number, floor, shown, one, other, one_name, other_name,
        coalesce((SELECT marker FROM member
            WHERE member.party = ?1 AND member.number = conversation.number), 0),
        (SELECT max(place) FROM line
            WHERE place >= (conversation.number << 36) AND place < ((conversation.number + 1) << 36))
        FROM conversation";

/// Lines after an id where all are shown, so many at most, and how many of them others said.
fn count_all(
    connection: &Connection,
    at: &Place,
    after: u64,
    party: u64,
    most: u64,
) -> rusqlite::Result<(u64, u64)> {
    let own = match &at.whose {
        Whose::Channel(_) => "account IS ?5",
        Whose::Private((_, other), _) if *other == party => "flags & 2 <> 0",
        Whose::Private(..) => "flags & 2 = 0",
    };
    let mut count = connection.prepare_cached(&format!(
        "SELECT count(*), coalesce(sum(NOT (own)), 0) FROM (SELECT {own} AS own FROM line
            WHERE place > ?1 AND place < ?2 AND flags & ?3 = 0 AND ?5 = ?5 ORDER BY place LIMIT ?4)"
    ))?;
    let range = params![place(at.number, after), place(at.number + 1, 0), UNTOLD, most, party];
    count.query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))
}
