//! Losses found when a server takes over the journal of an earlier one.
//!
//! Rows of the journal are numbered without gaps, and so are the lines of a conversation. A missing
//! number or a wrong checksum means damage. It is logged, and recorded in the table `damage`, from
//! which `check` reports it until a backup is restored.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::journal::JournalRow;
use super::record::RecordBatch;
use crate::store::row::{FORGOTTEN, MAX_NUMBER, line_id, rowid};
use crate::store::{Shared, StoreError};
use crate::util::sync::lock;

/// Losses logged one by one; of more, only the number is logged.
const MAX_TOLD: usize = 20;

/// The losses found so far.
pub(super) struct Losses {
    tables: Shared,
    /// The last id of each conversation seen, and `None` if there is no such conversation.
    last: HashMap<u32, Option<u64>>,
    /// Missing lines of conversations, first and last id.
    lines: Vec<(u32, u64, u64)>,
    /// Lines of unknown conversations.
    orphans: BTreeMap<u32, (u64, u64)>,
    /// Missing rows, first and last.
    rows: Vec<(i64, i64)>,
}

impl Losses {
    pub(super) fn new(tables: Shared) -> Self {
        Self {
            tables,
            last: HashMap::new(),
            lines: Vec::new(),
            orphans: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// Records missing rows, unless the range is empty.
    fn rows(&mut self, first: i64, last: i64) {
        if first <= last {
            self.rows.push((first, last));
        }
    }

    /// Records a damaged row. Its content is no more than a hint.
    fn damaged(&mut self, row: i64, records: Vec<u8>) {
        self.rows(row, row);
        // Clients may have seen its ids.
        let Ok(batch) = RecordBatch::read(records) else { return };
        for part in batch.parts().filter(|part| part.lines > 0) {
            let _ = self.reaches(part.number, part.last);
        }
    }

    /// Examines the next row after another one. Returns its batch unless it is damaged.
    pub(super) fn take(
        &mut self,
        before: i64,
        next: JournalRow,
    ) -> Result<Option<RecordBatch>, StoreError> {
        self.rows(before + 1, next.number - 1);
        if !next.is_whole {
            self.damaged(next.number, next.records);
            return Ok(None);
        }
        let batch = RecordBatch::read(next.records)?;
        self.look_at(&batch)?;
        Ok(Some(batch))
    }

    fn look_at(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        for part in batch.parts().filter(|part| part.lines > 0) {
            let (number, id) = (part.number, part.last);
            match self.last_of(number)? {
                Some(last) if id > last + 1 => self.lines.push((number, last + 1, id - 1)),
                Some(_) => {}
                None => {
                    let orphans = self.orphans.entry(number).or_insert((id, id));
                    orphans.1 = id.max(orphans.1);
                }
            }
            self.reaches(number, id)?;
        }
        Ok(())
    }

    fn reaches(&mut self, number: u32, id: u64) -> Result<(), StoreError> {
        let last = self.last_of(number)?.map(|last| last.max(id));
        self.last.insert(number, last);
        Ok(())
    }

    fn last_of(&mut self, number: u32) -> Result<Option<u64>, StoreError> {
        if let Some(last) = self.last.get(&number) {
            return Ok(*last);
        }
        let tables = lock(&self.tables);
        let mut known = tables.prepare_cached(
            "SELECT last, (SELECT max(place) FROM line WHERE place >= ?2 AND place < ?3)
                FROM conversation WHERE number = ?1",
        )?;
        let range = params![number, rowid(number, 0), rowid(number + 1, 0)];
        let known = known.query_row(range, |row| {
            let (last, end): (u64, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(last.max(end.map_or(0, line_id)))
        });
        let known = known.optional()?;
        self.last.insert(number, known);
        Ok(known)
    }

    /// Returns the losses, one sentence each.
    pub(super) fn sentences(&self) -> Result<Vec<String>, StoreError> {
        let tables = lock(&self.tables);
        let mut told = Vec::new();
        for (first, last) in &self.rows {
            told.push(format!(
                "recent.db lacks the commits {first} to {last}, or they are damaged"
            ));
        }
        for (number, first, last) in &self.lines {
            let name = name_of(&tables, i64::from(*number))?;
            told.push(format!("the lines {first} to {last} of {name} are missing"));
        }
        for (first, last) in self.orphans.values() {
            told.push(format!(
                "the lines {first} to {last} of a conversation that was made shortly before are missing, with the conversation"
            ));
        }
        Ok(told)
    }

    /// Logs and records the losses.
    pub(super) fn tell(self) -> Result<(), StoreError> {
        let told = self.sentences()?;
        if told.is_empty() {
            return Ok(());
        }
        let tables = lock(&self.tables);
        // Their ids aren't given again.
        for (number, last) in &self.last {
            let Some(last) = last else { continue };
            tables
                .prepare_cached("UPDATE conversation SET last = max(last, ?2) WHERE number = ?1")?
                .execute(params![number, last])?;
        }
        if let Some(last) = self.orphans.values().map(|(_, last)| *last).max() {
            let number = self.orphans.keys().max().copied().unwrap_or_default();
            let end = i64::try_from(last).unwrap_or(i64::MAX);
            skip_in_new_channels(&tables, number, end)?;
        }
        note(&tables, &told);
        Ok(())
    }
}

/// Logs losses, one sentence each, and records them for `check`.
pub(in crate::store) fn note(tables: &Connection, told: &[String]) {
    let more = told.len().saturating_sub(MAX_TOLD);
    let more = (more > 0).then(|| format!("and {more} more losses of the kind"));
    for what in told.iter().take(MAX_TOLD).chain(&more) {
        tracing::error!(
            "a file of the store is damaged: {what}; look at the disk, and restore a backup if you need them"
        );
        let noted = tables
            .prepare_cached("INSERT INTO damage (at, what) VALUES (unixepoch(), ?1)")
            .and_then(|mut insert| insert.execute([what]));
        if let Err(error) = noted {
            tracing::debug!(%error, "the damage can't be noted");
        }
    }
}

/// Makes a channel that is made again, perhaps by the name of a lost one, begin after this id. The
/// placeholder of forgotten channels gets a number after all others and this one.
fn skip_in_new_channels(tables: &Connection, number: u32, last: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO conversation (number, name, open, last, floor)
            SELECT max(?2, coalesce(max(number), 0)) + 1, ?1, 0, ?3, ?3 FROM conversation
            HAVING max(?2, coalesce(max(number), 0)) < ?4
                OR EXISTS (SELECT * FROM conversation WHERE name = ?1)
            ON CONFLICT (name) DO UPDATE SET last = max(last, ?3), floor = max(floor, ?3)";
    tables.execute(sql, params![FORGOTTEN, number, last, MAX_NUMBER]).map(drop)
}

/// Returns the name of a conversation for the log.
pub(in crate::store) fn name_of(tables: &Connection, number: i64) -> rusqlite::Result<String> {
    let sql = "SELECT shown FROM conversation WHERE number = ?1";
    let shown: Option<String> = tables.query_row(sql, [number], |row| row.get(0)).optional()?;
    Ok(match shown {
        Some(shown) if !shown.is_empty() => format!("#{shown}"),
        _ => "a private chat".to_owned(),
    })
}
