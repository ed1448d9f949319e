//! The queue of output, between the main loop and the thread that writes.
//!
//! Adding a line never blocks. When a terminal is stopped or too slow, the oldest lines are
//! dropped and their number is shown in their place, so the socket is still read. A pipe loses
//! nothing: while its queue is full the socket isn't read, until the server in turn drops lines and
//! reports what was missed.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossterm::event::Event;
use tokio::sync::Notify;

/// Capacity in lines: more than the scrollback of a terminal, and a few megabytes at most.
const MAX_LINES: usize = 10_000;
/// Lines per batch of the writer; a small batch keeps the delay until the next key short.
const MAX_BATCH: usize = 500;
/// Capacity in keys, for a stopped terminal.
const MAX_KEYS: usize = 4_096;

/// The policy of a full queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// The oldest line is dropped and counted.
    DropOldest,
    /// The producer has to wait for capacity first.
    Wait,
}

/// The stream of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    Out,
    Err,
}

/// The prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    /// Whether lines can be sent.
    pub(crate) ready: bool,
    /// Whether the session wants [`UserInput::Begun`](crate::input::UserInput::Begun) once the user
    /// begins to type.
    pub(crate) wants_beginning: bool,
    /// Unread messages of other conversations; the conversation with the latest message comes last.
    pub(crate) unread: Vec<UnreadMarker>,
}

/// Unread messages of a conversation that isn't the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreadMarker {
    /// `#general` or `@bob`.
    pub(crate) place: String,
    pub(crate) count: u64,
    /// The chat is private, or a message mentions the user.
    pub(crate) calls: bool,
}

/// A batch for the writer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct OutputBatch {
    /// Lines dropped before the first of `lines`.
    pub(crate) dropped: u64,
    pub(crate) lines: Vec<(OutputStream, String)>,
    pub(crate) bell: bool,
    pub(crate) keys: Vec<Event>,
    pub(crate) prompt: Option<Prompt>,
    /// This is the last batch.
    pub(crate) last: bool,
}

/// See the module.
pub(crate) struct OutputQueue {
    when_full: WhenFull,
    /// Locked only to add an item or to take a batch.
    waiting: Mutex<QueueState>,
    /// Wakes the writer when there is something to write.
    filled: Condvar,
    /// Wakes the producer when there is capacity or the output is broken.
    changed: Notify,
}

#[derive(Default)]
struct QueueState {
    dropped: u64,
    lines: VecDeque<(OutputStream, String)>,
    bell: bool,
    keys: VecDeque<Event>,
    prompt: Option<Prompt>,
    closed: bool,
    broken: Option<Broken>,
}

/// Why no more is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The reader has closed the output.
    Unwanted,
    /// A write failed, which was reported.
    Lost,
}

