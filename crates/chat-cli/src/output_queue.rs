//! What waits to be written, between the one who decides and the thread that writes.
//!
//! Putting something in never waits. When a terminal is stopped, or slower than what comes, the
//! oldest lines are dropped and counted, and the count is told in their place; so the socket is
//! read on. A pipe loses nothing: its box may be asked for room, and without any the socket isn't
//! read, until the server in its turn says what was missed.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossterm::event::Event;
use tokio::sync::Notify;

/// Lines that wait: more than a terminal keeps to scroll back to, and a few megabytes at most.
const MAX_LINES: usize = 10_000;
/// Lines given to the writer at once, so that keys pressed meanwhile are soon heeded.
const MAX_BATCH: usize = 500;
/// Keys that wait for a stopped terminal.
const MAX_KEYS: usize = 4_096;

/// What to do when there is no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// The oldest line is dropped and counted.
    DropOldest,
    /// Whoever puts lines in has to ask for room first.
    Wait,
}

/// Where a line belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    Out,
    Err,
}

/// What stands before the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    /// Whether a line would be sent.
    pub(crate) ready: bool,
    /// Whether it is to be told once somebody begins to type.
    pub(crate) wants_beginning: bool,
    /// What was said elsewhere since one was there; the conversation in which something was said
    /// last comes last.
    pub(crate) unread: Vec<UnreadMarker>,
}

/// Lines of a conversation that isn't the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreadMarker {
    /// `#general` or `@bob`.
    pub(crate) place: String,
    pub(crate) count: u64,
    /// It is private, or one is named there.
    pub(crate) calls: bool,
}

/// What the writer finds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct OutputBatch {
    /// Lines dropped before the first of `lines`.
    pub(crate) dropped: u64,
    pub(crate) lines: Vec<(OutputStream, String)>,
    pub(crate) bell: bool,
    pub(crate) keys: Vec<Event>,
    pub(crate) prompt: Option<Prompt>,
    /// Nothing comes after this.
    pub(crate) last: bool,
}

/// See the module.
pub(crate) struct OutputQueue {
    when_full: WhenFull,
    /// Locked for moments only: to put something in or to take a batch out.
    waiting: Mutex<QueueState>,
    /// The writer, asleep until there is something.
    filled: Condvar,
    /// Whoever puts lines in, asleep until there is room or nobody writes any more.
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

/// Why nothing more is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Nobody reads it.
    Unwanted,
    /// It could not be written, which was told.
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

    /// A line, without its ending, and whether it rings the bell.
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

    /// The prompt from now on.
    pub(crate) fn set_prompt(&self, prompt: Prompt) {
        self.waiting().prompt = Some(prompt);
        self.filled.notify_one();
    }

    /// A key that was pressed. Those beyond what a stopped terminal may keep waiting are lost.
    pub(crate) fn put_key(&self, key: Event) {
        let mut waiting = self.waiting();
        if waiting.keys.len() < MAX_KEYS {
            waiting.keys.push_back(key);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Nothing more will be put in.
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

    /// Nothing more can be written: lines are forgotten from now on.
    pub(crate) fn break_off(&self, why: Broken) {
        let mut waiting = self.waiting();
        waiting.broken.get_or_insert(why);
        waiting.lines.clear();
        drop(waiting);
        self.changed.notify_one();
    }

    /// Whether output was lost, and not because nobody wanted it.
    pub(crate) fn has_lost_output(&self) -> bool {
        self.waiting().broken == Some(Broken::Lost)
    }

    /// Whether nothing more can be written.
    pub(crate) fn is_broken(&self) -> bool {
        self.waiting().broken.is_some()
    }

    /// Until there may be room, or the output may be broken.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// For the writer: waits until there is something.
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
    fn a_stopped_terminal_loses_the_oldest_and_is_told_how_many() {
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
    fn a_pipe_loses_nothing_and_says_when_there_is_no_room() {
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
    fn what_nobody_reads_is_forgotten() {
        let output = OutputQueue::new(WhenFull::Wait);
        put(&output, "a");
        output.break_off(Broken::Unwanted);
        put(&output, "b");
        output.close();
        assert!(output.is_broken() && output.has_room());
        assert_eq!(output.take(), OutputBatch { last: true, ..OutputBatch::default() });
    }

    #[test]
    fn the_latest_prompt_counts_and_one_bell_is_enough() {
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
