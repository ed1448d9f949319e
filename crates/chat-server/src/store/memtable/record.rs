//! The encoding of a commit of lines in the journal.

use serde::{Deserialize, Serialize};

use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::row::OnceRow;
use crate::store::write_op::{AccountOp, LineColumns, NewLine, WriteOp};

/// A write operation that may be journaled. Stored records stay readable: new kinds are appended,
/// and none is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    /// A line, with the columns of its table.
    Line {
        number: u32,
        id: u64,
        time: i64,
        flags: i64,
        account: Option<u64>,
        author: &'a str,
        text: &'a str,
        /// Author (folded) and idempotency key.
        once: Option<(&'a str, &'a str)>,
    },
    /// A read marker of an account.
    Marker { user_id: u64, number: u32, marker: u64 },
    /// Lines up to this one are removed by retention.
    Floor { number: u32, floor: u64 },
}

impl<'a> Record<'a> {
    fn of(entry: &WriteOp<'a>) -> Option<Self> {
        Some(match *entry {
            WriteOp::Line(message) => {
                let NewLine { number, id, time, once, .. } = message;
                let LineColumns { flags, account, author, text } = message.columns();
                Self::Line { number, id, time, flags, account, author, text, once }
            }
            WriteOp::Account(AccountOp::Marker { user_id, number, marker }) => {
                Self::Marker { user_id, number, marker }
            }
            WriteOp::Floor { number, floor } => Self::Floor { number, floor },
            _ => return None,
        })
    }

    pub(super) fn number(&self) -> u32 {
        match *self {
            Self::Line { number, .. }
            | Self::Marker { number, .. }
            | Self::Floor { number, .. } => number,
        }
    }

    /// Decodes and removes the first record.
    pub(super) fn next(records: &mut &'a [u8]) -> Result<Option<Self>, StoreError> {
        if records.is_empty() {
            return Ok(None);
        }
        let (record, rest) = postcard::take_from_bytes(records).map_err(|_| {
            StoreError::told(StoreErrorKind::Damaged, "a record of the journal can't be read")
        })?;
        *records = rest;
        Ok(Some(record))
    }
}

/// Whether an operation may be journaled: it depends on nothing outside the tables, and every
/// reader of what it changes flushes first.
pub(super) fn may_wait(entry: &WriteOp<'_>) -> bool {
    Record::of(entry).is_some()
}

/// Whether an operation is a line.
pub(super) fn is_line(entry: &WriteOp<'_>) -> bool {
    matches!(entry, WriteOp::Line(_))
}

/// A line's id and its time.
type IdAndTime = (u64, i64);

/// The records of one commit.
#[derive(Default)]
pub(in crate::store) struct RecordBatch {
    records: Vec<u8>,
    /// End offset and conversation of each record, with id and time of a line.
    ends: Vec<(usize, u32, Option<IdAndTime>)>,
    /// Retention floors of conversations.
    floors: Vec<(u32, u64)>,
    /// Read markers.
    markers: Vec<(u64, u32, u64)>,
    once: Vec<OnceEntry>,
}

/// Author (folded) and idempotency key of a line.
pub(super) type OnceEntry = ((Box<str>, Box<str>), OnceRow);

/// One record of a batch.
pub(super) struct ConversationRecords<'a> {
    pub(super) number: u32,
    /// Number of lines in it.
    pub(super) lines: usize,
    /// The last id in it, and its time.
    pub(super) last: u64,
    pub(super) time: i64,
    pub(super) records: &'a [u8],
}

impl RecordBatch {
    /// Encodes operations.
    ///
    /// # Errors
    ///
    /// If an operation may not be journaled.
    pub(in crate::store) fn of(entries: &[WriteOp<'_>]) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        batch.records.reserve(entries.iter().map(length).sum());
        batch.ends.reserve(entries.len());
        for entry in entries {
            let record = Record::of(entry).ok_or_else(unwritable)?;
            let records = std::mem::take(&mut batch.records);
            batch.records = postcard::to_extend(&record, records).map_err(|_| unwritable())?;
            batch.note(&record, batch.records.len());
        }
        Ok(batch)
    }

    /// Decodes a row of the journal.
    pub(super) fn read(records: Vec<u8>) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        let mut rest = &records[..];
        while let Some(record) = Record::next(&mut rest)? {
            batch.note(&record, records.len() - rest.len());
        }
        batch.records = records;
        Ok(batch)
    }

