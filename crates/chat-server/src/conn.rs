//! One task for each connection: the only code that reads or writes a client's bytes.
//!
//! The task sleeps until it is woken ([`wake::Wake`] lists the causes), takes events from the
//! inbox, runs the lines that have arrived, and writes the output with one system call. An idle
//! connection owns no buffer: input and output use buffers of the thread, and only a remainder is
//! copied.
//!
//! * [`wake`]: everything that can wake the task.
//! * [`sniff`]: detects other protocols and answers with advice.
//! * [`telnet`]: the telnet protocol between bytes and lines.
//! * [`deadlines`]: deadlines for a name and for output.
//! * [`throttle`]: the rate of one connection's lines.
//! * [`buffer`]: buffers shared by the connections of a thread.

mod buffer;
mod deadlines;
mod linger;
mod sniff;
pub mod telnet;
mod throttle;
mod wake;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use chat_proto::event::CloseReason;
use chat_proto::line::{LineCodec, LineItem};
use chat_proto::time::Timestamp;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

pub(crate) use self::linger::linger_close;
pub use self::throttle::ThrottleConfig;
pub use crate::session::PeerInfo;

use self::deadlines::{Deadline, Deadlines};
use self::sniff::{ForeignProtocol, Sniffer};
use self::telnet::{Signal, Telnet};
use self::throttle::{ShareCredit, Throttle};
use self::wake::Wake;
use crate::hub::Hub;
use crate::hub::limits::LINE;
use crate::session::Session;
use crate::util::clock::steady_clock;

/// Output gathered before a write. Bounds the memory of a stalled reader.
const WRITE_BATCH: usize = 12 * 1024;

/// Output beyond which no further line runs.
const MAX_PENDING_OUTPUT: usize = 16 * 1024;

/// Cost, in bytes of input, of an empty line or of telnet commands between lines, and of a reply to
/// Are You There.
const EMPTY_COST: u32 = LINE / 8;
const PRESENCE_COST: u32 = LINE / 4;

/// Discarded bytes of a line that is too long which cost as much as one byte of others.
const DISCARDED_AT_ONE: u32 = 1024;

/// Lines that run before other tasks have a turn, so that recipients keep up with an author who
/// sends many lines at once.
const LINES_A_TURN: u32 = 16;

/// How long further input is read and discarded after the last output, so that the output arrives.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_AT_SHUTDOWN: Duration = Duration::from_millis(300);

/// How long the remaining lines of a closed connection run, at the usual rate.
const LOST_DEADLINE: Duration = Duration::from_secs(30);

/// How long the end waits for pending proposals. A commit that takes longer means a hung disk.
const LINES_DEADLINE: Duration = Duration::from_secs(10);

/// Write deadlines over which a peer may stay below the minimum rate.
const DRAIN_WINDOW: u32 = 5;

/// A CR followed by nothing for this long has ended its line. The rest of a split line ending
/// arrives sooner, and a user whose client sends CR alone hardly notices it.
const LINE_END_WAIT: Duration = Duration::from_millis(200);

/// Settings that all connections share.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// The rate of one connection's lines; `None` for no limit.
    pub throttle: Option<ThrottleConfig>,
    /// How long a client may stay without a name.
    pub name_deadline: Duration,
    /// How long output may stay unread before the connection is closed.
    pub write_deadline: Duration,
    /// Minimum bytes per second that a peer reads while output waits, over [`DRAIN_WINDOW`] write
    /// deadlines; 0 for none.
    pub drain_rate: usize,
}

/// How a connection ended.
enum End {
    /// With a last line.
    Closed(CloseReason),
    /// The peer speaks another protocol and got advice.
    Foreign,
    /// The peer is gone or reads nothing, and its input has run. The reason is shown to other
    /// users.
    Lost(&'static str),
}

/// Why no more output can be written. The remaining input still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    ConnectionLost,
    StoppedReading,
}

impl Loss {
    /// The reason as other users see it.
    fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLost => "connection lost",
            Self::StoppedReading => "stopped reading",
        }
    }
}

