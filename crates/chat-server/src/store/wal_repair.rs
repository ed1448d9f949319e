//! Finds and repairs damage in the WAL of a server that was killed.
//!
//! SQLite reads a WAL up to the first frame with a wrong checksum, and reports nothing: a flipped
//! bit in an early frame loses every later commit. So the WALs are scanned before SQLite opens
//! them, while no other process has them open.
//!
//! SQLite's checksum is linear. If at most one 4-byte word of a frame is wrong, the right one
//! follows from the checksum, and the frame is repaired. For damage beyond repair the scan finds
//! whether later commits lie behind it. The checksum of a frame continues the stored one of the
//! frame before, so frames behind a bad one can be recognized.
//!
//! Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::paths::beside;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The only page size that the server uses.
const PAGE: usize = 4096;

const FRAME: usize = FRAME_HEADER + PAGE;

/// Magic number for checksums of words in native byte order.
const MAGIC: u32 = 0x377f_0682 | if cfg!(target_endian = "big") { 1 } else { 0 };
const VERSION: u32 = 3_007_000;

/// A checksum: two sums, both changed by each word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksum(u32, u32);

impl Checksum {
    /// Continues the checksum over more bytes, taken as pairs of words and padded with zeros.
    pub(super) fn over(self, bytes: &[u8]) -> Self {
        let Self(mut first, mut second) = self;
        let (pairs, rest) = bytes.as_chunks::<8>();
        let mut add = |pair: &[u8; 8]| {
            let word =
                |at| u32::from_ne_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
            first = first.wrapping_add(word(0)).wrapping_add(second);
            second = second.wrapping_add(word(4)).wrapping_add(first);
        };
        pairs.iter().for_each(&mut add);
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            add(&last);
        }
        Self(first, second)
    }

    /// Returns the checksum of any bytes.
    pub(super) fn of(bytes: &[u8]) -> i64 {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Self(first, second) = Self(length, !length).over(bytes);
        i64::from(first) << 31 ^ i64::from(second)
    }

    fn stored(bytes: &[u8]) -> Self {
        Self(word(bytes, 0), word(bytes, 4))
    }

    fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.0.to_be_bytes());
        bytes[4..].copy_from_slice(&self.1.to_be_bytes());
        bytes
    }
}

/// Reads a number of a header.
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_be_bytes(word.unwrap_or_default())
}

/// A fix of one word: its index among the summed words, and the value to add.
type WordFix = (usize, u32);

/// Returns every fix of one word that makes the checksum right. There is one, unless the highest
/// bits of a word are wrong, which count for little.
fn changes(words: usize, is: Checksum, should: Checksum) -> Vec<WordFix> {
    let mut found = Vec::new();
    let missing = (should.0.wrapping_sub(is.0), should.1.wrapping_sub(is.1));
    // The effect on both sums of adding one to the first and to the second word of a pair.
    let (mut first, mut second) = ((1_u32, 1_u32), (0_u32, 1_u32));
    for pair in (0..words / 2).rev() {
        for (at, by) in [(2 * pair, first), (2 * pair + 1, second)] {
            // One of the two is odd, since the step from one pair to the next has an inverse.
            let added = if by.0 % 2 == 1 {
                missing.0.wrapping_mul(inverse(by.0))
            } else {
                missing.1.wrapping_mul(inverse(by.1))
            };
            let makes = (by.0.wrapping_mul(added), by.1.wrapping_mul(added));
            if added != 0 && makes == missing {
                found.push((at, added));
            }
        }
        (first, second) = (next_effect(first), next_effect(second));
    }
    found
}

/// Returns the inverse of an odd number modulo 2^32.
fn inverse(odd: u32) -> u32 {
    // Each step doubles the correct bits, three at first.
    (0..4)
        .fold(odd, |inverse, _| inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse))))
}

fn add_to_word(bytes: &mut [u8], at: usize, added: u32) {
    if let Some(word) = bytes.get_mut(at..at + 4) {
        let old = u32::from_ne_bytes(word.try_into().unwrap_or_default());
        word.copy_from_slice(&old.wrapping_add(added).to_ne_bytes());
    }
}

/// Applies a fix. The summed bytes of a frame are contiguous except for one gap.
fn apply(frame: &mut Frame, (at, added): WordFix) {
    let at = if at < 2 { at * 4 } else { FRAME_HEADER + (at - 2) * 4 };
    add_to_word(frame, at, added);
}

