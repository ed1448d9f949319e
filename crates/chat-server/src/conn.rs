//! One task for each connection: the only code that reads or writes a client's bytes.
//!
//! The task sleeps until something wakes it ([`wake::Wake`] lists all that can), takes out what waits for
//! the person, carries out the lines that have come, and writes what came of it with one system call.
//! An idle connection owns no buffer: bytes are read into a buffer of the thread's and written from
//! one, and only what is left over is kept.
//!
//! * [`wake`]: everything that can wake the task.
//! * [`sniff`]: what a peer speaks, and advice for those who speak something else.
//! * [`telnet`]: the telnet protocol between bytes and lines.
//! * [`deadlines`]: by when a name must be given, and output taken.
//! * [`throttle`]: how fast one connection's lines are carried out.
//! * [`buffer`]: buffers that are lent.

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

/// Output that is gathered before it is written. Bounds what one stuck reader costs.
const WRITE_BATCH: usize = 12 * 1024;

/// Output past which no further line is carried out until some is written.
const MAX_PENDING_OUTPUT: usize = 16 * 1024;

/// What an empty line, or telnet commands between lines, cost, as the bytes of lines count; and an answer to the telnet
/// command that asks whether anybody is there.
const EMPTY_COST: u32 = LINE / 8;
const PRESENCE_COST: u32 = LINE / 4;

/// Of a line that is too long, so many bytes that are thrown away cost what one byte of others does.
const DISCARDED_AT_ONE: u32 = 1024;

/// Lines that are carried out before the other tasks have their turn, so that those who listen keep up
/// with one who sends a lot at once.
const LINES_A_TURN: u32 = 16;

/// How long what a peer still sends is read and thrown away after the last line, so that the last line arrives.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_AT_SHUTDOWN: Duration = Duration::from_millis(300);

/// How long the lines that a peer sent before it was gone are carried out, at the usual pace.
const LOST_DEADLINE: Duration = Duration::from_secs(30);

/// How long the lines of a peer whose connection has ended are waited for. The disk hangs if that isn't enough.
const LINES_DEADLINE: Duration = Duration::from_secs(10);

/// So many times the write deadline a peer may take less than the least before it is cut off.
const DRAIN_WINDOW: u32 = 5;

/// A CR that nothing follows for this long has ended its line. The bytes of a line ending that is cut across packets
/// come sooner; a person at a client that sends CR alone hardly notices it.
const LINE_END_WAIT: Duration = Duration::from_millis(200);

/// What connections have in common.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// How fast one connection's lines are carried out; `None` for as fast as they come.
    pub throttle: Option<ThrottleConfig>,
    /// How long a newcomer may take to give a name.
    pub name_deadline: Duration,
    /// How long a peer may leave its output untaken before it is cut off.
    pub write_deadline: Duration,
    /// Bytes a second that a peer takes at least while output waits, over [`DRAIN_WINDOW`] times the write deadline; 0
    /// for any.
    pub drain_rate: usize,
}

/// How a connection came to its end.
enum End {
    /// With a farewell.
    Farewell(CloseReason),
    /// The peer speaks another protocol and has been advised.
    Foreign,
    /// The peer is gone, or takes nothing, and its input was carried out: for the others to be told why.
    Lost(&'static str),
}

/// Why a peer takes no more output. Its input is carried out to its end nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    ConnectionLost,
    StoppedReading,
}

impl Loss {
    /// For the others.
    fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLost => "connection lost",
            Self::StoppedReading => "stopped reading",
        }
    }
}

/// Serves one connection until its end, for which `permit` is input. A fault in it is caught, logged, and ends this one
/// alone.
///
/// What it is given is put in its place here, since a future keeps the room of whatever it is given besides.
pub fn serve<S: AsyncRead + AsyncWrite + Unpin, T>(
    stream: S,
    peer: PeerInfo,
    hub: Arc<Hub>,
    connection_config: Arc<ConnectionConfig>,
    permit: T,
) -> impl Future<Output = ()> {
    let mut connection = Connection::new(stream, peer, hub, connection_config);
    async move {
        tracing::debug!(address = connection.session.address(), "connected");
        let talk = AssertUnwindSafe(connection.run()).catch_unwind();
        let end = talk.await.unwrap_or_else(|_| {
            let address = connection.session.address();
            // The panic hook has logged where it happened.
            tracing::error!(address, "a fault ended this connection; the others go on");
            End::Farewell(CloseReason::Fault)
        });
        let address = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| connection.session.address().to_owned());
        Box::pin(connection.end(end)).await;
        tracing::debug!(address, "disconnected");
        drop(permit);
    }
}