    fn note(&mut self, record: &Record<'_>, end: usize) {
        let line = match *record {
            Record::Line { number, id, time, once, .. } => {
                if let Some((author, key)) = once {
                    self.once.push(((author.into(), key.into()), OnceRow { number, id, time }));
                }
                Some((id, time))
            }
            Record::Marker { user_id, number, marker } => {
                self.markers.push((user_id, number, marker));
                None
            }
            Record::Floor { number, floor } => {
                self.floors.push((number, floor));
                None
            }
        };
        self.ends.push((end, record.number(), line));
    }

    pub(super) fn records(&self) -> &[u8] {
        &self.records
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = ConversationRecords<'_>> {
        let mut begin = 0;
        self.ends.iter().map(move |(end, number, line)| {
            let records = &self.records[begin..*end];
            begin = *end;
            let lines = usize::from(line.is_some());
            let (last, time) = line.unwrap_or_default();
            ConversationRecords { number: *number, lines, last, time, records }
        })
    }

    pub(super) fn floors(&self) -> &[(u32, u64)] {
        &self.floors
    }

    pub(super) fn markers(&self) -> &[(u64, u32, u64)] {
        &self.markers
    }

    pub(super) fn once(&self) -> &[OnceEntry] {
        &self.once
    }
}

/// Estimates the bytes of a record: never too low, except for long names and numbers.
fn length(entry: &WriteOp<'_>) -> usize {
    const AROUND_TEXT: usize = 48;
    match entry {
        WriteOp::Line(message) => message.text.len() + AROUND_TEXT,
        _ => AROUND_TEXT,
    }
}

fn unwritable() -> StoreError {
    StoreError::told(StoreErrorKind::Other, "an entry can't be written into the journal")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of an earlier version are read by all later ones: these bytes never change.
    #[test]
    fn records_round_trip() {
        let entries = [
            WriteOp::Line(NewLine {
                number: 3,
                id: 300,
                time: 1_700_000_000_000,
                author: "alice",
                action: true,
                by_other: false,
                account: Some(7),
                text: "hi",
                once: Some(("alice", "k")),
                hidden: false,
            }),
            AccountOp::Marker { user_id: 7, number: 3, marker: 300 }.into(),
            WriteOp::Floor { number: 3, floor: 2 },
        ];
        let batch = RecordBatch::of(&entries).unwrap();
        let line = b"\x00\x03\xAC\x02\x80\xA0\xAB\xFE\xF9\x62\x02\x01\x07\x05alice\x02hi\x01\x05alice\x01k";
        let rest = b"\x01\x07\x03\xAC\x02\x02\x03\x02";
        assert_eq!(
            batch.records().escape_ascii().to_string(),
            [&line[..], rest].concat().escape_ascii().to_string()
        );
        let again = RecordBatch::read(batch.records().to_vec()).unwrap();
        let parts = |batch: &RecordBatch| -> Vec<_> {
            batch.parts().map(|part| (part.number, part.lines, part.records.to_vec())).collect()
        };
        assert_eq!(parts(&again), parts(&batch));
        assert_eq!(again.once().len(), 1);
        let mut rest = again.records();
        let first = Record::next(&mut rest).unwrap().unwrap();
        assert_eq!(Some(first), Record::of(&entries[0]));
    }

    #[test]
    fn malformed_records_are_refused() {
        for bytes in [&b"\x09"[..], b"\x00\x03", b"\x01\x07\x03"] {
            let failure = RecordBatch::read(bytes.to_vec()).err().unwrap();
            assert_eq!(failure.kind(), StoreErrorKind::Damaged);
        }
    }
}
