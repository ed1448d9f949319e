//! By when something must have happened on one connection. Without a deadline there is no timer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Which deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// No name was given.
    Name,
    /// Nothing of the output was taken, or too little of it for long.
    Write,
    /// The last lines of a connection that is to end were not taken.
    Leave,
    /// Lines may be carried out again.
    Throttle,
    /// Nothing has followed a CR: it has ended its line.
    LineEnd,
    /// The last input of a peer that is gone had its time.
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

/// How much is taken of output that has waited ever since.
#[derive(Clone, Copy)]
struct Drain {
    /// By when it must be as much as a slow line takes.
    by: Instant,
    /// Bytes that are still to be taken until then.
    left: usize,
}

impl Deadlines {
    pub(super) fn new(name_by: Instant) -> Self {
        Self(Some(Box::new(Set { name: Some(name_by), ..Set::default() })))
    }

    /// There is no name, or no name any more.
    pub(super) fn name_within(&mut self, time: Duration) {
        self.0.get_or_insert_default().name.get_or_insert_with(|| Instant::now() + time);
    }

    /// A name was given.
    pub(super) fn named(&mut self) {
        if let Some(set) = &mut self.0 {
            set.name = None;
        }
    }

    /// Output waits; unless some of it is taken until then, the peer is cut off.
    pub(super) fn write_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().write.get_or_insert(by);
    }

    /// Output waits; unless so much of it is taken until then, the peer is cut off.
    pub(super) fn drain_by(&mut self, by: Instant, bytes: usize) {
        self.0.get_or_insert_default().drain.get_or_insert(Drain { by, left: bytes });
    }

    /// Some output was taken.
    pub(super) fn written(&mut self, bytes: usize) {
        if let Some(set) = &mut self.0 {
            set.write = None;
            set.drain = set.drain.and_then(|drain| {
                let left = drain.left.checked_sub(bytes).filter(|left| *left > 0)?;
                Some(Drain { left, ..drain })
            });
        }
    }

    /// What waits is not for the peer any more.
    pub(super) fn discarded(&mut self) {
        if let Some(set) = &mut self.0 {
            (set.write, set.drain, set.leave) = (None, None, None);
        }
    }

    /// No output waits, neither here nor where it comes from.
    pub(super) fn drained(&mut self) {
        if let Some(set) = &mut self.0 {
            set.drain = None;
        }
    }

    /// The connection is to end, and its last lines wait.
    pub(super) fn leave_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().leave.get_or_insert(by);
    }

    /// No line is carried out until then.
    pub(super) fn throttle(&mut self, until: Instant) {
        self.0.get_or_insert_default().pace = Some(until);
    }

    pub(super) fn is_paced(&self) -> bool {
        self.0.as_ref().is_some_and(|set| set.pace.is_some())
    }

    /// A CR came last; unless more comes until then, it has ended its line.
    pub(super) fn end_line_by(&mut self, by: Instant) {
        self.0.get_or_insert_default().line_end.get_or_insert(by);
    }

    /// No CR waits for what follows it.
    pub(super) fn no_line_end(&mut self) {
        if let Some(set) = &mut self.0 {
            set.line_end = None;
        }
    }

    /// The peer is gone; what came from it is carried out until then.
    pub(super) fn lost_until(&mut self, until: Instant) {
        self.0.get_or_insert_default().lost.get_or_insert(until);
    }

    /// Ready when one has come, which is then over.
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
