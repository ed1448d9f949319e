//! The deadlines of one connection. Without a deadline there is no timer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The client has no name.
    Name,
    /// The peer has read nothing, or too little for too long.
    Write,
    /// The peer hasn't read the last output of an ending connection.
    Leave,
    /// Lines may run again.
    Throttle,
    /// Nothing has followed a CR, so it has ended its line.
    LineEnd,
    /// The remaining input of a closed connection had its time.
    Lost,
}

/// The deadlines, if any is set.
pub(super) struct Deadlines(Option<Box<Set>>);

/// The deadlines that are set, and one timer for the nearest.
#[derive(Default)]
struct Set {
    name: Option<Instant>,
    write: Option<Instant>,
    drain: Option<Drain>,
    leave: Option<Instant>,
    pace: Option<Instant>,
    line_end: Option<Instant>,
    lost: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The rate at which waiting output is read.
#[derive(Clone, Copy)]
struct Drain {
    /// The end of the window.
    by: Instant,
    /// Bytes to be read until then.
    left: usize,
}

impl Deadlines {
    pub(super) fn new(name_by: Instant) -> Self {
        Self(Some(Box::new(Set { name: Some(name_by), ..Set::default() })))
    }

    /// Sets the deadline for a name.
    pub(super) fn name_within(&mut self, time: Duration) {
        self.0.get_or_insert_default().name.get_or_insert_with(|| Instant::now() + time);
    }

    /// Clears the deadline for a name.
    pub(super) fn named(&mut self) {
        if let Some(set) = &mut self.0 {
            set.name = None;
        }
    }

    /// Sets the write deadline, unless it is set: output waits.
    pub(super) fn write_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().write.get_or_insert(by);
    }

    /// Sets the deadline for the minimum rate, unless it is set.
    pub(super) fn drain_by(&mut self, by: Instant, bytes: usize) {
        self.0.get_or_insert_default().drain.get_or_insert(Drain { by, left: bytes });
    }

    /// Records that some output was read.
    pub(super) fn written(&mut self, bytes: usize) {
        if let Some(set) = &mut self.0 {
            set.write = None;
            set.drain = set.drain.and_then(|drain| {
                let left = drain.left.checked_sub(bytes).filter(|left| *left > 0)?;
                Some(Drain { left, ..drain })
            });
        }
    }

    /// Clears the deadlines of output that is discarded.
    pub(super) fn discarded(&mut self) {
        if let Some(set) = &mut self.0 {
            (set.write, set.drain, set.leave) = (None, None, None);
        }
    }

    /// Clears the deadline for the minimum rate: no output waits, here or in the inbox.
    pub(super) fn drained(&mut self) {
        if let Some(set) = &mut self.0 {
            set.drain = None;
        }
    }

    /// Sets the deadline of the last output.
    pub(super) fn leave_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().leave.get_or_insert(by);
    }

    /// Pauses the input until then.
    pub(super) fn throttle(&mut self, until: Instant) {
        self.0.get_or_insert_default().pace = Some(until);
    }

    pub(super) fn is_paced(&self) -> bool {
        self.0.as_ref().is_some_and(|set| set.pace.is_some())
    }

    /// Sets the time after which a CR has ended its line.
    pub(super) fn end_line_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().line_end.get_or_insert(by);
    }

    /// Clears the CR's time.
    pub(super) fn no_line_end(&mut self) {
        if let Some(set) = &mut self.0 {
            set.line_end = None;
        }
    }

    /// Sets the end of a closed connection's remaining input.
    pub(super) fn lost_until(&mut self, until: Instant) {
        self.0.get_or_insert_default().lost.get_or_insert(until);
    }

    /// Ready when a deadline has passed, which is then cleared.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        let Some(set) = &mut self.0 else { return Poll::Pending };
        if set.is_empty() {
            self.0 = None;
            return Poll::Pending;
        }
        set.poll(cx)
    }
}

impl Set {
    fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.write.is_none()
            && self.drain.is_none()
            && self.leave.is_none()
            && self.pace.is_none()
            && self.line_end.is_none()
            && self.lost.is_none()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        let set = [
            (self.name, Deadline::Name),
            (self.write, Deadline::Write),
            (self.drain.map(|drain| drain.by), Deadline::Write),
            (self.leave, Deadline::Leave),
            (self.pace, Deadline::Throttle),
            (self.line_end, Deadline::LineEnd),
            (self.lost, Deadline::Lost),
        ];
        let nearest = set.into_iter().filter_map(|(at, which)| Some((at?, which)));
        let Some((at, which)) = nearest.min_by_key(|(at, _)| *at) else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timer = None;
        match which {
            Deadline::Name => self.name = None,
            Deadline::Write => (self.write, self.drain) = (None, None),
            Deadline::Leave => self.leave = None,
            Deadline::Throttle => self.pace = None,
            Deadline::LineEnd => self.line_end = None,
            Deadline::Lost => self.lost = None,
        }
        Poll::Ready(which)
    }
}
