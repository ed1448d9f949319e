//! Lines of standard input, read by a separate thread.

use std::io::{self, BufRead, Read as _};
use std::thread;

use tokio::sync::mpsc;

use crate::proto::Secret;

/// Lines that wait to be sent. When the queue is full the input isn't read.
const MAX_WAITING: usize = 64;
/// The longest line that is read whole. The server refuses far shorter ones, and its error has the
/// excess.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Input of a terminal or a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserInput {
    /// A line, without its ending.
    Line(String),
    /// A line without its passwords, and the passwords, which are sent when the server asks for
    /// them.
    Asked(String, Vec<Secret>),
    /// The user has begun to type, or asks for a completion; only if the session wants to know.
    Begun,
    /// A line that can't be sent.
    Unfit(InvalidLine),
    /// Ctrl-C.
    Interrupt,
    /// The end of the input.
    End,
}

/// A line that can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidLine {
    /// The number of the line, from 1.
    pub(crate) number: u64,
    pub(crate) why: InvalidReason,
}

/// Why the line can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidReason {
    NotUtf8,
    TooLong,
}

/// The queue of input: the sender is for a source of input, the receiver for the main loop.
pub(crate) fn queue() -> (mpsc::Sender<UserInput>, mpsc::Receiver<UserInput>) {
    mpsc::channel(MAX_WAITING)
}

/// Reads standard input into the queue until either ends. The thread isn't joined: it may be inside
/// a read that never returns, and ends with the process.
pub(crate) fn read_stdin(queue: mpsc::Sender<UserInput>) -> io::Result<()> {
    let reader = move || read(&mut io::stdin().lock(), |input| queue.blocking_send(input).is_ok());
    thread::Builder::new().name("stdin".into()).spawn(reader).map(drop)
}

fn read(from: &mut impl BufRead, mut give: impl FnMut(UserInput) -> bool) {
    for number in 1.. {
        match line(from, number) {
            Ok(Some(input)) => {
                if !give(input) {
                    return;
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    give(UserInput::End);
}

fn line(from: &mut impl BufRead, number: u64) -> io::Result<Option<UserInput>> {
    let mut bytes = Vec::new();
    from.take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() as u64 >= MAX_LINE_BYTES {
        from.skip_until(b'\n')?;
        return Ok(Some(UserInput::Unfit(InvalidLine { number, why: InvalidReason::TooLong })));
    }
    Ok(Some(match String::from_utf8(bytes) {
        Ok(line) => UserInput::Line(line),
        Err(_) => UserInput::Unfit(InvalidLine { number, why: InvalidReason::NotUtf8 }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_split_into_lines_and_errors() {
        let mut given = Vec::new();
        let mut bytes = b"one\n\nz\xffz\n".to_vec();
        bytes.extend(vec![b'x'; 70_000]);
        bytes.extend("\nlast".as_bytes());
        read(&mut bytes.as_slice(), |input| {
            given.push(input);
            true
        });
        let unfit = |number, why| UserInput::Unfit(InvalidLine { number, why });
        assert_eq!(
            given,
            [
                UserInput::Line("one".into()),
                UserInput::Line(String::new()),
                unfit(3, InvalidReason::NotUtf8),
                unfit(4, InvalidReason::TooLong),
                UserInput::Line("last".into()),
                UserInput::End,
            ]
        );
    }

    #[test]
    fn reading_ends_with_its_receiver() {
        let mut given = 0;
        read(&mut "a\nb\nc\n".as_bytes(), |_| {
            given += 1;
            given < 2
        });
        assert_eq!(given, 2);
    }
}
