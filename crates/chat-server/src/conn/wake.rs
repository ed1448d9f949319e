//! Everything that can wake a connection's task.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::deadlines::Deadline;
use super::{Connection, ConnectionConfig, DRAIN_WINDOW, Loss, WRITE_BATCH, buffer};

/// The cause of a wake-up.
pub(super) enum Wake {
    /// Bytes were read; they are in `input`.
    Input,
    /// The peer ended its input.
    EndOfInput,
    /// The inbox may hold events.
    Inbox,
    /// Lines can run, or more events can be delivered.
    More,
    Deadline(Deadline),
    /// A server operator has killed the connection.
    Killed,
    /// No more output can be written. Input may still be read.
    Unwritable,
    /// No more input can be read.
    Unreadable(io::ErrorKind),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Writes the output, and waits for a wake-up.
    pub(super) async fn wake(&mut self) -> Wake {
        poll_fn(|cx| self.poll_wake(cx)).await
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if !self.out.is_empty() && matches!(self.poll_write(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(Wake::Unwritable);
        }
        // Before sources that may be ready forever.
        if let Poll::Ready(deadline) = self.deadlines.poll(cx) {
            if deadline == Deadline::Throttle && self.loss.is_none() && self.is_reset(cx) {
                return Poll::Ready(Wake::Unwritable);
            }
            return Poll::Ready(Wake::Deadline(deadline));
        }
        // While output waits, no more is rendered: events in the inbox cost the least. A departure
        // doesn't wait for it.
        let is_leaving = self.session.close_reason().is_some();
        let has_room = self.out.is_empty() || (is_leaving && self.out.len() < WRITE_BATCH);
        let client = self.session.client();
        if !has_room {
            // The inbox isn't read now, but an end is noticed.
            client.ready.watch(cx);
        }
        if client.kill_notice().is_some() {
            return Poll::Ready(Wake::Killed);
        }
        let more_to_tell = self.session.has_more() || is_leaving;
        if self.has_lines_to_execute() || (has_room && more_to_tell) {
            return Poll::Ready(Wake::More);
        }
        // At the end of the input the last reply is the end.
        let silent_acks_only = !self.input_ended && self.session.has_silent_acks_only();
        if has_room && self.session.client().ready.poll(cx, silent_acks_only).is_ready() {
            return Poll::Ready(Wake::Inbox);
        }
        if has_room {
            self.deadlines.drained();
        }
        if !self.may_read() {
            return Poll::Pending;
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Wake::EndOfInput),
            Poll::Ready(Ok(_)) => Poll::Ready(Wake::Input),
            Poll::Ready(Err(error)) => Poll::Ready(Wake::Unreadable(error.kind())),
            // The peer may send forever; only the input so far counts.
            Poll::Pending if self.loss == Some(Loss::StoppedReading) => {
                Poll::Ready(Wake::Unreadable(io::ErrorKind::WouldBlock))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// A throttled peer isn't read, so its end isn't noticed. An empty write detects a reset,
    /// though not the end of input, after which replies are still due.
    fn is_reset(&mut self, cx: &mut Context<'_>) -> bool {
        matches!(Pin::new(&mut self.stream).poll_write(cx, &[]), Poll::Ready(Err(_)))
    }

    /// Input isn't read while lines wait to run, which bounds the input in memory. During a query
    /// one piece is read, which shows whether the peer is still there.
    fn may_read(&self) -> bool {
        self.input.is_empty()
            && !self.input_ended
            && self.out.len() < WRITE_BATCH
            && !self.deadlines.is_paced()
            && (self.session.takes_lines() || self.session.is_asking())
            && self.session.close_reason().is_none()
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        buffer::with_scratch(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            Pin::new(&mut self.stream).poll_read(cx, &mut buf).map_ok(|()| {
                self.input = BytesMut::from(buf.filled());
                // The thread's buffer is used for other connections next, and the input may be a
                // password.
                buf.filled_mut().fill(0);
                self.foreign = self.sniffer.look(&self.input);
                self.input.len()
            })
        })
    }

    /// Sets the write deadlines of output that waits.
    fn output_waits(&mut self) {
        let ConnectionConfig { write_deadline, drain_rate, .. } = *self.config;
        let now = Instant::now();
        self.deadlines.write_by(now + write_deadline);
        if self.session.close_reason().is_some() {
            self.deadlines.leave_by(now + write_deadline);
        }
        if drain_rate > 0 {
            let window = write_deadline * DRAIN_WINDOW;
            let secs = usize::try_from(window.as_secs()).unwrap_or(usize::MAX);
            self.deadlines.drain_by(now + window, drain_rate.saturating_mul(secs));
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    // The output may contain a token.
                    self.out.get_mut(..written).unwrap_or_default().fill(0);
                    self.out.advance(written);
                    self.deadlines.written(written);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.output_waits();
                    self.out = buffer::shrink(std::mem::take(&mut self.out));
                    return Poll::Pending;
                }
            }
        }
        buffer::recycle(std::mem::take(&mut self.out));
        Poll::Ready(Ok(()))
    }
}