impl OutputQueue {
    pub(crate) fn new(when_full: WhenFull) -> Self {
        Self {
            when_full,
            waiting: Mutex::default(),
            filled: Condvar::new(),
            changed: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, QueueState> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, without its ending, and whether it rings the bell.
    pub(crate) fn put(&self, stream: OutputStream, line: String, bell: bool) {
        let mut waiting = self.waiting();
        if waiting.broken.is_some() {
            return;
        }
        if waiting.lines.len() >= MAX_LINES && self.when_full == WhenFull::DropOldest {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
        waiting.lines.push_back((stream, line));
        waiting.bell |= bell;
        drop(waiting);
        self.filled.notify_one();
    }

    /// Sets the prompt.
    pub(crate) fn set_prompt(&self, prompt: Prompt) {
        self.waiting().prompt = Some(prompt);
        self.filled.notify_one();
    }

    /// Adds a pressed key. Keys beyond [`MAX_KEYS`] are lost.
    pub(crate) fn put_key(&self, key: Event) {
        let mut waiting = self.waiting();
        if waiting.keys.len() < MAX_KEYS {
            waiting.keys.push_back(key);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Ends the queue: no more is added.
    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.filled.notify_one();
    }

    /// Whether more lines may be put in.
    pub(crate) fn has_room(&self) -> bool {
        let waiting = self.waiting();
        self.when_full == WhenFull::DropOldest
            || waiting.broken.is_some()
            || waiting.lines.len() < MAX_LINES
    }

    /// Marks the output as broken: lines are dropped from now on.
    pub(crate) fn break_off(&self, why: Broken) {
        let mut waiting = self.waiting();
        waiting.broken.get_or_insert(why);
        waiting.lines.clear();
        drop(waiting);
        self.changed.notify_one();
    }

    /// Whether a write failed, other than because the reader closed the output.
    pub(crate) fn has_lost_output(&self) -> bool {
        self.waiting().broken == Some(Broken::Lost)
    }

    /// Whether nothing more can be written.
    pub(crate) fn is_broken(&self) -> bool {
        self.waiting().broken.is_some()
    }

    /// Waits until there may be capacity, or the output may be broken.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes a batch; waits until there is one. For the writer.
    pub(crate) fn take(&self) -> OutputBatch {
        let mut waiting = self.waiting();
        while waiting.is_empty() {
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = waiting.batch();
        drop(waiting);
        self.changed.notify_one();
        batch
    }
}

impl QueueState {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.keys.is_empty() && self.prompt.is_none() && !self.closed
    }

    fn batch(&mut self) -> OutputBatch {
        let count = self.lines.len().min(MAX_BATCH);
        let lines = self.lines.drain(..count).collect();
        OutputBatch {
            dropped: mem::take(&mut self.dropped),
            lines,
            bell: mem::take(&mut self.bell),
            keys: self.keys.drain(..).collect(),
            prompt: self.prompt.take(),
            last: self.closed && self.lines.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(output: &OutputQueue, line: &(impl ToString + ?Sized)) {
        output.put(OutputStream::Out, line.to_string(), false);
    }

    #[test]
    fn a_stopped_terminal_loses_the_oldest_lines_and_shows_their_number() {
        let output = OutputQueue::new(WhenFull::DropOldest);
        for n in 0..MAX_LINES + 3 {
            put(&output, &n);
        }
        assert!(output.has_room());
        let batch = output.take();
        assert_eq!((batch.dropped, batch.lines.len(), batch.last), (3, MAX_BATCH, false));
        assert_eq!(batch.lines[0].1, "3");
        put(&output, "more");
        output.close();
        let mut rest = Vec::new();
        loop {
            let batch = output.take();
            assert_eq!(batch.dropped, 0);
            rest.extend(batch.lines);
            if batch.last {
                break;
            }
        }
        assert_eq!(rest.len(), MAX_LINES - MAX_BATCH + 1);
        assert_eq!(rest.last().unwrap().1, "more");
    }

    #[test]
    fn a_pipe_loses_nothing_and_reports_a_full_queue() {
        let output = OutputQueue::new(WhenFull::Wait);
        for n in 0..MAX_LINES {
            assert!(output.has_room());
            put(&output, &n);
        }
        assert!(!output.has_room());
        put(&output, "one of a batch that was under way");
        assert_eq!(output.take().dropped, 0);
        assert!(output.has_room());
    }

    #[test]
    fn unread_output_is_dropped() {
        let output = OutputQueue::new(WhenFull::Wait);
        put(&output, "a");
        output.break_off(Broken::Unwanted);
        put(&output, "b");
        output.close();
        assert!(output.is_broken() && output.has_room());
        assert_eq!(output.take(), OutputBatch { last: true, ..OutputBatch::default() });
    }

    #[test]
    fn the_latest_prompt_and_one_bell_are_written() {
        let output = OutputQueue::new(WhenFull::DropOldest);
        for text in ["a", "b"] {
            output.set_prompt(Prompt { text: text.into(), ready: true, ..Prompt::default() });
            output.put(OutputStream::Out, text.into(), true);
        }
        let batch = output.take();
        assert_eq!(batch.prompt.unwrap().text, "b");
        assert!(batch.bell);
    }
}
