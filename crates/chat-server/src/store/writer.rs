//! Writes: commits, and small steps that delete what retention removes.

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

/// Bits of the line id in a row id: 68 billion lines per conversation, 134 million conversations.
pub(super) const ID_BITS: u32 = 36;

/// The name of a placeholder conversation, which no channel can have. Its floor is the greatest
/// last id of forgotten channels.
pub const FORGOTTEN: &str = "#";

/// The greatest conversation number: the number after it has row ids, too.
pub const MAX_NUMBER: u32 = (1 << (63 - ID_BITS)) - 2;

/// Returns the row id of a line.
pub(super) fn rowid(number: u32, id: u64) -> i64 {
    let id = id.min((1 << ID_BITS) - 1);
    i64::from(number) << ID_BITS | i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn line_id(place: i64) -> u64 {
    place.unsigned_abs() & ((1 << ID_BITS) - 1)
}

/// `/me`.
pub(super) const ACTION: i64 = 1;
/// By the second party of a private chat.
pub(super) const BY_OTHER: i64 = 2;
/// Redacted: only id and time are left.
pub(super) const REDACTED: i64 = 4;
/// Hidden by a purge.
pub(super) const HIDDEN: i64 = 8;
/// Lines with one of these flags are not shown, though they keep their ids.
pub(super) const NOT_SHOWN: i64 = REDACTED | HIDDEN;

/// Writes the store; one per store.
pub struct Writer {
    connection: Shared,
    memtable: Arc<Memtable>,
    /// Keeps other processes from writing.
    lock: Option<Arc<File>>,
}

/// A write operation. Later operations of a commit see earlier ones.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum WriteOp<'a> {
    /// Creates or updates a channel.
    Channel { number: u32, name: &'a str, shown: &'a str, topic: Option<&'a str>, open: bool },
    /// Creates or renames the parties of a private chat.
    Private { number: u32, one: u64, other: u64, one_name: &'a str, other_name: &'a str },
    /// Adds a line, with the author's account if any. `once` is the author (folded) and the
    /// idempotency key. A hidden line is stored redacted.
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
    /// Adds a redacted line.
    RedactedLine { number: u32, id: u64, time: i64 },
    /// Closes a channel.
    ChannelClosed { number: u32 },
    /// Changes the moderation state of a channel.
    ChannelModeration { number: u32, op: ChannelModerationOp<'a> },
    /// Sets a topic, with the account that set it if any.
    Topic { number: u32, topic: Option<&'a str>, by: Option<u64> },
    /// Raises the retention floor.
    Floor { number: u32, floor: u64 },
    /// Records that this line has an earlier time than the one before it.
    OutOfOrder { number: u32, id: u64 },
    /// Holds a name (folded) for a party.
    HoldName { name: &'a str, party: u64, since: i64 },
    /// Releases a name (folded).
    ReleaseName { name: &'a str },
    /// Changes an account.
    Account(AccountOp<'a>),
    /// Changes server moderation.
    ServerModeration(ServerModerationOp<'a>),
}

/// A stored conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ConversationRow {
    pub number: u32,
    pub shown: String,
    pub topic: Option<String>,
    pub open: bool,
    /// The parties of a private chat.
    pub parties: Option<(u64, u64)>,
    pub one_name: String,
    pub other_name: String,
    /// The last assigned id.
    pub last: u64,
    pub floor: u64,
}

impl ConversationRow {
    /// Whether it is the placeholder [`FORGOTTEN`].
    pub fn is_of_forgotten(&self) -> bool {
        self.parties.is_none() && self.shown.is_empty()
    }
}

/// A name held for a party.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NameHolderRow {
    pub name: String,
    pub party: u64,
    pub since: i64,
}

/// The line stored under an idempotency key.
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

    /// Commits all operations as durably as configured, or none.
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
        // A line that isn't journaled comes after those that are.
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

    /// Returns the number of unflushed lines.
    pub fn waiting(&self) -> usize {
        self.memtable.lines()
    }

    /// Flushes and indexes all lines.
    pub fn flush(&self) -> Result<(), StoreError> {
        while !self.memtable.index_some_of_all()? {}
        Ok(())
    }

    /// Returns the flusher, for a thread of its own.
    pub fn flusher(&self) -> Flusher {
        Flusher(Arc::clone(&self.memtable), self.lock.clone())
    }

    /// Returns every conversation.
    pub fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError> {
        // Read before the tables: buffered lines may be flushed in between.
        let waiting = self.memtable.all_ends();
        let mut rows = conversations(&self.memtable.tables())?;
        for row in &mut rows {
            let Some(waits) = waiting.get(&row.number) else { continue };
            (row.last, row.floor) = (row.last.max(waits.last), row.floor.max(waits.floor));
        }
        Ok(rows)
    }

    /// Returns the time of the last line or moderation log entry of each conversation.
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

    /// Returns channel number and account of each topic that an account set.
    pub fn topics(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached(
            "SELECT number, topic_by FROM conversation WHERE topic_by IS NOT NULL",
        )?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns every held name.
    pub fn holders(&self) -> Result<Vec<NameHolderRow>, StoreError> {
        let connection = self.memtable.tables();
        let mut all = connection.prepare_cached("SELECT name, party, since FROM holder")?;
        let rows = all.query_map((), |row| {
            Ok(NameHolderRow { name: row.get(0)?, party: row.get(1)?, since: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the line of this author (folded) under an idempotency key, unless it is older than
    /// `since`.
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

    /// Deletes some idempotency keys from before a time. Returns how many.
    pub fn forget_once_before(&mut self, time: i64, most: usize) -> Result<usize, StoreError> {
        let connection = self.memtable.tables();
        let mut some = connection.prepare_cached(
            "DELETE FROM once WHERE (author, key) IN
                (SELECT author, key FROM once WHERE time < ?1 LIMIT ?2)",
        )?;
        Ok(some.execute(params![time, most])?)
    }

    /// Removes lines up to this one, whether they are deleted yet or not.
    pub fn raise_floor(&mut self, number: u32, floor: u64) -> Result<(), StoreError> {
        self.commit(&[WriteOp::Floor { number, floor }])
    }

    /// Returns the last of the lines after an id that are all older than a time, up to a bound, and
    /// whether there may be more. A younger line keeps all lines after it, whatever their times: an
    /// earlier version or an import may have stored lines by a wrong clock.
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

    /// Deletes some removed lines, up to a bound. Returns how many; if that equals the bound, there
    /// may be more.
    pub fn sweep(&mut self, number: u32, most: usize) -> Result<usize, StoreError> {
        // Only indexed words can be deleted from the index.
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
                // The index counts its lines, and fails if one is deleted twice.
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

    /// Deletes a conversation whose lines are deleted.
    pub fn forget_conversation(&mut self, number: u32) -> Result<(), StoreError> {
        let mut connection = self.memtable.tables();
        let change = connection.transaction()?;
        change.execute("DELETE FROM conversation WHERE number = ?1", [number])?;
        change.execute("DELETE FROM author_block WHERE number = ?1", [number])?;
        change.execute("DELETE FROM pending_purge WHERE number = ?1", [number])?;
        accounts::forget_conversation(&change, number)?;
        Ok(change.commit()?)
    }

    /// Moves everything into the database file.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.memtable.close_files()
    }

    /// Returns a reader on the writer's connection.
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

/// Flushes lines when traffic pauses, or when many are buffered.
pub struct Flusher(Arc<Memtable>, Option<Arc<File>>);

impl Flusher {
    /// Runs until [`Flusher::stop`].
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

/// Overwrites a commit that failed only at its sync. It lies complete in the WAL, and a start after
/// a crash would accept it. An empty commit takes its place, synced or not.
pub(super) fn overwrite_failed(connection: &Connection, error: &rusqlite::Error) {
    // The disk failure is already known. The next commit retries what fails here.
    let _ = commit_nothing(connection);
    // A commit on a full disk has no end.
    let may_be_whole = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
    if may_be_whole && let Some(path) = connection.path().filter(|path| !path.is_empty()) {
        let _ = wal_repair::wipe_behind(Path::new(path));
    }
}

/// Commits without a change. Earlier writes are synced with it.
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

/// A statement that is prepared on first use.
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
    // The greatest row id is one seek in the table of lines.
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