/// The damage found in a WAL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WalDamage {
    /// Frames with one wrong word, and a header, which can be repaired.
    pub(super) mended: usize,
    /// The first unreadable frame.
    pub(super) lost_from: Option<usize>,
    /// Commits behind it.
    pub(super) lost_commits: usize,
    /// A damaged frame that is kept for the commits behind it.
    pub(super) accepted: Option<usize>,
}

/// What a scan does about damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RepairMode {
    /// Report only.
    None,
    /// Repair what can be repaired.
    Mend,
    /// Also keep a frame beyond repair: its content has other checksums.
    Accept,
}

/// A frame with its header.
type Frame = [u8; FRAME];

fn offset(at: usize) -> u64 {
    (HEADER + at * FRAME) as u64
}

/// Returns the checksum of a frame.
fn sum_of(frame: &Frame, before: Checksum) -> Checksum {
    before.over(&frame[..8]).over(&frame[FRAME_HEADER..])
}

fn is_commit(frame: &Frame) -> bool {
    word(frame, 4) != 0
}

/// Whether a damaged frame can be repaired.
enum Repair {
    As(Box<Frame>),
    /// One unknown word is wrong: the frame was complete, and is damaged.
    InSomeWay,
    /// The frame is damaged, incomplete, or from an earlier WAL.
    No,
}

/// A WAL during a scan.
struct WalFile<'a> {
    file: &'a File,
    /// The database, if it exists.
    database: Option<&'a File>,
    frames: usize,
    salts: [u8; 8],
}

