//! The time in a message's text, from which the receiver computes its latency.

/// Begins a stamp. It occurs nowhere else in a server's output once all clients are signed in, so
/// messages are counted by this byte alone.
pub(crate) const MARK: u8 = b'^';

/// Hexadecimal digits of the time.
const DIGITS: usize = 16;

/// Bytes of a text, including its stamp.
pub(crate) const TEXT_BYTES: usize = 64;

/// A text with a stamp: it is due this many nanoseconds after the start.
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

/// The time of a line's stamp, if it has one.
pub(crate) fn read(line: &[u8]) -> Option<u64> {
    let at = memchr::memchr(MARK, line)?;
    let digits = line.get(at + 1..=at + DIGITS)?;
    digits
        .iter()
        .try_fold(0, |nanos, digit| Some(nanos << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// The number of stamps.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(MARK, bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_round_trips() {
        for nanos in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let text = write(nanos, &[b'x'; TEXT_BYTES]);
            let line = [b"[#room] bob: ".as_slice(), &text, b"\r\n"].concat();
            assert_eq!((read(&line), count(&line)), (Some(nanos), 1));
        }
        assert_eq!((read(b"* bob left"), read(b"^12"), count(b"* bob left")), (None, None, 0));
    }
}