#[expect(clippy::struct_excessive_bools, reason = "facts that change independently of each other")]
struct Connection<S> {
    stream: S,
    session: Session,
    connection_config: Arc<ConnectionConfig>,
    codec: LineCodec,
    telnet: Telnet,
    sniffer: Sniffer,
    /// It has turned out that the peer speaks this.
    foreign: Option<ForeignProtocol>,
    throttle: Throttle,
    credit: ShareCredit,
    deadlines: Deadlines,
    /// Read, and not carried out yet.
    input: BytesMut,
    /// The peer has interrupted, and wasn't told yet how to quit.
    interrupted: bool,
    /// Nothing followed the CR at the end of the unfinished line in time.
    line_ended: bool,
    /// A CR has ended the last line: an LF or NUL that comes next belongs to it.
    after_cr: bool,
    /// The peer has ended its input.
    input_ended: bool,
    /// The peer takes no more output, which is discarded.
    loss: Option<Loss>,
    /// Rendered, and not written yet.
    out: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(
        stream: S,
        peer: PeerInfo,
        hub: Arc<Hub>,
        connection_config: Arc<ConnectionConfig>,
    ) -> Self {
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
            deadlines: Deadlines::new(now + connection_config.name_deadline),
            input: BytesMut::new(),
            interrupted: false,
            line_ended: false,
            after_cr: false,
            input_ended: false,
            loss: None,
            out: buffer::take(),
            connection_config,
        }
    }

    /// Tells the others, says the last words, and closes.
    async fn end(mut self, end: End) {
        let loss = self.loss;
        if let End::Lost(reason) = end {
            self.session.lost(reason);
        }
        if !matches!(end, End::Farewell(CloseReason::Fault)) {
            self.finish_lines().await;
        }
        self.session.depart(steady_clock());
        let mut linger = LINGER;
        let mut write_deadline = self.connection_config.write_deadline;
        match end {
            End::Lost(_) => return,
            End::Foreign => {}
            End::Farewell(farewell) => {
                self.session.say_farewell(farewell, &mut self.out);
                if farewell == CloseReason::Shutdown {
                    linger = LINGER_AT_SHUTDOWN;
                }
                if farewell == CloseReason::Killed {
                    write_deadline = write_deadline.min(LINGER);
                }
            }
        }
        if loss.is_some() {
            return;
        }
        let Self { stream, session, out, .. } = self;
        drop(session);
        // The last lines may take long to arrive.
        let out = buffer::shrink(out);
        linger_close(stream, out, write_deadline, linger).await;
    }

    /// Waits until the person's lines that are being stored were sent to the others, so that these come before the event that
    /// the person left.
    async fn finish_lines(&mut self) {
        let until = Instant::now() + LINES_DEADLINE;
        let mut discarded = BytesMut::new();
        while self.session.has_submitted() {
            self.session.discard(WRITE_BATCH, &mut discarded);
            if !self.session.has_submitted() {
                return;
            }
            let client = self.session.client();
            let told = poll_fn(|cx| client.ready.poll(cx, false));
            if timeout_at(until, told).await.is_err() {
                return;
            }
        }
    }

    async fn run(&mut self) -> End {
        self.session.greet(&mut self.out);
        loop {
            if self.session.is_killed(&mut self.out) {
                return End::Farewell(CloseReason::Killed);
            }
            self.borrow_buffer();
            let all_told = self.session.deliver(WRITE_BATCH, &mut self.out);
            if let Some(foreign) = self.foreign {
                self.out.extend_from_slice(foreign.advice().as_bytes());
                return End::Foreign;
            }
            if all_told && let Some(farewell) = self.session.farewell() {
                return End::Farewell(farewell);
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
                    // Who has closed the connection has sent all that there is; else the last line may be half of one.
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

    /// No more output can be written. What came before is carried out, and what can still be read, for some time.
    fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
        self.deadlines.discarded();
        self.deadlines.lost_until(Instant::now() + LOST_DEADLINE);
        self.out.clear();
    }

    /// Whether all input has come and was carried out, but for questions, and nobody has said how the connection ends.
    fn is_executed(&self) -> bool {
        self.input_ended
            && self.input.is_empty()
            && self.codec.is_idle()
            && !self.session.awaits_effect()
            && self.session.farewell().is_none()
    }

    /// There is a deadline while there is no name: at the beginning, and after signing out.
    fn watch_name(&mut self) {
        if self.session.is_named() {
            self.deadlines.named();
        } else if self.session.farewell().is_none() {
            self.deadlines.name_within(self.connection_config.name_deadline);
        }
    }

    /// There is a timer while a CR waits for what follows it, and not else.
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

    /// An idle connection owns no buffer.
    fn return_buffer(&mut self) {
        if self.out.is_empty() {
            buffer::recycle(std::mem::take(&mut self.out));
        }
    }

    /// What a telnet peer types is not shown while it is a password.
    fn hide_secret(&mut self) {
        if let Some(request) = self.telnet.hide_typing(self.session.hides_typing()) {
            self.out.extend_from_slice(&request);
        }
    }

    /// Whether lines wait that could be carried out at once.
    fn has_lines_to_execute(&self) -> bool {
        if self.out.len() >= MAX_PENDING_OUTPUT || self.session.farewell().is_some() {
            return false;
        }
        let has_next = (!self.input.is_empty() || self.line_ended)
            && !self.deadlines.is_paced()
            && self.session.takes_lines();
        has_next || self.session.can_resume()
    }

    /// Carries out the lines that have come, within the bounds of a turn.
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
        // After all else that came with it: with its interrupt, telnet asks for a timing mark, and shows
        // nothing that comes before the answer to that (RFC 860).
        if self.input.is_empty()
            && std::mem::take(&mut self.interrupted)
            && self.session.farewell().is_none()
        {
            self.session.show_quit_hint(&mut self.out);
        }
        let all_read = self.input_ended && self.input.is_empty();
        if all_read && !self.session.awaits_answer() && self.session.farewell().is_none() {
            if let Some(line) = self.codec.finish() {
                self.charge(LINE, now);
                self.on_line(line, moment);
            }
            if !self.session.awaits_answer() && self.loss.is_none() {
                self.session.end(CloseReason::EndOfInput);
            }
        }
    }

    /// Whether a line may go now: by this connection's own pace, and by that of its account and address.
    ///
    /// # Errors
    ///
    /// When it may, or when to look again.
    fn may_go(&mut self, now: Instant, moment: Timestamp) -> Result<(), Instant> {
        let Some(rate) = self.connection_config.throttle else { return Ok(()) };
        self.throttle.may_go(rate, now)?;
        let Some(lacking) = self.credit.lacks() else { return Ok(()) };
        let amount = match self.session.take_share(lacking, moment) {
            Ok(()) => lacking,
            // Others at its address don't hold up a connection that has kept to its own pace for some time.
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

    /// Something that costs as much as so many bytes went.
    fn charge(&mut self, cost: u32, now: Instant) {
        if let Some(rate) = self.connection_config.throttle {
            self.throttle.charge(rate, cost, now);
            self.credit.used(cost);
        }
    }

    fn on_line(&mut self, line: LineItem, moment: Timestamp) {
        // What happened before comes first: somebody who was put out of a channel is out.
        if self.session.client().ready.is_ready() {
            self.session.deliver(MAX_PENDING_OUTPUT, &mut self.out);
        }
        let before = self.out.len();
        self.session.on_line(line, moment, &mut self.out);
        if self.session.hides_typing()
            && let Some(request) = self.telnet.hide_typing(true)
        {
            // Before whatever asks for the password is shown.
            let asking = self.out.split_off(before);
            self.out.extend_from_slice(&request);
            self.out.extend_from_slice(&asking);
        }
        if self.session.awaits_answer() {
            // A line that got its place at once has its answer at once.
            self.session.deliver(MAX_PENDING_OUTPUT, &mut self.out);
        }
    }

    /// Takes the next whole line out of what was read; tells what that costs. What a telnet peer wants besides is done on
    /// the way.
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
            // A line can end at the last byte of this and nowhere before.
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
                // What was typed of a password, unseen, is gone with the question.
                Signal::Interrupt if session.cancel_password_prompt(out) => codec.erase_line(),
                Signal::Interrupt => *interrupted = true,
                // What floods the peer is answered as far as it would see it.
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
            // At a terminal, telnet sends CR NUL for Enter, and many a client CR alone.
            if telnet.speaks() && codec.ends_with_cr() {
                *after_cr = true;
                line = line.or_else(|| codec.end_at_cr());
            }
            if line.is_some() {
                return (line, cost);
            }
            if codec.is_idle() {
                // An empty line, or commands of telnet.
                cost += EMPTY_COST;
            }
            if out.len() >= MAX_PENDING_OUTPUT || cost >= LINE {
                break;
            }
        }
        (None, cost)
    }
}

/// Up to where a piece of input goes at whose last byte a line may end, and nowhere before.
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

    /// What every connection costs in memory while nothing happens, beside its socket and its buffers, which it then
    /// has none of. Whoever raises a bound says why, and what a hundred thousand of them cost.
    #[test]
    fn an_idle_connection_is_small() {
        let hub = Hub::in_memory(Limits::small());
        let connection_config = ConnectionConfig {
            throttle: None,
            name_deadline: LINGER,
            write_deadline: LINGER,
            drain_rate: 0,
        };
        let (ours, _theirs) = tokio::io::duplex(64);
        let task = serve::<DuplexStream, ()>(
            ours,
            PeerInfo::local("a test"),
            hub,
            Arc::new(connection_config),
            (),
        );
        for (what, size, most) in [
            // Sixteen bytes of it are what the address gave, and the cost of a list: 1.6 MB for a hundred thousand.
            ("the task", size_of_val(&task), 496),
            ("its session", size_of::<Session>(), 256),
            ("its person", size_of::<Client>(), 240),
        ] {
            assert!(size <= most, "{what} has {size} bytes, and may have {most}");
        }
    }
}