impl WalFile<'_> {
    fn frame(&self, at: usize) -> io::Result<Option<Box<Frame>>> {
        if at >= self.frames {
            return Ok(None);
        }
        let mut frame = Box::new([0; FRAME]);
        self.file.read_exact_at(&mut frame[..], offset(at))?;
        Ok(Some(frame))
    }

    fn has_salts(&self, frame: &Frame) -> bool {
        frame[8..16] == self.salts
    }

    /// Returns a header with the salts of the first frame whose checksum the next frame continues,
    /// and whether the first frame of all continues it.
    fn new_header(&self) -> io::Result<Option<([u8; HEADER], bool)>> {
        let Some(first) = self.frame(0)? else { return Ok(None) };
        for at in 0..self.frames {
            let Some(frame) = self.frame(at)? else { break };
            let salts = frame[8..16].try_into().unwrap_or_default();
            let log = WalFile { salts, ..*self };
            if salts != [0; 8] && log.goes_on(at + 1, Checksum::stored(&frame[16..]))? {
                return Ok(Some(new_header(salts, &first)));
            }
        }
        Ok(None)
    }

    /// Whether the next frame continues this checksum.
    fn goes_on(&self, at: usize, sum: Checksum) -> io::Result<bool> {
        let next = self.frame(at)?;
        Ok(next.is_some_and(|next| {
            self.has_salts(&next) && sum_of(&next, sum) == Checksum::stored(&next[16..])
        }))
    }

    /// Returns the repaired frame, if one word is wrong.
    fn mended(&self, at: usize, frame: &Frame, before: Checksum) -> io::Result<Repair> {
        let mut mended = Box::new(*frame);
        let (is, stored) = (sum_of(frame, before), Checksum::stored(&frame[16..]));
        if is == stored {
            // Frames of an earlier WAL have other salts, and checksums that don't continue this
            // one.
            mended[8..16].copy_from_slice(&self.salts);
            return Ok(Repair::As(mended));
        }
        if !self.has_salts(frame) {
            return Ok(Repair::No);
        }
        // The last word of a page counts in the second sum alone.
        let is_first_sum = is.0 != stored.0 && is.1 == stored.1;
        let is_either = is.0 == stored.0;
        let goes_on = self.goes_on(at + 1, stored)?;
        if self.goes_on(at + 1, is)? || is_first_sum && !goes_on {
            mended[16..24].copy_from_slice(&is.to_bytes());
            return Ok(Repair::As(mended));
        }
        if is_either && !goes_on {
            return Ok(Repair::InSomeWay);
        }
        let changes = changes((8 + PAGE) / 4, is, stored);
        let change = match changes[..] {
            [] => return Ok(Repair::No),
            [one] => Some(one),
            _ => self.likeliest(at, frame, &changes)?,
        };
        Ok(match change {
            Some(change) => {
                apply(&mut mended, change);
                Repair::As(mended)
            }
            None => Repair::InSomeWay,
        })
    }

    /// Returns the fix after which a page is most similar to another version of it.
    fn likeliest(
        &self,
        at: usize,
        frame: &Frame,
        changes: &[WordFix],
    ) -> io::Result<Option<WordFix>> {
        let page = word(frame, 0);
        let Some(other) = self.other_version(at, page)? else { return Ok(None) };
        let alike = |frame: &Frame, other: &[u8; PAGE]| -> i64 {
            let words = frame[FRAME_HEADER..].chunks_exact(4).zip(other.chunks_exact(4));
            words.map(|(word, other)| i64::from(word == other)).sum()
        };
        let usual = alike(frame, &other);
        let mut gains: Vec<(i64, WordFix)> = Vec::with_capacity(changes.len());
        for change in changes {
            let mut tried = *frame;
            apply(&mut tried, *change);
            let own = match word(&tried, 0) {
                same if same == page => Some(alike(&tried, &other)),
                another => {
                    let version = self.other_version(at, another)?;
                    version.map(|version| alike(&tried, &version))
                }
            };
            gains.push((own.map_or(i64::MIN, |own| own - usual), *change));
        }
        let best = gains.iter().map(|(gain, _)| *gain).max().unwrap_or_default();
        let mut bests = gains.iter().filter(|(gain, _)| *gain == best);
        Ok(match (bests.next(), bests.next()) {
            (Some((1.., change)), None) => Some(*change),
            // A later version of the page replaces it, if it is that page.
            (Some((0.., change)), _) if usual > 3 && self.is_replaced(at, page)? => {
                Some(*change).filter(|(at, _)| *at >= 2)
            }
            _ => None,
        })
    }

    /// Returns the page as of before a frame, or else after it.
    fn other_version(&self, at: usize, page: u32) -> io::Result<Option<Box<[u8; PAGE]>>> {
        for other in (0..at).rev().chain(at + 1..self.frames) {
            if self.page_of(other)? == Some(page) {
                return self.page_at(self.file, offset(other) + FRAME_HEADER as u64).map(Some);
            }
        }
        let begin = u64::from(page.saturating_sub(1)) * PAGE as u64;
        match self.database {
            Some(database) if page > 0 && database.metadata()?.len() >= begin + PAGE as u64 => {
                self.page_at(database, begin).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the page number of a frame of this WAL.
    fn page_of(&self, at: usize) -> io::Result<Option<u32>> {
        let mut header = [0; FRAME_HEADER];
        self.file.read_exact_at(&mut header, offset(at))?;
        Ok((header[8..16] == self.salts).then(|| word(&header, 0)))
    }

    #[expect(clippy::unused_self, reason = "it reads for the log")]
    fn page_at(&self, file: &File, begin: u64) -> io::Result<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        file.read_exact_at(&mut page[..], begin)?;
        Ok(page)
    }

    /// Whether a later intact frame has the page again.
    fn is_replaced(&self, at: usize, page: u32) -> io::Result<bool> {
        let mut before = self.frame(at)?;
        for at in at + 1..self.frames {
            let Some(frame) = self.frame(at)? else { break };
            let goes_on = before.is_some_and(|before| {
                sum_of(&frame, Checksum::stored(&before[16..])) == Checksum::stored(&frame[16..])
            });
            if goes_on && self.has_salts(&frame) && word(&frame[..], 0) == page {
                return Ok(true);
            }
            before = Some(frame);
        }
        Ok(false)
    }

    /// Makes SQLite accept a frame as it is, with those that continue it, and further bad frames
    /// while commits are behind them. Returns the number of commits among all of them.
    fn accept(&self, first: usize, before: Checksum) -> io::Result<usize> {
        let mut commits = 0;
        let (mut sum, mut stored) = (before, before);
        let mut last = self.frame_before(first)?;
        for at in first..self.frames {
            let Some(mut frame) = self.frame(at)? else { break };
            let own = Checksum::stored(&frame[16..]);
            let is_whole = self.has_salts(&frame) && sum_of(&frame, stored) == own;
            if at > first && !is_whole && self.commits_behind(at)? == 0 {
                break;
            }
            if word(&frame[..], 0) == 0 {
                // Its page number is unknown: repeat the frame before.
                *frame = *last;
                frame[4..8].fill(0);
                if word(&frame[..], 0) == 0 {
                    break;
                }
            }
            (stored, sum) = (own, sum_of(&frame, sum));
            frame[8..16].copy_from_slice(&self.salts);
            frame[16..24].copy_from_slice(&sum.to_bytes());
            self.file.write_all_at(&frame[..], offset(at))?;
            commits += usize::from(is_commit(&frame));
            last = frame;
        }
        Ok(commits)
    }

    /// Returns the frame before another one; before the first, the first page of the database.
    fn frame_before(&self, at: usize) -> io::Result<Box<Frame>> {
        if let Some(before) = at.checked_sub(1)
            && let Some(frame) = self.frame(before)?
        {
            return Ok(frame);
        }
        let mut frame = Box::new([0; FRAME]);
        if let Some(database) = self.database
            && database.metadata()?.len() >= PAGE as u64
        {
            frame[..4].copy_from_slice(&1_u32.to_be_bytes());
            database.read_exact_at(&mut frame[FRAME_HEADER..], 0)?;
        }
        Ok(frame)
    }

    /// Records a frame beyond repair.
    fn lose(
        &self,
        at: usize,
        (frame, before): (&Frame, Checksum),
        (was_whole, cure): (bool, RepairMode),
        damage: &mut WalDamage,
    ) -> io::Result<()> {
        let mut lost = self.commits_behind(at)? + usize::from(was_whole && is_commit(frame));
        if cure == RepairMode::Accept && lost > 0 {
            let accepted = self.accept(at, before)?;
            damage.accepted = (accepted > 0).then_some(at);
            lost = lost.saturating_sub(accepted);
            if lost == 0 {
                return Ok(());
            }
        }
        damage.lost_commits = lost;
        // Without a commit behind it, it was being written when the server ended, or was rolled
        // back.
        let is_a_commit = |frame: &Frame| self.has_salts(frame) && is_commit(frame);
        let may_be_commit =
            is_a_commit(frame) || self.frame(at + 1)?.is_some_and(|next| is_a_commit(&next));
        damage.lost_from = (lost > 0 || may_be_commit).then_some(at);
        Ok(())
    }

    /// Returns the number of commits behind an unreadable frame.
    fn commits_behind(&self, at: usize) -> io::Result<usize> {
        let mut commits = 0;
        let mut before = self.frame(at)?;
        for at in at + 1..self.frames {
            let Some(frame) = self.frame(at)? else { break };
            let is_whole = self.has_salts(&frame)
                && before.is_some_and(|before| {
                    sum_of(&frame, Checksum::stored(&before[16..]))
                        == Checksum::stored(&frame[16..])
                });
            commits += usize::from(is_whole && is_commit(&frame));
            before = Some(frame);
        }
        Ok(commits)
    }
}

/// Scans the WAL of a database that no process has open.
pub(super) fn look(database: &Path, cure: RepairMode) -> io::Result<WalDamage> {
    let path = beside(database, "-wal");
    let index = beside(database, "-shm");
    let mend = cure != RepairMode::None;
    let file = match File::options().read(true).write(mend).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WalDamage::default()),
        file => file?,
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length < HEADER + FRAME {
        return Ok(WalDamage::default());
    }
    let mut damage = WalDamage::default();
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    let mut salts = [0; 8];
    file.read_exact_at(&mut salts, offset(0) + 8)?;
    let database = File::open(database).ok();
    let (database, frames) = (database.as_ref(), (length - HEADER) / FRAME);
    let mut log = WalFile { file: &file, database, frames, salts };
    let mut is_begun_anew = false;
    let right = match right_header(&header, salts) {
        Some(right) => {
            damage.mended += usize::from(right != header);
            right
        }
        None => match (log.new_header()?, cure) {
            (Some((header, true)), _) => {
                damage.mended += 1;
                header
            }
            (Some((header, false)), RepairMode::Accept) => {
                is_begun_anew = true;
                header
            }
            (found, _) => {
                // Some file systems fill an empty WAL with zeros after a power cut.
                damage.lost_from = (header != [0; HEADER] || found.is_some()).then_some(0);
                return Ok(damage);
            }
        },
    };
    if mend && right != header {
        file.write_all_at(&right, 0)?;
    }
    log.salts = right[16..24].try_into().unwrap_or_default();
    let mut sum = Checksum::stored(&right[24..]);
    let mut committed = 0;
    for at in 0..log.frames {
        let Some(frame) = log.frame(at)? else { break };
        let mut right = frame;
        if !log.has_salts(&right) || sum_of(&right, sum) != Checksum::stored(&right[16..]) {
            // With a header that it doesn't continue, its checksum says nothing.
            let repair =
                if is_begun_anew && at == 0 { Repair::No } else { log.mended(at, &right, sum)? };
            let mended = match repair {
                Repair::As(mended) => mended,
                mended => {
                    let was_whole = matches!(mended, Repair::InSomeWay);
                    log.lose(at, (&right, sum), (was_whole, cure), &mut damage)?;
                    if damage.lost_commits == 0 && ends_at(&index, log.salts, committed) {
                        // A process that was killed wrote it, and had not answered it.
                        damage.lost_from = None;
                    }
                    break;
                }
            };
            damage.mended += 1;
            if mend {
                file.write_all_at(&mended[..], offset(at))?;
            }
            right = mended;
        }
        sum = Checksum::stored(&right[16..]);
        if is_commit(&right) {
            committed = at + 1;
        }
    }
    if mend && (damage.mended > 0 || damage.accepted.is_some()) {
        file.sync_all()?;
    }
    Ok(damage)
}

