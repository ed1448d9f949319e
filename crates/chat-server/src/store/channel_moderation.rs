//! Moderation state of channels: settings, bans, mutes, invitations, operators, and the moderation
//! log.

use rusqlite::{Transaction, params};

use super::StoreError;
use super::purge::{self, PurgeOp};
use super::reader::{Reader, StoreKey, number_of};
use super::writer::Writer;
use crate::util::sync::lock;

/// Entries per moderation log. The oldest go first.
const MAX_ACTS: u32 = 1000;

/// A write operation on the moderation state of a channel.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub enum ChannelModerationOp<'a> {
    /// Changes a setting.
    Setting { name: &'a str, value: &'a str },
    /// Adds an entry to a list, replacing one with the same key.
    AddListEntry(NewListEntry<'a>),
    /// Removes an entry, or only one that has ended by this time.
    RemoveListEntry { list: u8, key: &'a str, ended: Option<i64> },
    /// Makes an account an operator.
    GrantOperator { party: u64, inherited: bool },
    /// Revokes the operator right.
    RevokeOperator { party: u64 },
    /// Adds an entry to the moderation log.
    Log(NewModAction<'a>),
    /// Hides lines of an author.
    Purge(PurgeOp<'a>),
    /// Clears all of it: the channel is gone.
    Clear,
}

/// A new entry of the ban, mute or invitation list.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NewListEntry<'a> {
    /// 0 for bans, 1 for mutes, 2 for invitations.
    pub list: u8,
    pub key: &'a str,
    pub target: &'a str,
    pub party: Option<u64>,
    pub account: Option<u64>,
    pub by: &'a str,
    pub time: i64,
    /// Expiry.
    pub until: Option<i64>,
    pub reason: Option<&'a str>,
}

/// A new entry of the moderation log.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct NewModAction<'a> {
    pub time: i64,
    pub by: &'a str,
    /// The command.
    pub did: &'a str,
    pub target: Option<&'a str>,
    pub until: Option<i64>,
    /// Name and value of the setting.
    pub setting: Option<&'a str>,
    pub reason: Option<&'a str>,
}

/// A stored setting: conversation number, name, value.
pub type SettingRow = (u32, String, String);

/// A stored entry of the ban, mute or invitation list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ListEntryRow {
    pub number: u32,
    pub list: u8,
    pub target: String,
    pub party: Option<u64>,
    pub account: Option<u64>,
    pub by: String,
    pub time: i64,
    pub until: Option<i64>,
    pub reason: Option<String>,
}

/// A stored entry of the moderation log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ModActionRow {
    pub time: i64,
    pub by: String,
    pub did: String,
    pub target: Option<String>,
    pub until: Option<i64>,
    pub setting: Option<String>,
    pub reason: Option<String>,
}

impl Writer {
    /// Returns every setting that was ever changed.
    pub fn settings(&self) -> Result<Vec<SettingRow>, StoreError> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached("SELECT number, name, value FROM setting")?;
        let rows = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns every list entry, oldest first.
    pub fn marks(&self) -> Result<Vec<ListEntryRow>, StoreError> {
        let connection = lock(self.connection());
        let mut all = connection.prepare_cached(
            "SELECT number, list, target, party, account, \"by\", time, until, reason FROM mark
                ORDER BY rowid",
        )?;
        let rows = all.query_map((), |row| {
            Ok(ListEntryRow {
                number: row.get(0)?,
                list: row.get(1)?,
                target: row.get(2)?,
                party: row.get(3)?,
                account: row.get(4)?,
                by: row.get(5)?,
                time: row.get(6)?,
                until: row.get(7)?,
                reason: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Reader {
    /// Returns the last entries of a channel's moderation log, oldest first.
    pub fn acts(&self, of: StoreKey<'_>, most: u32) -> Result<Vec<ModActionRow>, StoreError> {
        let connection = lock(self.connection());
        let Some(number) = number_of(&connection, of)? else { return Ok(Vec::new()) };
        let mut last = connection.prepare_cached(
            "SELECT time, \"by\", did, target, until, setting, reason FROM act WHERE number = ?1
                ORDER BY at DESC LIMIT ?2",
        )?;
        let rows = last.query_map(params![number, most], |row| {
            Ok(ModActionRow {
                time: row.get(0)?,
                by: row.get(1)?,
                did: row.get(2)?,
                target: row.get(3)?,
                until: row.get(4)?,
                setting: row.get(5)?,
                reason: row.get(6)?,
            })
        })?;
        let mut acts = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        acts.reverse();
        Ok(acts)
    }
}

pub(super) fn write(
    change: &Transaction<'_>,
    number: u32,
    rule: ChannelModerationOp<'_>,
) -> rusqlite::Result<()> {
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        change.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match rule {
        ChannelModerationOp::Setting { name, value } => execute(
            "INSERT OR REPLACE INTO setting (number, name, value) VALUES (?1, ?2, ?3)",
            params![number, name, value],
        ),
        ChannelModerationOp::AddListEntry(row) => {
            let NewListEntry { list, key, target, party, account, by, time, until, reason } = row;
            execute(
                "INSERT OR REPLACE INTO mark
                    (number, list, key, target, party, account, \"by\", time, until, reason)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![number, list, key, target, party, account, by, time, until, reason],
            )
        }
        ChannelModerationOp::RemoveListEntry { list, key, ended } => execute(
            "DELETE FROM mark WHERE number = ?1 AND list = ?2 AND key = ?3
                AND (?4 IS NULL OR until <= ?4)",
            params![number, list, key, ended],
        ),
        ChannelModerationOp::GrantOperator { party, inherited } => execute(
            "INSERT INTO operator (number, party, inherited) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET inherited = min(inherited, excluded.inherited)",
            params![number, party, inherited],
        ),
        ChannelModerationOp::RevokeOperator { party } => {
            execute("DELETE FROM operator WHERE number = ?1 AND party = ?2", params![number, party])
        }
        ChannelModerationOp::Log(row) => {
            let NewModAction { time, by, did, target, until, setting, reason } = row;
            execute(
                "INSERT INTO act (number, at, time, \"by\", did, target, until, setting, reason)
                    SELECT ?1, coalesce(max(at), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM act
                    WHERE number = ?1",
                params![number, time, by, did, target, until, setting, reason],
            )?;
            execute(
                "DELETE FROM act WHERE number = ?1
                    AND at <= (SELECT max(at) FROM act WHERE number = ?1) - ?2",
                params![number, MAX_ACTS],
            )
        }
        ChannelModerationOp::Purge(purge) => purge::begin(change, number, &purge),
        ChannelModerationOp::Clear => {
            for table in ["setting", "mark", "act", "operator", "member", "pending_purge"] {
                execute(&format!("DELETE FROM {table} WHERE number = ?1"), params![number])?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