/// Serves one connection until it ends; `permit` is held until then. A panic is caught and logged,
/// and ends this connection only.
///
/// The state is built outside the async block, which keeps the future small.
pub fn serve<S: AsyncRead + AsyncWrite + Unpin, T>(
    stream: S,
    peer: PeerInfo,
    hub: Arc<Hub>,
    config: Arc<ConnectionConfig>,
    permit: T,
) -> impl Future<Output = ()> {
    let mut connection = Connection::new(stream, peer, hub, config);
    async move {
        tracing::debug!(address = connection.session.address(), "connected");
        let talk = AssertUnwindSafe(connection.run()).catch_unwind();
        let end = talk.await.unwrap_or_else(|_| {
            let address = connection.session.address();
            // The panic hook has logged the place.
            tracing::error!(address, "a panic ended this connection; the others go on");
            End::Closed(CloseReason::Fault)
        });
        let address = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| connection.session.address().to_owned());
        Box::pin(connection.end(end)).await;
        tracing::debug!(address, "disconnected");
        drop(permit);
    }
}

#[expect(clippy::struct_excessive_bools, reason = "states that change independently of each other")]
struct Connection<S> {
    stream: S,
    session: Session,
    config: Arc<ConnectionConfig>,
    codec: LineCodec,
    telnet: Telnet,
    sniffer: Sniffer,
    /// The other protocol that the peer speaks.
    foreign: Option<ForeignProtocol>,
    throttle: Throttle,
    credit: ShareCredit,
    deadlines: Deadlines,
    /// Input that hasn't run.
    input: BytesMut,
    /// The peer has interrupted and has no reply yet.
    interrupted: bool,
    /// The CR at the end of the input has ended its line.
    line_ended: bool,
    /// The last line ended with a CR, so a following LF or NUL belongs to it.
    after_cr: bool,
    /// The peer has ended its input.
    input_ended: bool,
    /// No more output can be written; it is discarded.
    loss: Option<Loss>,
    /// Output that isn't written.
    out: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S, peer: PeerInfo, hub: Arc<Hub>, config: Arc<ConnectionConfig>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            session: Session::new(hub, peer, steady_clock()),
            codec: LineCodec::new(),
            telnet: Telnet::new(),
            sniffer: Sniffer::default(),
            foreign: None,
            throttle: Throttle::new(now),
            credit: ShareCredit::default(),
            deadlines: Deadlines::new(now + config.name_deadline),
            input: BytesMut::new(),
            interrupted: false,
            line_ended: false,
            after_cr: false,
            input_ended: false,
            loss: None,
            out: buffer::take(),
            config,
        }
    }

    /// Leaves the hub, writes the last line, and closes.
    async fn end(mut self, end: End) {
        let loss = self.loss;
        if let End::Lost(reason) = end {
            self.session.lost(reason);
        }
        if !matches!(end, End::Closed(CloseReason::Fault)) {
            self.finish_lines().await;
        }
        self.session.depart(steady_clock());
        let mut linger = LINGER;
        let mut write_deadline = self.config.write_deadline;
        match end {
            End::Lost(_) => return,
            End::Foreign => {}
            End::Closed(close_reason) => {
                self.session.show_close_reason(close_reason, &mut self.out);
                if close_reason == CloseReason::Shutdown {
                    linger = LINGER_AT_SHUTDOWN;
                }
                if close_reason == CloseReason::Killed {
                    write_deadline = write_deadline.min(LINGER);
                }
            }
        }
        if loss.is_some() {
            return;
        }
        let Self { stream, session, out, .. } = self;
        drop(session);
        // The last output may take long to arrive.
        let out = buffer::shrink(out);
        linger_close(stream, out, write_deadline, linger).await;
    }

    /// Waits until the client's pending messages are published, so that they come before its
    /// departure.
    async fn finish_lines(&mut self) {
        let until = Instant::now() + LINES_DEADLINE;
        let mut discarded = BytesMut::new();
        while self.session.has_submitted() {
            self.session.discard(WRITE_BATCH, &mut discarded);
            if !self.session.has_submitted() {
                return;
            }
            let client = self.session.client();
            let committed = poll_fn(|cx| client.ready.poll(cx, false));
            if timeout_at(until, committed).await.is_err() {
                return;
            }
        }
    }

    async fn run(&mut self) -> End {
        self.session.greet(&mut self.out);
        loop {
            if self.session.is_killed(&mut self.out) {
                return End::Closed(CloseReason::Killed);
            }
            self.borrow_buffer();
            let all_told = self.session.deliver(WRITE_BATCH, &mut self.out);
            if let Some(foreign) = self.foreign {
                self.out.extend_from_slice(foreign.advice().as_bytes());
                return End::Foreign;
            }
            if all_told && let Some(close_reason) = self.session.close_reason() {
                return End::Closed(close_reason);
            }
            self.execute_lines();
            if let Some(loss) = self.loss {
                if self.is_executed() {
                    return End::Lost(loss.reason());
                }
                self.out.clear();
            }
            self.watch_name();
            self.hide_secret();
            self.watch_line_end();
            if self.has_lines_to_execute() {
                tokio::task::yield_now().await;
            }
            self.return_buffer();
            match self.wake().await {
                Wake::Input
                | Wake::Inbox
                | Wake::More
                | Wake::Killed
                | Wake::Deadline(Deadline::Throttle) => {}
                Wake::EndOfInput => self.input_ended = true,
                Wake::Unwritable => self.lose(Loss::ConnectionLost),
                Wake::Unreadable(error) => {
                    // A peer that closed its end has sent everything; otherwise the last line may
                    // be incomplete.
                    if !matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
                        self.codec.erase_line();
                    }
                    self.input_ended = true;
                    self.lose(Loss::ConnectionLost);
                }
                Wake::Deadline(Deadline::LineEnd) => self.line_ended = true,
                Wake::Deadline(Deadline::Lost) => {
                    let loss = self.loss.unwrap_or(Loss::ConnectionLost);
                    return End::Lost(loss.reason());
                }
                Wake::Deadline(Deadline::Name) => self.session.end(CloseReason::NoName),
                Wake::Deadline(Deadline::Write | Deadline::Leave) => {
                    self.lose(Loss::StoppedReading);
                }
            }
        }
    }

    /// Stops writing. The remaining input runs, and is read for some time.
    fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
        self.deadlines.discarded();
        self.deadlines.lost_until(Instant::now() + LOST_DEADLINE);
        self.out.clear();
    }

    /// Whether all input has run, except queries, and no end is decided.
    fn is_executed(&self) -> bool {
        self.input_ended
            && self.input.is_empty()
            && self.codec.is_idle()
            && !self.session.awaits_effect()
            && self.session.close_reason().is_none()
    }

    /// Sets a deadline while the client has no name: at the beginning, and after signing out.
    fn watch_name(&mut self) {
        if self.session.is_named() {
            self.deadlines.named();
        } else if self.session.close_reason().is_none() {
            self.deadlines.name_within(self.config.name_deadline);
        }
    }

    /// Sets a timer while a CR waits for what follows it.
    fn watch_line_end(&mut self) {
        if self.input.is_empty() && self.codec.ends_with_cr() && !self.line_ended {
            self.deadlines.end_line_by(Instant::now() + LINE_END_WAIT);
        } else {
            self.deadlines.no_line_end();
        }
    }

    fn borrow_buffer(&mut self) {
        if self.out.capacity() == 0 {
            self.out = buffer::take();
        }
    }

    /// Frees empty buffers: an idle connection owns none.
    fn return_buffer(&mut self) {
        if self.out.is_empty() {
            buffer::recycle(std::mem::take(&mut self.out));
        }
    }

    /// Hides the typing of a telnet peer while it is a password.
    fn hide_secret(&mut self) {
        if let Some(request) = self.telnet.hide_typing(self.session.hides_typing()) {
            self.out.extend_from_slice(&request);
        }
    }

    /// Whether lines can run now.
    fn has_lines_to_execute(&self) -> bool {
        if self.out.len() >= MAX_PENDING_OUTPUT || self.session.close_reason().is_some() {
            return false;
        }
        let has_next = (!self.input.is_empty() || self.line_ended)
            && !self.deadlines.is_paced()
            && self.session.takes_lines();
        has_next || self.session.can_resume()
    }

    /// Runs lines, within the bounds of one turn.
    fn execute_lines(&mut self) {
        if !self.has_lines_to_execute() && !self.input_ended {
            return;
        }
        let (now, moment) = (Instant::now(), steady_clock());
        let mut lines = 0;
        while lines < LINES_A_TURN && self.has_lines_to_execute() {
            if self.session.can_resume() {
                self.session.resume(&mut self.out);
                continue;
            }
            if let Err(until) = self.may_go(now, moment) {
                self.deadlines.throttle(until);
                return;
            }
            let (line, cost) = self.next_line();
            let Some(line) = line else {
                self.charge(cost, now);
                break;
            };
            self.charge(cost.max(LINE), now);
            self.on_line(line, moment);
            lines += 1;
            let cost = self.session.take_cost();
            if cost > 0 {
                self.charge(cost, now);
            }
            if cost >= LINE {
                break;
            }
        }
        // After all other output: after an interrupt, a telnet client asks for a timing mark and
        // displays nothing until the reply (RFC 860).
        if self.input.is_empty()
            && std::mem::take(&mut self.interrupted)
            && self.session.close_reason().is_none()
        {
            self.session.show_quit_hint(&mut self.out);
        }
        let all_read = self.input_ended && self.input.is_empty();
        if all_read && !self.session.awaits_reply() && self.session.close_reason().is_none() {
            if let Some(line) = self.codec.finish() {
                self.charge(LINE, now);
                self.on_line(line, moment);
            }
            if !self.session.awaits_reply() && self.loss.is_none() {
                self.session.end(CloseReason::EndOfInput);
            }
        }
    }

    /// Checks the rates of the connection, its account and its address.
    ///
    /// # Errors
    ///
    /// When the line may run, or when to check again.
    fn may_go(&mut self, now: Instant, moment: Timestamp) -> Result<(), Instant> {
        let Some(rate) = self.config.throttle else { return Ok(()) };
        self.throttle.may_go(rate, now)?;
        let Some(lacking) = self.credit.lacks() else { return Ok(()) };
        let amount = match self.session.take_share(lacking, moment) {
            Ok(()) => lacking,
            // A connection that has kept to its rate for some time isn't delayed by others at its
            // address.
            Err(wait) if self.session.is_settled(moment) => {
                let rests_at = self.throttle.rests_at();
                if rests_at > now {
                    return Err(rests_at.min(now + wait));
                }
                LINE
            }
            Err(wait) => return Err(now + wait),
        };
        self.credit.add(amount);
        Ok(())
    }

    /// Charges a cost in bytes to the rates.
    fn charge(&mut self, cost: u32, now: Instant) {
        if let Some(rate) = self.config.throttle {
            self.throttle.charge(rate, cost, now);
            self.credit.used(cost);
        }
    }

    fn on_line(&mut self, line: LineItem, moment: Timestamp) {
        // Earlier events first: a client that was kicked is out of the channel.
        if self.session.client().ready.is_ready() {
            self.session.deliver(MAX_PENDING_OUTPUT, &mut self.out);
        }
        let before = self.out.len();
        self.session.on_line(line, moment, &mut self.out);
        if self.session.hides_typing()
            && let Some(request) = self.telnet.hide_typing(true)
        {
            // Before the password prompt is displayed.
            let asking = self.out.split_off(before);
            self.out.extend_from_slice(&request);
            self.out.extend_from_slice(&asking);
        }
        if self.session.awaits_reply() {
            // A proposal that commits at once has its reply at once.
            self.session.deliver(MAX_PENDING_OUTPUT, &mut self.out);
        }
    }

    /// Takes the next whole line out of the input, and returns its cost. Telnet commands before it
    /// are carried out.
    fn next_line(&mut self) -> (Option<LineItem>, u32) {
        let mut cost = 0;
        if std::mem::take(&mut self.line_ended)
            && let Some(line) = self.codec.end_at_cr()
        {
            self.after_cr = true;
            return (Some(line), 0);
        }
        while !self.input.is_empty() {
            let end = end_of_piece(&self.input);
            // A line can end only at the last byte of this piece.
            let mut line = None;
            let was_discarding = self.codec.is_discarding();
            let Self { telnet, codec, session, out, input, interrupted, after_cr, .. } = self;
            telnet.feed(&input[..end], &mut |signal| match signal {
                Signal::Data(mut data) => {
                    if std::mem::take(after_cr) {
                        data = LineCodec::after_cr(data);
                    }
                    while !data.is_empty() {
                        line = codec.feed(&mut data).or(line.take());
                    }
                }
                Signal::EraseChar => codec.erase_char(),
                Signal::EraseLine => codec.erase_line(),
                // The hidden part of a password is dropped with its prompt.
                Signal::Interrupt if session.cancel_password_prompt(out) => codec.erase_line(),
                Signal::Interrupt => *interrupted = true,
                // Replies are bounded by the output buffer.
                Signal::AreYouThere if out.len() < MAX_PENDING_OUTPUT => {
                    session.show_presence(out);
                    cost += PRESENCE_COST;
                }
                Signal::AreYouThere => {}
                Signal::Reply(reply) => out.extend_from_slice(&reply),
            });
            let bytes = u32::try_from(end).unwrap_or(u32::MAX);
            let is_discarding = was_discarding && codec.is_discarding();
            cost += if is_discarding { bytes / DISCARDED_AT_ONE + 1 } else { bytes };
            // It may be a password.
            input.get_mut(..end).unwrap_or_default().fill(0);
            input.advance(end);
            if input.is_empty() {
                *input = BytesMut::new();
            }
            if telnet.speaks() {
                session.speaks_telnet();
            }
            // At a terminal, telnet sends CR NUL for Enter, and many clients CR alone.
            if telnet.speaks() && codec.ends_with_cr() {
                *after_cr = true;
                line = line.or_else(|| codec.end_at_cr());
            }
            if line.is_some() {
                return (line, cost);
            }
            if codec.is_idle() {
                // An empty line, or telnet commands.
                cost += EMPTY_COST;
            }
            if out.len() >= MAX_PENDING_OUTPUT || cost >= LINE {
                break;
            }
        }
        (None, cost)
    }
}

