//! All connections, and the event loop that drives them.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};

use super::peer::{LoadPeer, PeerProgress, Watch, nanos};
use super::timer::Timer;
use crate::dialect::{Dialect, SignInRequest};

/// Size of the read buffer: large, so that heavy output of the server takes few reads.
const READ_BYTES: usize = 256 * 1024;

/// A server without any output for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest time that a swarm may run.
const LONGEST: Duration = Duration::from_mins(5);

/// The range of recorded latencies, 1 µs to 100 s, in nanoseconds.
const LATENCY: (u64, u64) = (1_000, 100_000_000_000);

const TIMER: Token = Token(usize::MAX);

/// Many connections to one server.
pub(crate) struct Swarm {
    address: SocketAddr,
    dialect: Dialect,
    at_once: usize,
    give_up: Instant,
    poll: Poll,
    timer: Timer,
    events: Events,
    peers: Vec<Option<LoadPeer>>,
    free: Vec<usize>,
    /// Connections whose write buffer may hold something.
    unwritten: Vec<usize>,
    /// Requests that aren't answered yet.
    awaited: usize,
    /// Connections whose request was answered, if [`note_answers`](Self::note_answers) was called.
    answered: Option<Vec<usize>>,
    /// Connections that the server closed.
    closed: usize,
    found: PeerProgress,
    buffer: Vec<u8>,
}

impl Swarm {
    /// A swarm without connections. At most `at_once` clients sign in at the same time.
    pub(crate) fn new(
        address: SocketAddr,
        dialect: Dialect,
        at_once: usize,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        Ok(Self {
            address,
            dialect,
            at_once,
            give_up: Instant::now() + LONGEST,
            timer,
            poll,
            events: Events::with_capacity(4096),
            peers: Vec::new(),
            free: Vec::new(),
            unwritten: Vec::new(),
            awaited: 0,
            answered: None,
            closed: 0,
            found: PeerProgress {
                begun: Instant::now(),
                marks: 0,
                oks: 0,
                latency: latency()?,
                reactions: Vec::new(),
            },
            buffer: vec![0; READ_BYTES],
        })
    }