/// Whether a WAL index has so many committed frames, of a WAL with these salts. A process that is
/// killed leaves its index as it was after the last commit; a power cut may leave an earlier one.
fn ends_at(index: &Path, salts: [u8; 8], committed: usize) -> bool {
    let mut header = [0; INDEX_HEADER];
    let read = File::open(index).and_then(|index| index.read_exact_at(&mut header, 0));
    let frames = header[INDEX_FRAMES..INDEX_FRAMES + 4].try_into().map_or(0, u32::from_ne_bytes);
    read.is_ok() && header[INDEX_SALTS..INDEX_SALTS + 8] == salts && frames as usize == committed
}

/// Bytes of the header of a WAL index, and the offsets of the number of frames and of the salts in
/// it. See <https://sqlite.org/walformat.html>.
const INDEX_HEADER: usize = 48;
const INDEX_FRAMES: usize = 16;
const INDEX_SALTS: usize = 32;

/// Removes the remains of a failed commit behind the last valid one, so that they aren't taken for
/// commits hidden by a bad frame. No other thread writes the database.
pub(super) fn wipe_behind(database: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(beside(database, "-wal"))?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    let salts = header[16..24].try_into().unwrap_or_default();
    let frames = length.saturating_sub(HEADER) / FRAME;
    let log = WalFile { file: &file, database: None, frames, salts };
    let mut sum = Checksum::stored(&header[24..]);
    let mut is_behind = false;
    for at in 0..frames {
        let Some(frame) = log.frame(at)? else { break };
        is_behind |=
            !log.has_salts(&frame) || sum_of(&frame, sum) != Checksum::stored(&frame[16..]);
        sum = Checksum::stored(&frame[16..]);
        if is_behind && !log.has_salts(&frame) {
            break;
        }
        if is_behind {
            file.write_all_at(&[0; FRAME_HEADER], offset(at))?;
        }
    }
    Ok(())
}

