//! Checksums of stored lines. A checksum is in the column `flags`, above the flags themselves.
//!
//! SQLite has no checksums in its tables: a byte that changes on the disk changes a text without a
//! trace. Lines of earlier versions, redacted and hidden lines have none.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Row;

/// Bits of the line id in a row id: 68 billion lines per conversation, 134 million conversations.
pub(super) const ID_BITS: u32 = 36;

pub(super) fn line_id(place: i64) -> u64 {
    place.unsigned_abs() & ((1 << ID_BITS) - 1)
}

pub(super) fn conversation_number(place: i64) -> i64 {
    place >> ID_BITS
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

/// Bits of the column that are flags.
const FLAGS: i64 = 0xFFFF;
const SHIFT: u32 = 16;

/// Constants of 64-bit FNV-1a.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Flags that never change.
const FIXED: i64 = ACTION | BY_OTHER;

/// Changed lines logged by one process; `check` reports them.
const MAX_LOGGED: usize = 100;

/// The columns of a stored line.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) place: i64,
    pub(super) time: i64,
    pub(super) flags: i64,
    pub(super) account: Option<u64>,
    pub(super) author: &'a [u8],
    pub(super) text: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Reads the columns place, time, author, flags, text, account.
    pub(super) fn of(row: &'a Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            place: row.get(0)?,
            time: row.get(1)?,
            author: row.get_ref(2)?.as_bytes()?,
            flags: row.get(3)?,
            text: row.get_ref(4)?.as_bytes()?,
            account: row.get(5)?,
        })
    }

    /// Returns the flags with the checksum.
    pub(super) fn flags_with_sum(self) -> i64 {
        self.flags & FLAGS | if self.flags & NOT_SHOWN == 0 { self.sum() << SHIFT } else { 0 }
    }

    /// Whether the line matches its checksum, or has none.
    pub(super) fn is_whole(self) -> bool {
        let stored = self.flags >> SHIFT;
        stored == 0 || stored == self.sum()
    }

    /// 32 bits of FNV-1a, never 0.
    fn sum(self) -> i64 {
        let length = i64::try_from(self.author.len()).unwrap_or(i64::MAX);
        let account = self.account.map_or(-1, u64::cast_signed);
        let numbers = [self.place, self.time, self.flags & FIXED, account, length];
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        let bytes = numbers.chain(self.author.iter().copied()).chain(self.text.iter().copied());
        let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        ((hash ^ hash >> 32) & 0xFFFF_FFFF).max(1).cast_signed()
    }

    /// Logs a line that doesn't match its checksum.
    pub(super) fn report(self) {
        if self.is_whole() || LOGGED.fetch_add(1, Ordering::Relaxed) >= MAX_LOGGED {
            return;
        }
        tracing::error!(
            conversation = conversation_number(self.place),
            line = line_id(self.place),
            "a stored line was changed by damage of chat.db; look at the disk, see chat-server \
             check, and restore a backup"
        );
    }
}

static LOGGED: AtomicUsize = AtomicUsize::new(0);

/// Reads a text. Damage may have left bytes that aren't UTF-8.
pub(super) fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<Cow<'a, str>> {
    Ok(String::from_utf8_lossy(row.get_ref(column)?.as_bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let whole = Columns {
            place: 7 << 36 | 9,
            time: 1_700_000_000_000,
            flags: ACTION,
            account: Some(3),
            author: b"ann",
            text: b"hello there, all of you",
        };
        let flags = whole.flags_with_sum();
        let whole = Columns { flags, ..whole };
        assert!(whole.is_whole() && flags & FLAGS == ACTION);
        assert!(Columns { flags: flags | HIDDEN, ..whole }.is_whole(), "it may be hidden later");
        assert!(Columns { flags: ACTION, ..whole }.is_whole(), "an earlier version wrote it");
        for bit in 0..whole.text.len() * 8 {
            let mut text = whole.text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            assert!(!Columns { text: &text, ..whole }.is_whole(), "bit {bit}");
        }
        for changed in [
            Columns { place: whole.place + 1, ..whole },
            Columns { time: whole.time ^ 1 << 20, ..whole },
            Columns { account: None, ..whole },
            Columns { author: b"anm", ..whole },
            Columns { author: b"annh", text: b"ello there, all of you", ..whole },
            Columns { flags: flags ^ BY_OTHER, ..whole },
            Columns { flags: flags ^ 1 << 30, ..whole },
        ] {
            assert!(!changed.is_whole());
        }
    }
}
