//! The time in a line's text, by which whoever reads it knows how long it was under way.

/// Begins a stamp, and occurs nowhere else in what a server sends once people have settled in: so
/// lines are counted by this byte alone.
pub(crate) const MARK: u8 = b'^';

/// Digits of the time.
const DIGITS: usize = 16;

/// Bytes of a text, stamp and all, where nothing else is said.
pub(crate) const TEXT_BYTES: usize = 64;

/// A text of [`TEXT_BYTES`] that was to be said so many nanoseconds after the beginning.
pub(crate) fn write(nanos: u64, words: &[u8; TEXT_BYTES]) -> [u8; TEXT_BYTES] {
    let mut text = *words;
    text[0] = MARK;
    for (at, digit) in text[1..=DIGITS].iter_mut().enumerate() {
        let four_bits = (nanos >> (60 - 4 * at)) & 15;
        *digit = b"0123456789abcdef"[usize::try_from(four_bits).unwrap_or(0)];
    }
    text[DIGITS + 1] = b' ';
    text
}

/// The time out of a line that has one.
pub(crate) fn read(line: &[u8]) -> Option<u64> {
    let at = memchr::memchr(MARK, line)?;
    let digits = line.get(at + 1..=at + DIGITS)?;
    digits
        .iter()
        .try_fold(0, |nanos, digit| Some(nanos << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// How many lines have a stamp.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(MARK, bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for nanos in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let text = write(nanos, &[b'x'; TEXT_BYTES]);
            let line = [b"[#room] bob: ".as_slice(), &text, b"\r\n"].concat();
            assert_eq!((read(&line), count(&line)), (Some(nanos), 1));
        }
        assert_eq!((read(b"* bob left"), read(b"^12"), count(b"* bob left")), (None, None, 0));
    }
}
