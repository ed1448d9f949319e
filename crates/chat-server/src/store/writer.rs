//! Writing: whole commits, and small steps that take out what is kept no more.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension as _, Transaction, params,
};

use super::accounts::{self, AccountOp};
use super::full_text::indexed;
use super::memtable::{self, Memtable, RecordBatch};
use super::purge::{end_of_block, leave_blocks};
use super::reader::Reader;
use super::server_moderation::{self, ServerModerationOp};
use super::{ChannelModerationOp, Shared, StoreError, channel_moderation, redact, wal_repair};

/// Bits of a line's id in its place. 68 billion lines for each conversation, 134 million conversations.
pub(super) const ID_BITS: u32 = 36;

/// The name of the conversation that no channel can be: its floor is the greatest last id of channels that are forgotten.
pub const FORGOTTEN: &str = "#";

/// The greatest number that a conversation may have: that of the one after it has places, too.
pub const MAX_NUMBER: u32 = (1 << (63 - ID_BITS)) - 2;

/// The place of a line: what tables find it by.
pub(super) fn rowid(number: u32, id: u64) -> i64 {
    let id = id.min((1 << ID_BITS) - 1);
    i64::from(number) << ID_BITS | i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn line_id(place: i64) -> u64 {
    place.unsigned_abs() & ((1 << ID_BITS) - 1)
}

/// `/me`.
pub(super) const ACTION: i64 = 1;
/// Said by the second party of a private chat.
pub(super) const BY_OTHER: i64 = 2;
/// Blanked: nothing but its place and its time is left.
pub(super) const REDACTED: i64 = 4;
/// Hidden by those who run the channel.
pub(super) const HIDDEN: i64 = 8;
/// Lines with one of these are told to nobody, though their ids are given.
pub(super) const NOT_SHOWN: i64 = REDACTED | HIDDEN;

/// The one that writes.
pub struct Writer {
    connection: Shared,
    memtable: Arc<Memtable>,
    /// Nobody else writes for as long as this is held.
    lock: Option<Arc<File>>,
}

/// Something to be written. Later entries see earlier ones.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum WriteOp<'a> {
    /// A channel is as given from now on.
    Channel { number: u32, name: &'a str, shown: &'a str, topic: Option<&'a str>, open: bool },
    /// A private chat has these names from now on.
    Private { number: u32, one: u64, other: u64, one_name: &'a str, other_name: &'a str },
    /// A line was said, by this account if its author has one; with `once`, by this author (folded) and under
    /// this key. One that is hidden from the beginning is blanked at once.
    Line {
        number: u32,
        id: u64,
        time: i64,
        author: &'a str,
        action: bool,
        by_other: bool,
        account: Option<u64>,
        text: &'a str,
        once: Option<(&'a str, &'a str)>,
        hidden: bool,
    },
    /// A place in a conversation of which the line is blanked.
    RedactedLine { number: u32, id: u64, time: i64 },
    /// A channel is there no more.
    ChannelClosed { number: u32 },
    /// How a channel is run.
    ChannelModeration { number: u32, op: ChannelModerationOp<'a> },
    /// A topic is set, by this account if whoever sets it has one.
    Topic { number: u32, topic: Option<&'a str>, by: Option<u64> },
    /// Lines up to this one are kept no more.
    Floor { number: u32, floor: u64 },
    /// This line has an earlier time than the one before it.
    OutOfOrder { number: u32, id: u64 },
    /// A name (folded) stands for a party.
    HoldName { name: &'a str, party: u64, since: i64 },
    /// A name (folded) stands for nobody.
    ReleaseName { name: &'a str },
    /// Something about an account.
    Account(AccountOp<'a>),
    /// Something that an operator of the server decided.
    ServerModeration(ServerModerationOp<'a>),
}

/// A conversation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ConversationRow {
    pub number: u32,
    pub shown: String,
    pub topic: Option<String>,
    pub open: bool,
    /// Of a private chat.
    pub parties: Option<(u64, u64)>,
    pub one_name: String,
    pub other_name: String,
    /// The last id that was given.
    pub last: u64,
    pub floor: u64,
}

impl ConversationRow {
    /// Whether it is [`FORGOTTEN`].
    pub fn is_of_forgotten(&self) -> bool {
        self.parties.is_none() && self.shown.is_empty()
    }
}

/// A name that stands for a party.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NameHolderRow {
    pub name: String,
    pub party: u64,
    pub since: i64,
}

/// Where and when something was said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct OnceRow {
    pub number: u32,
    pub id: u64,
    pub time: i64,
}

impl Writer {
    pub(super) fn new(connection: Shared, lock: Option<File>, memtable: Arc<Memtable>) -> Self {
        Self { connection, memtable, lock: lock.map(Arc::new) }
    }

    /// Writes all of it, as durably as was asked for, or nothing.
    pub fn commit(&mut self, entries: &[WriteOp<'_>]) -> Result<(), StoreError> {
        self.memtable.look()?;
        if memtable::may_wait(entries) {
            return self.memtable.keep(&RecordBatch::of(entries)?);
        }
        if redact::forgets(entries) {
            self.memtable.leave_nothing()?;
        }
        let overwrites = redact::overwrites(entries);
        let lines = || {
            entries.iter().filter_map(|entry| match entry {
                WriteOp::Line { number, .. } => Some(*number),
                _ => None,
            })
        };
        // A line that doesn't wait comes after those that do.
        for number in lines() {
            self.memtable.flush(number)?;
        }
        let mut connection = self.memtable.tables();
        let done = redact::overwriting(&mut connection, overwrites, |connection| {
            commit(connection, entries)
        });
        if let Err(error) = &done {
            overwrite_failed(&connection, error);
        }
        done?;
        drop(connection);
        self.memtable.mirror(entries);
        self.memtable.put_directly(lines());
        Ok(())
    }

    /// How many lines wait to be put into the tables.
    pub fn waiting(&self) -> usize {
        self.memtable.lines()
    }

    /// Puts all lines that wait into the tables, and their words into the index.
    pub fn flush(&self) -> Result<(), StoreError> {
        while !self.memtable.index_some_of_all()? {}
        Ok(())
    }

    /// What puts lines into the tables, for a thread of its own.
    pub fn flusher(&self) -> Flusher {
        Flusher(Arc::clone(&self.memtable), self.lock.clone())
    }

    /// Every conversation.
    pub fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        // Before the tables, since what waits may be put there meanwhile.
        let waiting = self.memtable.all_ends();
        let mut rows = conversations(&self.memtable.tables())?;
        for row in &mut rows {
            let Some(waits) = waiting.get(&row.number) else { continue };
            (row.last, row.floor) = (row.last.max(waits.last), row.floor.max(waits.floor));
        }
        Ok(rows)
    }

    /// The time of the last line or act of each conversation that has one, by its number.
    pub fn last_times(&self) -> Result<HashMap<u32, i64>, StoreError> {
        let waiting = self.memtable.all_ends();
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT number, max(
                coalesce((SELECT time FROM line WHERE place >= (number << 36)
                    AND place < ((number + 1) << 36) ORDER BY place DESC LIMIT 1), 0),
                coalesce((SELECT time FROM act WHERE act.number = conversation.number
                    ORDER BY at DESC LIMIT 1), 0))
                FROM conversation",
        )?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut times = rows.collect::<rusqlite::Result<HashMap<u32, i64>>>()?;
        for (number, waits) in waiting {
            let time = times.entry(number).or_default();
            *time = waits.time.max(*time);
        }
        Ok(times)
    }

    /// Of the topics that an account set, the number of the channel and the account.
    pub fn topics(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT number, topic_by FROM conversation WHERE topic_by IS NOT NULL",
        )?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every name that stands for a party.
    pub fn holders(&self) -> Result<Vec<NameHolderRow>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached("SELECT name, party, since FROM holder")?;
        let rows = all.query_map((), |row| {
            Ok(NameHolderRow { name: row.get(0)?, party: row.get(1)?, since: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What this author (folded) said under this key, unless it was before `since`.
    pub fn said_once(
        &self,
        author: &str,
        key: &str,
        since: i64,
    ) -> Result<Option<OnceRow>, StoreError> {
        if let Some(said) = self.memtable.said_once(author, key) {
            return Ok(Some(said).filter(|said| said.time >= since));
        }
        let connection = self.memtable.tables();
        let mut one = connection.prepare_cached(
            "SELECT number, id, time FROM once WHERE author = ?1 AND key = ?2 AND time >= ?3",
        )?;
        let said = one.query_row(params![author, key, since], |row| {
            Ok(OnceRow { number: row.get(0)?, id: row.get(1)?, time: row.get(2)? })
        });
        Ok(said.optional()?)
    }

    /// Forgets some keys from before this time; tells how many.
    pub fn forget_once_before(&mut self, time: i64, most: usize) -> Result<usize, StoreError> {
        let connection = self.memtable.tables();
        let mut some = connection.prepare_cached(
            "DELETE FROM once WHERE (author, key) IN
                (SELECT author, key FROM once WHERE time < ?1 LIMIT ?2)",
        )?;
        Ok(some.execute(params![time, most])?)
    }

    /// Lines up to this one are not there any more, whether they are deleted yet or not.
    pub fn raise_floor(&mut self, number: u32, floor: u64) -> Result<(), StoreError> {
        self.commit(&[WriteOp::Floor { number, floor }])
    }

    /// The last of the lines after an id that are all older than this time, of so many at most; and whether there may be
    /// more of them. A line that is as young keeps those after it, whatever their times are: what an earlier version
    /// stored, or an import brought, has the times of the clock that there was.
    pub fn last_before(
        &self,
        number: u32,
        after: u64,
        time: i64,
        most: usize,
    ) -> Result<(u64, bool), StoreError> {
        self.memtable.flush(number)?;
        let connection = self.memtable.tables();
        let mut lines = connection.prepare_cached(
            "SELECT place, time FROM line WHERE place > ?1 AND place < ?2 ORDER BY place LIMIT ?3",
        )?;
        let mut rows = lines.query(params![rowid(number, after), rowid(number + 1, 0), most])?;
        let (mut last, mut seen) = (after, 0);
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? >= time {
                return Ok((last, false));
            }
            last = line_id(row.get(0)?);
            seen += 1;
        }
        Ok((last, seen == most))
    }

    /// Deletes some of the lines that are not there any more; tells how many. So many at most, and if that many there
    /// may be more.
    pub fn sweep(&mut self, number: u32, most: usize) -> Result<usize, StoreError> {
        // Only words that are in the index can be taken out of it.
        if !self.memtable.index_some(number)? {
            return Ok(most);
        }
        let mut connection = self.memtable.tables();
        let step = connection.transaction()?;
        let lines = {
            let mut due = step.prepare_cached(
                "SELECT place, flags, text, author FROM line WHERE place >= ?1 AND place <= ?1 +
                    (SELECT floor FROM conversation WHERE number = ?2) ORDER BY place LIMIT ?3",
            )?;
            let rows = due.query_map(params![rowid(number, 0), number, most], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<(i64, i64, String, String)>>>()?
        };
        {
            let mut words = step.prepare_cached(
                "INSERT INTO word (word, rowid, text, author) VALUES ('delete', ?1, ?2, ?3)",
            )?;
            let mut line = step.prepare_cached("DELETE FROM line WHERE place = ?1")?;
            for (place, flags, text, author) in &lines {
                // The index counts its lines, and refuses to take one out twice.
                if flags & REDACTED == 0 {
                    words.execute(params![place, indexed(text), indexed(author)])?;
                }
                line.execute([place])?;
            }
            let mut floor =
                step.prepare_cached("SELECT floor FROM conversation WHERE number = ?1")?;
            let floor: u64 = floor.query_row([number], |row| row.get(0)).optional()?.unwrap_or(0);
            let authors = lines.iter().map(|(place, _, _, author)| (*place, author.as_str()));
            leave_blocks(&step, authors, |block| end_of_block(block) <= floor)?;
        }
        step.commit()?;
        Ok(lines.len())
    }

    /// The last row of the journal, of which all is in the tables once it [is put](Self::is_put).
    pub fn last_row(&self) -> i64 {
        self.memtable.last_row()
    }

    /// Whether the tables have what was stored up to this row of the journal, also after a crash.
    pub fn is_put(&self, row: i64) -> bool {
        self.memtable.is_put(row)
    }

    /// Whether the commit that forgets an account takes little time. If not, the [`Flusher`] makes
    /// it so.
    pub fn is_short(&self) -> bool {
        self.memtable.is_short()
    }

    /// Forgets a conversation whose lines are swept. Its number may be given to another one, so all
    /// that the journal has of it [is put](Self::is_put).
    pub fn forget_conversation(&mut self, number: u32) -> Result<(), StoreError> {
        let mut connection = self.memtable.tables();
        let change = connection.transaction()?;
        change.execute("DELETE FROM conversation WHERE number = ?1", [number])?;
        change.execute("DELETE FROM author_block WHERE number = ?1", [number])?;
        change.execute("DELETE FROM pending_purge WHERE number = ?1", [number])?;
        accounts::forget_conversation(&change, number)?;
        Ok(change.commit()?)
    }

    /// Puts everything into the one file.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.memtable.close_files()
    }

    /// Reads what it has written.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.connection), Some(Arc::clone(&self.memtable)))
    }

    pub(super) fn connection(&self) -> &Shared {
        &self.connection
    }

    pub(super) fn memtable(&self) -> &Memtable {
        &self.memtable
    }
}

/// Puts lines into the tables once nothing else is to be done, or many wait.
pub struct Flusher(Arc<Memtable>, Option<Arc<File>>);

impl Flusher {
    /// Works until [`Flusher::stop`].
    pub fn run(&self) {
        self.0.run(self.1.as_deref());
    }

    /// Ends [`Flusher::run`].
    pub fn stop(&self) {
        self.0.close();
    }
}

fn commit(connection: &mut Connection, entries: &[WriteOp<'_>]) -> rusqlite::Result<()> {
    let change = connection.transaction()?;
    write(&change, entries)?;
    change.commit()
}

/// A commit of which only the sync failed lies whole in the WAL, and a start after a crash would take it for
/// done. One that changes nothing takes its place there, whether that can be synced or not.
pub(super) fn overwrite_failed(connection: &Connection, error: &rusqlite::Error) {
    // The disk fails, as is known already; what fails of it here is tried again by the next commit.
    let _ = commit_nothing(connection);
    // Of one that found no room the end isn't there.
    let may_be_whole = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
    if may_be_whole && let Some(path) = connection.path().filter(|path| !path.is_empty()) {
        let _ = wal_repair::wipe_behind(Path::new(path));
    }
}

/// Commits without changing anything. What was written before it is synced with it.
pub(super) fn commit_nothing(connection: &Connection) -> rusqlite::Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

fn write(change: &Transaction<'_>, entries: &[WriteOp<'_>]) -> rusqlite::Result<()> {
    let mut line = Lazy::new(
        change,
        "INSERT INTO line (place, time, author, flags, text, account) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    );
    let mut wrote =
        Lazy::new(change, "INSERT OR IGNORE INTO wrote (party, number) VALUES (?1, ?2)");
    for entry in entries {
        match *entry {
            WriteOp::Line {
                number,
                id,
                time,
                author,
                action,
                by_other,
                account,
                text,
                once,
                hidden,
            } => {
                let place = rowid(number, id);
                let mut flags = i64::from(action) * ACTION + i64::from(by_other) * BY_OTHER;
                let (mut author, mut text, mut account) = (author, text, account);
                if hidden {
                    flags = REDACTED;
                    (author, text, account) = ("", "", None);
                }
                line.get()?.execute(params![place, time, author, flags, text, account])?;
                if let Some(account) = account {
                    wrote.get()?.execute(params![account, number])?;
                }
                if let Some((author, key)) = once {
                    change
                        .prepare_cached(
                            "INSERT OR REPLACE INTO once (author, key, number, id, time)
                                VALUES (?1, ?2, ?3, ?4, ?5)",
                        )?
                        .execute(params![author, key, number, id, time])?;
                }
            }
            WriteOp::RedactedLine { number, id, time } => {
                let place = rowid(number, id);
                line.get()?.execute(params![place, time, "", REDACTED, "", None::<u64>])?;
            }
            other => write_other(change, other)?,
        }
    }
    Ok(())
}

pub(super) fn write_other(change: &Transaction<'_>, entry: WriteOp<'_>) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match entry {
        WriteOp::Line { .. } | WriteOp::RedactedLine { .. } => Ok(()),
        WriteOp::Account(entry) => accounts::write(change, entry),
        WriteOp::ServerModeration(entry) => server_moderation::write(change, entry),
        WriteOp::ChannelClosed { number } => execute(
            "UPDATE conversation SET open = 0, topic = NULL, topic_by = NULL WHERE number = ?1",
            params![number],
        ),
        WriteOp::ChannelModeration { number, op: rule } => channel_moderation::write(change, number, rule),
        WriteOp::Channel { number, name, shown, topic, open } => execute(
            "INSERT INTO conversation (number, name, shown, topic, open) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (number) DO UPDATE SET shown = ?3, topic = ?4, topic_by = NULL, open = ?5",
            params![number, name, shown, topic, open],
        ),
        WriteOp::Private { number, one, other, one_name, other_name } => execute(
            "INSERT INTO conversation (number, one, other, one_name, other_name)
                VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (number) DO UPDATE SET one_name = ?4, other_name = ?5",
            params![number, one, other, one_name, other_name],
        ),
        WriteOp::Topic { number, topic, by } => execute(
            "UPDATE conversation SET topic = ?2, topic_by = ?3 WHERE number = ?1",
            params![number, topic, by],
        ),
        WriteOp::Floor { number, floor } => execute(
            "UPDATE conversation SET floor = max(floor, ?2), last = max(last, ?2) WHERE number = ?1",
            params![number, floor],
        ),
        WriteOp::OutOfOrder { number, id } => execute(
            "UPDATE conversation SET unordered = max(unordered, ?2) WHERE number = ?1",
            params![number, id],
        ),
        WriteOp::HoldName { name, party, since } => execute(
            "INSERT OR REPLACE INTO holder (name, party, since) VALUES (?1, ?2, ?3)",
            params![name, party, since],
        ),
        WriteOp::ReleaseName { name } => {
            execute("DELETE FROM holder WHERE name = ?1", params![name])
        }
    }
}

/// A statement that is prepared when it is needed first.
struct Lazy<'a> {
    on: &'a Connection,
    sql: &'static str,
    made: Option<CachedStatement<'a>>,
}

impl<'a> Lazy<'a> {
    fn new(on: &'a Connection, sql: &'static str) -> Self {
        Self { on, sql, made: None }
    }

    fn get(&mut self) -> rusqlite::Result<&mut CachedStatement<'a>> {
        Ok(match self.made.take() {
            Some(made) => self.made.insert(made),
            None => self.made.insert(self.on.prepare_cached(self.sql)?),
        })
    }
}

pub(super) fn conversations(connection: &Connection) -> Result<Vec<ConversationRow>, StoreError> {
    // The greatest place is one seek in the tree of lines.
    let mut all = connection.prepare_cached(
        "SELECT number, shown, topic, open, one, other, one_name, other_name, last, floor,
            (SELECT max(place) FROM line WHERE place >= (number << 36)
                AND place < ((number + 1) << 36))
            FROM conversation ORDER BY number",
    )?;
    let rows = all.query_map((), |row| {
        let (one, other): (Option<u64>, Option<u64>) = (row.get(4)?, row.get(5)?);
        let last: u64 = row.get(8)?;
        let stored = row.get::<_, Option<i64>>(10)?.map(line_id).unwrap_or_default();
        Ok(ConversationRow {
            number: row.get(0)?,
            shown: row.get(1)?,
            topic: row.get(2)?,
            open: row.get(3)?,
            parties: one.zip(other),
            one_name: row.get(6)?,
            other_name: row.get(7)?,
            last: last.max(stored),
            floor: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