/// Returns a header with these salts, and whether the first frame continues it.
fn new_header(salts: [u8; 8], first: &Frame) -> ([u8; HEADER], bool) {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC.to_be_bytes());
    header[4..8].copy_from_slice(&VERSION.to_be_bytes());
    header[8..12].copy_from_slice(&(PAGE as u64).to_be_bytes()[4..]);
    header[16..24].copy_from_slice(&salts);
    let sum = |header: &[u8; HEADER]| Checksum::default().over(&header[..24]);
    // Unknown is the sequence number. It follows from the checksum of the frame.
    let (is, stored) = (sum_of(first, sum(&header)), Checksum::stored(&first[16..]));
    let missing = (stored.0.wrapping_sub(is.0), stored.1.wrapping_sub(is.1));
    let by = (0..PAIRS_BEHIND_SEQUENCE).fold((0, 1), |by, _| next_effect(by));
    let number = match by {
        (odd, _) if odd % 2 == 1 => missing.0.wrapping_mul(inverse(odd)),
        (_, odd) => missing.1.wrapping_mul(inverse(odd)),
    };
    let is_exact =
        (by.0.wrapping_mul(number), by.1.wrapping_mul(number)) == missing && first[8..16] == salts;
    if is_exact {
        add_to_word(&mut header, 12, number);
    }
    let sum = sum(&header).to_bytes();
    header[24..].copy_from_slice(&sum);
    (header, is_exact)
}

