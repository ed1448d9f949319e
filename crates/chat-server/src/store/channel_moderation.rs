//! Moderation state of channels: settings, bans, mutes, invitations, operators, and the moderation
//! log.

use rusqlite::params;

use super::StoreError;
use super::reader::{Reader, number_of};
use super::row::StoreKey;
use super::writer::Writer;
use crate::util::sync::lock;

/// A stored setting: conversation number, name, value.
pub type SettingRow = (u32, String, String);

/// A stored entry of the ban, mute or invitation list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the schema")]
pub struct ListEntryRow {
    pub number: u32,
    pub list: u8,
    pub target: String,
    pub user_id: Option<u64>,
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
                user_id: row.get(3)?,
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

#[cfg(test)]
mod tests;