    /// The dialect that the server speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How many clients may sign in at the same time.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Nanoseconds since the start, as stamps hold them.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.found.begun.elapsed())
    }

    /// Messages with a stamp that have arrived so far.
    pub(crate) fn marks(&self) -> u64 {
        self.found.marks
    }

    /// `ok`s that have arrived so far.
    pub(crate) fn oks(&self) -> u64 {
        self.found.oks
    }

    /// Requests that aren't answered yet.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited
    }

    /// Connections that the server has closed so far.
    pub(crate) fn closed(&self) -> usize {
        self.closed
    }

    /// The latencies since the last call.
    pub(crate) fn take_latency(&mut self) -> anyhow::Result<Histogram<u64>> {
        Ok(std::mem::replace(&mut self.found.latency, latency()?))
    }

    /// Connections marked by [`react`](Self::react) that found something since the last call, and
    /// how many items.
    pub(crate) fn take_reactions(&mut self, into: &mut Vec<(usize, u64)>) {
        into.clear();
        into.append(&mut self.found.reactions);
    }

    /// Records answered requests for [`take_answered`](Self::take_answered).
    pub(crate) fn note_answers(&mut self) {
        self.answered = Some(Vec::new());
    }

    /// Connections whose request was answered since the last call.
    pub(crate) fn take_answered(&mut self, into: &mut Vec<usize>) {
        into.clear();
        into.append(self.answered.get_or_insert_default());
    }

    /// Opens a connection that sends a request as soon as it is established; returns its id.
    pub(crate) fn connect(&mut self, ask: &SignInRequest) -> anyhow::Result<usize> {
        let id = self.free.pop().unwrap_or(self.peers.len());
        let mut stream = connect(self.address, id)
            .context("connecting; if too many files are open, `ulimit -Hn` must be raised")?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(id), interest)?;
        // Each message is one write, so Nagle's algorithm would only add delay.
        stream.set_nodelay(true)?;
        let peer = Some(LoadPeer::new(stream, Watch::Count));
        match self.peers.get_mut(id) {
            Some(place) => *place = peer,
            None => self.peers.push(peer),
        }
        self.ask(id, ask)?;
        Ok(id)
    }

    /// Sends a request; [`awaited`](Self::awaited) falls when it is answered. A request that has no
    /// answer counts as answered.
    pub(crate) fn ask(&mut self, id: usize, ask: &SignInRequest) -> anyhow::Result<()> {
        let peer = self.peer(id)?;
        peer.out().extend_from_slice(ask.lines.as_bytes());
        if !ask.answer.is_empty() {
            peer.then = if let Watch::Answer(_) = peer.watch { peer.then } else { peer.watch };
            peer.watch = Watch::Answer(ask.answer);
            self.awaited += 1;
        }
        self.unwritten.push(id);
        Ok(())
    }

    /// The write buffer of a connection; it is written at the next [`turn`](Self::turn).
    pub(crate) fn out(&mut self, id: usize) -> anyhow::Result<&mut Vec<u8>> {
        self.unwritten.push(id);
        Ok(self.peer(id)?.out())
    }

    /// Changes the pattern of a connection.
    pub(crate) fn watch(&mut self, id: usize, watch: Watch) -> anyhow::Result<()> {
        let peer = self.peer(id)?;
        (peer.watch, peer.then) = (watch, watch);
        Ok(())
    }

    /// Makes [`take_reactions`](Self::take_reactions) return the findings of a connection.
    pub(crate) fn react(&mut self, id: usize) -> anyhow::Result<()> {
        self.peer(id)?.reacts = true;
        Ok(())
    }

    /// Stops reading from a connection.
    pub(crate) fn stall(&mut self, id: usize) -> anyhow::Result<()> {
        self.peer(id)?.stalled = true;
        Ok(())
    }

    /// Closes a connection by a reset, so that no port stays in `TIME_WAIT`.
    pub(crate) fn reset(&mut self, id: usize) -> anyhow::Result<()> {
        let mut peer = self.peers.get_mut(id).and_then(Option::take).context("it is connected")?;
        SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO))?;
        self.poll.registry().deregister(&mut peer.stream)?;
        self.free.push(id);
        Ok(())
    }

    pub(crate) fn reset_all(&mut self) -> anyhow::Result<()> {
        for id in 0..self.peers.len() {
            if self.peers[id].is_some() {
                self.reset(id)?;
            }
        }
        Ok(())
    }

    fn peer(&mut self, id: usize) -> anyhow::Result<&mut LoadPeer> {
        self.peers.get_mut(id).and_then(Option::as_mut).context("the server closed a connection")
    }

    /// Writes the pending output of all connections.
    fn flush(&mut self) {
        for id in self.unwritten.drain(..) {
            if let Some(Some(peer)) = self.peers.get_mut(id) {
                // An error shows at the next read.
                drop(peer.flush());
            }
        }
    }

    /// Writes pending output, waits for an event or until the time is over, and reads input.
    /// Returns whether there was an event.
    pub(crate) fn turn(&mut self, at_most: Duration) -> anyhow::Result<bool> {
        self.flush();
        // `epoll_wait` takes whole milliseconds. Other times use the timer, which costs one more
        // call.
        let is_whole = at_most.subsec_nanos().is_multiple_of(1_000_000);
        if !is_whole {
            self.timer.set(at_most)?;
        }
        match self.poll.poll(&mut self.events, Some(if is_whole { at_most } else { PATIENCE })) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
            polled => polled?,
        }
        let mut happened = false;
        for event in &self.events {
            let Token(id) = event.token();
            let Some(Some(peer)) = self.peers.get_mut(id) else { continue };
            happened = true;
            if event.is_writable() {
                drop(peer.flush());
            }
            let closed = event.is_read_closed() || event.is_error();
            if !(closed || event.is_readable() && !peer.stalled) {
                continue;
            }
            let came = peer.read(id, closed, &mut self.buffer, self.dialect, &mut self.found)?;
            if came.answer {
                self.awaited -= 1;
                if let Some(answered) = &mut self.answered {
                    answered.push(id);
                }
            }
            if came.end {
                let awaited = matches!(peer.watch, Watch::Answer(_));
                ensure!(!awaited, "the server closed a connection instead of answering");
                self.poll.registry().deregister(&mut peer.stream)?;
                self.peers[id] = None;
                self.free.push(id);
                self.closed += 1;
            }
        }
        Ok(happened)
    }

    /// Turns until `done` returns true.
    ///
    /// # Errors
    ///
    /// If there is no event for half a minute, or the swarm has run for more than five minutes;
    /// `what` names the awaited condition.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let mut last = Instant::now();
        while !done(self) {
            if self.turn(Duration::from_secs(1))? {
                last = Instant::now();
            } else if last.elapsed() > PATIENCE {
                bail!(
                    "nothing comes from the server any more; {} are waited for",
                    self.waits(what)
                );
            }
            ensure!(
                Instant::now() < self.give_up,
                "it takes too long; {} are waited for",
                self.waits(what)
            );
        }
        Ok(())
    }

    fn waits(&self, what: &str) -> String {
        format!("{what} ({} people aren't answered)", self.awaited)
    }

    /// Turns until every request is answered.
    pub(crate) fn answered(&mut self) -> anyhow::Result<()> {
        self.until("answers", |swarm| swarm.awaited == 0)
    }
}

fn latency() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(LATENCY.0, LATENCY.1, 3)?)
}

/// Connections from one local address. An address has 28,000 ephemeral ports, and finding a free
/// one takes ever longer once half of them are taken.
const FROM_ONE: usize = 8000;

/// Starts to connect; the local address depends on the id.
fn connect(to: SocketAddr, id: usize) -> io::Result<TcpStream> {
    let SocketAddr::V4(to) = to else { return TcpStream::connect(to) };
    let from = u8::try_from(1 + id / FROM_ONE).unwrap_or(1);
    if !to.ip().is_loopback() || from == 1 {
        return TcpStream::connect(to.into());
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, from), 0).into())?;
    match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