/// Pairs of words that are summed behind the sequence number, up to the end of the first frame.
const PAIRS_BEHIND_SEQUENCE: usize = 2 + PAGE / 8;

/// The effect of adding one to a word on both sums, one pair of words later.
fn next_effect((one, other): (u32, u32)) -> (u32, u32) {
    let one = one.wrapping_add(other);
    (one, other.wrapping_add(one))
}

/// Bytes overwritten at once.
const WIPED_AT_ONCE: u64 = 256 * 1024;

/// Overwrites some of the file of a WAL behind the pages in use, from an offset on. Returns where
/// to go on, if there is more. No other thread writes the database meanwhile.
pub(super) fn wipe_unused(database: &Path, pages: usize, from: u64) -> io::Result<Option<u64>> {
    let file = File::options().write(true).open(beside(database, "-wal"))?;
    let begin = from.max(offset(pages));
    let length = file.metadata()?.len();
    let end = length.min(begin.saturating_add(WIPED_AT_ONCE));
    let zeros = [0; 4096];
    let mut at = begin;
    while at < end {
        let some = zeros.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..some], at)?;
        at += some as u64;
    }
    Ok((end < length).then_some(end))
}

/// Returns the repaired header, if one word is wrong. Where several fixes are possible, the salts
/// of the first frame decide.
fn right_header(header: &[u8; HEADER], salts: [u8; 8]) -> Option<[u8; HEADER]> {
    let sum = |header: &[u8; HEADER]| Checksum::default().over(&header[..24]);
    let is_right = |header: &[u8; HEADER]| {
        let is_ours = word(header, 0) == MAGIC && word(header, 4) == VERSION;
        is_ours
            && word(header, 8) as usize == PAGE
            && sum(header) == Checksum::stored(&header[24..])
    };
    if is_right(header) {
        return Some(*header);
    }
    let (is, stored) = (sum(header), Checksum::stored(&header[24..]));
    let mut with_sum = *header;
    with_sum[24..].copy_from_slice(&is.to_bytes());
    let is_of_sum = is.0 == stored.0 || is.1 == stored.1;
    let with_word = changes(6, is, stored).into_iter().map(|(at, added)| {
        let mut tried = *header;
        add_to_word(&mut tried, at * 4, added);
        tried
    });
    let tried = is_of_sum.then_some(with_sum).into_iter().chain(with_word);
    let right: Vec<_> = tried.filter(is_right).collect();
    let of_frames = right.iter().find(|right| right[16..24] == salts);
    of_frames.or(right.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use std::fs;
    use std::path::PathBuf;

    /// A WAL with a commit per row, as a killed process leaves it.
    fn killed(folder: &Path, rows: i64) -> PathBuf {
        killed_after(folder, rows, "")
    }

    /// The same after another statement.
    fn killed_after(folder: &Path, rows: i64, statement: &str) -> PathBuf {
        let path = folder.join("some.db");
        let some = Connection::open(&path).unwrap();
        some.pragma_update(None, "journal_mode", "wal").unwrap();
        some.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        some.execute_batch("CREATE TABLE some (n INTEGER, text TEXT)").unwrap();
        some.execute_batch(statement).unwrap();
        for n in 1..=rows {
            some.execute("INSERT INTO some VALUES (?1, ?2)", (n, format!("row {n} ").repeat(30)))
                .unwrap();
        }
        let left = folder.join("left.db");
        fs::copy(&path, &left).unwrap();
        fs::copy(folder.join("some.db-wal"), folder.join("left.db-wal")).unwrap();
        left
    }

    fn rows(path: &Path) -> i64 {
        let some = Connection::open(path).unwrap();
        let sql = "SELECT count(*) FROM some WHERE text = replace(hex(zeroblob(15)), '00', 'row ' || n || ' ') || \
                   replace(hex(zeroblob(15)), '00', 'row ' || n || ' ')";
        some.query_row(sql, (), |row| row.get(0)).unwrap_or(0)
    }

    #[test]
    fn one_wrong_word_anywhere_is_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed(folder.path(), 20);
        let wal = folder.path().join("left.db-wal");
        let whole = fs::read(&wal).unwrap();
        let main = fs::read(&left).unwrap();
        assert_eq!(look(&left, RepairMode::Mend).unwrap(), WalDamage::default());
        let (mut at, mut tried, mut mended) = (0, 0, 0);
        while at < whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            if at % 3 == 0 {
                bytes[at] = !bytes[at];
            }
            fs::write(&left, &main).unwrap();
            fs::write(&wal, &bytes).unwrap();
            let found = look(&left, RepairMode::None).unwrap();
            assert_eq!(fs::read(&wal).unwrap(), bytes, "it is left as it is");
            assert_eq!(look(&left, RepairMode::Mend).unwrap(), found, "{at}");
            tried += 1;
            if found == (WalDamage { mended: 1, ..WalDamage::default() }) {
                mended += 1;
                assert_eq!(rows(&left), 20, "{at}");
            } else {
                // An error in high bits may fit several words.
                assert!(found.lost_commits > 0, "{at}: {found:?}");
            }
            at += if at < 200 { 1 } else { 397 };
        }
        assert!(mended * 20 > tried * 19, "{mended} of {tried}");
    }

    /// SQLite writes a frame's header before its page. A process killed in between had not answered
    /// the commit, which was reported as a loss all the same.
    #[test]
    fn a_commit_that_a_killed_process_had_not_finished_is_no_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let some = Connection::open(&path).unwrap();
        some.pragma_update(None, "journal_mode", "wal").unwrap();
        some.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        some.execute_batch("CREATE TABLE some (n INTEGER); INSERT INTO some VALUES (1)").unwrap();
        let left = folder.path().join("left.db");
        let copy = |part: &str| {
            fs::copy(beside(&path, part), beside(&left, part)).unwrap();
        };
        copy("-shm");
        some.execute_batch("INSERT INTO some VALUES (2)").unwrap();
        copy("");
        copy("-wal");
        // The page of the last frame isn't written.
        let wal = File::options().write(true).open(beside(&left, "-wal")).unwrap();
        let end = wal.metadata().unwrap().len();
        wal.write_all_at(&[0; PAGE], end - PAGE as u64).unwrap();
        assert_eq!(look(&left, RepairMode::Mend).unwrap(), WalDamage::default());
        // With the index of after the commit, it is damage.
        copy("-shm");
        let damage = look(&left, RepairMode::Mend).unwrap();
        assert_eq!((damage.lost_commits, damage.lost_from.is_some()), (0, true));
        fs::remove_file(beside(&left, "-shm")).unwrap();
        assert_eq!(look(&left, RepairMode::Mend).unwrap(), damage);
    }

    #[test]
    fn commits_behind_what_cannot_be_put_right_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed(folder.path(), 20);
        let wal = folder.path().join("left.db-wal");
        let mut bytes = fs::read(&wal).unwrap();
        let frames = (bytes.len() - HEADER) / FRAME;
        let begin = HEADER + (frames - 5) * FRAME + 1000;
        bytes[begin..begin + 512].fill(0xAA);
        fs::write(&wal, &bytes).unwrap();
        let damage = look(&left, RepairMode::Mend).unwrap();
        assert_eq!((damage.mended, damage.lost_from), (0, Some(frames - 5)));
        assert!((1..=4).contains(&damage.lost_commits), "{damage:?}");
        fs::copy(&left, folder.path().join("lost.db")).unwrap();
        fs::write(folder.path().join("lost.db-wal"), &bytes).unwrap();
        assert!(rows(&folder.path().join("lost.db")) < 20);
        let damage = look(&left, RepairMode::Accept).unwrap();
        assert_eq!((damage.accepted, damage.lost_from), (Some(frames - 5), None));
        assert_eq!(rows(&left), 20, "later frames have the page again");
    }

    #[test]
    fn two_bad_frames_after_each_other_hide_no_commit_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed(folder.path(), 10);
        let wal = folder.path().join("left.db-wal");
        let (main, mut bytes) = (fs::read(&left).unwrap(), fs::read(&wal).unwrap());
        let frames = (bytes.len() - HEADER) / FRAME;
        for at in [frames - 5, frames - 4] {
            let begin = HEADER + at * FRAME + 1000;
            bytes[begin..begin + 512].fill(0xAA);
        }
        fs::write(&wal, &bytes).unwrap();
        let damage = look(&left, RepairMode::Accept).unwrap();
        assert_eq!((damage.accepted, damage.lost_from), (Some(frames - 5), None));
        assert_eq!(rows(&left), 10, "later frames have the pages again");
        // A page of the disk that was zeroed takes the header of a frame with it.
        fs::write(&left, &main).unwrap();
        let begin = HEADER + (frames - 4) * FRAME;
        bytes[begin - 2000..begin + 2000].fill(0);
        fs::write(&wal, &bytes).unwrap();
        let damage = look(&left, RepairMode::Accept).unwrap();
        assert_eq!((damage.accepted, damage.lost_from), (Some(frames - 5), None));
        assert_eq!(rows(&left), 10, "later frames have the pages again");
    }

    #[test]
    fn a_zeroed_begin_of_a_log_hides_no_commit_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed_after(folder.path(), 10, "PRAGMA wal_checkpoint(TRUNCATE)");
        let wal = folder.path().join("left.db-wal");
        let (main, bytes) = (fs::read(&left).unwrap(), fs::read(&wal).unwrap());
        for zeroed in [8..24, 0..HEADER, 0..512, 0..4096, 0..HEADER + FRAME + 512] {
            let mut damaged = bytes.clone();
            damaged[zeroed.clone()].fill(0);
            fs::write(&left, &main).unwrap();
            fs::write(&wal, &damaged).unwrap();
            let is_header = zeroed.end <= HEADER;
            let as_what = if is_header { (1, None, None) } else { (0, Some(0), None) };
            let found = look(&left, RepairMode::None).unwrap();
            assert_eq!(found.lost_from, (!is_header).then_some(0), "{zeroed:?}");
            assert!(fs::read(&wal).unwrap() == damaged, "{zeroed:?}");
            let found = look(&left, RepairMode::Accept).unwrap();
            assert_eq!((found.mended, found.accepted, found.lost_from), as_what, "{zeroed:?}");
            assert_eq!(rows(&left), 10, "{zeroed:?}");
        }
    }

    #[test]
    fn a_zeroed_frame_header_hides_no_commit_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed_after(folder.path(), 10, "PRAGMA wal_checkpoint(TRUNCATE)");
        let wal = folder.path().join("left.db-wal");
        let (main, bytes) = (fs::read(&left).unwrap(), fs::read(&wal).unwrap());
        let frames = (bytes.len() - HEADER) / FRAME;
        for at in [0, frames - 3, frames - 2] {
            let begin = HEADER + at * FRAME;
            let mut bytes = bytes.clone();
            bytes[begin..begin + 512].fill(0);
            fs::write(&left, &main).unwrap();
            fs::write(&wal, &bytes).unwrap();
            let damage = look(&left, RepairMode::Accept).unwrap();
            if at == frames - 2 {
                // Nothing behind the next frame confirms it.
                assert_eq!((damage.accepted, damage.lost_from), (None, Some(at)));
            } else {
                assert_eq!((damage.accepted, damage.lost_from), (Some(at), None));
                assert_eq!(rows(&left), 10, "frame {at}: later frames have the page again");
            }
        }
    }

    #[test]
    fn what_a_failed_commit_left_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed(folder.path(), 20);
        let wal = folder.path().join("left.db-wal");
        let mut bytes = fs::read(&wal).unwrap();
        // As if the fifth frame from the end were written anew, continuing the one before.
        let begin = bytes.len() - 5 * FRAME;
        let before = Checksum::stored(&bytes[begin - FRAME + 16..]);
        bytes[begin + FRAME - 1] ^= 1;
        let mut frame: Frame = bytes[begin..begin + FRAME].try_into().unwrap();
        let sum = sum_of(&frame, before).to_bytes();
        frame[16..24].copy_from_slice(&sum);
        bytes[begin..begin + FRAME].copy_from_slice(&frame);
        fs::write(&wal, &bytes).unwrap();
        assert!(look(&left, RepairMode::None).unwrap().lost_commits > 0);
        wipe_behind(&left).unwrap();
        assert_eq!(look(&left, RepairMode::None).unwrap(), WalDamage::default());
    }

    #[test]
    fn what_was_cut_short_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let left = killed(folder.path(), 5);
        let wal = folder.path().join("left.db-wal");
        let whole = fs::read(&wal).unwrap();
        for length in [0, 10, HEADER, HEADER + 100, whole.len() - 1, whole.len() - FRAME - 7] {
            fs::write(&wal, &whole[..length]).unwrap();
            assert_eq!(look(&left, RepairMode::Mend).unwrap(), WalDamage::default(), "{length}");
        }
    }
}