/// The length of a piece of input in which a line can end only at the last byte.
fn end_of_piece(input: &[u8]) -> usize {
    let Some(at) = memchr::memchr3(b'\n', b'\r', 0, input) else { return input.len() };
    let is_pair = input.get(at) == Some(&b'\r') && matches!(input.get(at + 1), Some(b'\n' | 0));
    at + 1 + usize::from(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::client::Client;
    use crate::hub::limits::Limits;
    use tokio::io::DuplexStream;

    /// Bounds the memory of an idle connection without its socket; it owns no buffers. A higher
    /// bound needs a reason, and the cost for 100,000 connections.
    #[test]
    fn an_idle_connection_is_small() {
        let hub = Hub::in_memory(Limits::small());
        let config = ConnectionConfig {
            throttle: None,
            name_deadline: LINGER,
            write_deadline: LINGER,
            drain_rate: 0,
        };
        let (ours, _theirs) = tokio::io::duplex(64);
        let task =
            serve::<DuplexStream, ()>(ours, PeerInfo::local("a test"), hub, Arc::new(config), ());
        for (what, size, most) in [
            // Includes 16 bytes for the address's share and the cost of a list: 1.6 MB for 100,000
            // connections.
            ("the task", size_of_val(&task), 496),
            ("its session", size_of::<Session>(), 256),
            ("its person", size_of::<Client>(), 240),
        ] {
            assert!(size <= most, "{what} has {size} bytes, and may have {most}");
        }
    }
}
