//! The bare loop: it writes what any server has to write, and does nothing else.
//!
//! Each line is forwarded to the other members of its sender's channel: unbatched, with one write
//! per line and recipient; or in batches, with one write per recipient for all lines that were
//! ready. A client is in exactly one channel, the hall until it enters another. There are no names
//! and no limits: the bare loop isn't a server but a lower bound for the cost of one.

use std::collections::HashMap;
use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::dialect::{FLOOR_ENTER, FLOOR_ENTERED, FLOOR_GREETING};

const LISTENER: Token = Token(usize::MAX);

/// The index of the channel that every client starts in.
const HALL: usize = 0;

struct FloorClient {
    stream: TcpStream,
    channel: usize,
    /// Output that the socket didn't take.
    unwritten: Vec<u8>,
    /// The beginning of an unfinished line.
    carry: Vec<u8>,
}

/// The members of a channel, and the lines that aren't forwarded yet.
#[derive(Default)]
struct FloorChannel {
    people: Vec<usize>,
    /// Complete lines, concatenated.
    said: Vec<u8>,
    /// The sender of each stretch of `said`, and the offset at which it ends.
    authors: Vec<(usize, usize)>,
}

/// The result of a read.
enum FloorInput {
    /// The lines, if any, are in the channel's buffer.
    Nothing,
    /// The client enters the channel of this name.
    Enter(Vec<u8>),
    /// The connection is gone.
    End,
}

#[derive(Default)]
struct FloorServer {
    clients: Vec<Option<FloorClient>>,
    free: Vec<usize>,
    channels: Vec<FloorChannel>,
    names: HashMap<Vec<u8>, usize>,
    /// Channels with lines to forward.
    pending: Vec<usize>,
}

/// Runs until the process is killed.
#[expect(clippy::print_stderr, reason = "it prints its address")]
pub(crate) fn run(batch: bool) -> anyhow::Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("address={}", listener.local_addr()?);
    let mut events = Events::with_capacity(4096);
    let mut server =
        FloorServer { channels: vec![FloorChannel::default()], ..FloorServer::default() };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let id = server.free.pop().unwrap_or(server.clients.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(id), interest)?;
                    server.welcome(id, stream);
                }
                continue;
            }
            let Token(id) = event.token();
            if event.is_writable()
                && let Some(Some(client)) = server.clients.get_mut(id)
            {
                client.write(&[]);
            }
            if event.is_readable() {
                server.read(id, &mut buffer);
            }
            if !batch {
                server.pass_on(FloorChannel::one_by_one);
            }
        }
        server.pass_on(FloorChannel::at_once);
    }
}

impl FloorServer {
    fn welcome(&mut self, id: usize, stream: TcpStream) {
        let mut client =
            FloorClient { stream, channel: HALL, unwritten: Vec::new(), carry: Vec::new() };
        client.forward(FLOOR_GREETING);
        match self.clients.get_mut(id) {
            Some(place) => *place = Some(client),
            None => self.clients.push(Some(client)),
        }
        self.channels[HALL].people.push(id);
    }

    /// Reads the input of a client.
    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        let Some(Some(client)) = self.clients.get_mut(id) else { return };
        let channel = &mut self.channels[client.channel];
        let was_silent = channel.authors.is_empty();
        let came = client.read(id, buffer, channel);
        if was_silent && !channel.authors.is_empty() {
            self.pending.push(client.channel);
        }
        match came {
            FloorInput::Nothing => {}
            FloorInput::Enter(name) => {
                leave(channel, id);
                let next = self.channels.len();
                client.channel = *self.names.entry(name).or_insert(next);
                if client.channel == next {
                    self.channels.push(FloorChannel::default());
                }
                self.channels[client.channel].people.push(id);
                client.forward(FLOOR_ENTERED);
            }
            FloorInput::End => {
                leave(channel, id);
                self.clients[id] = None;
                self.free.push(id);
            }
        }
    }

    /// Forwards the pending lines.
    fn pass_on(&mut self, how: impl Fn(&FloorChannel, &mut [Option<FloorClient>])) {
        for at in self.pending.drain(..) {
            let channel = &mut self.channels[at];
            how(channel, &mut self.clients);
            channel.said.clear();
            channel.authors.clear();
        }
    }
}

fn leave(channel: &mut FloorChannel, id: usize) {
    if let Some(at) = channel.people.iter().position(|other| *other == id) {
        channel.people.swap_remove(at);
    }
}

impl FloorChannel {
    /// One write per line and recipient.
    fn one_by_one(&self, clients: &mut [Option<FloorClient>]) {
        let mut begin = 0;
        for (authors, end) in &self.authors {
            for line in self.said[begin..*end].split_inclusive(|byte| *byte == b'\n') {
                for id in &self.people {
                    if let Some(client) = &mut clients[*id]
                        && id != authors
                    {
                        client.write(&[IoSlice::new(line)]);
                    }
                }
            }
            begin = *end;
        }
    }

    /// One write per recipient.
    fn at_once(&self, clients: &mut [Option<FloorClient>]) {
        let all = [IoSlice::new(&self.said)];
        for id in &self.people {
            let Some(client) = &mut clients[*id] else { continue };
            if self.authors.iter().all(|(authors, _)| authors != id) {
                client.write(&all);
                continue;
            }
            let mut begin = 0;
            let mut others = Vec::new();
            for (authors, end) in &self.authors {
                if authors != id {
                    others.push(IoSlice::new(&self.said[begin..*end]));
                }
                begin = *end;
            }
            client.write(&others);
        }
    }
}

impl FloorClient {
    fn forward(&mut self, line: &str) {
        self.write(&[IoSlice::new(line.as_bytes()), IoSlice::new(b"\n")]);
    }

    /// Writes the pending output and then `slices`, as far as the socket takes them; buffers the
    /// rest.
    fn write(&mut self, slices: &[IoSlice<'_>]) {
        if !self.unwritten.is_empty() {
            let written = self.stream.write(&self.unwritten).unwrap_or(0);
            self.unwritten.drain(..written);
        }
        let mut written = 0;
        if self.unwritten.is_empty() && !slices.is_empty() {
            // An error shows at the next read.
            written = match slices {
                [one] => self.stream.write(one),
                several => self.stream.write_vectored(several),
            }
            .unwrap_or(0);
        }
        for slice in slices {
            let done = written.min(slice.len());
            self.unwritten.extend_from_slice(&slice[done..]);
            written -= done;
        }
    }

    /// Drains the socket; adds complete lines to the buffer of the client's channel.
    fn read(&mut self, id: usize, buffer: &mut [u8], channel: &mut FloorChannel) -> FloorInput {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return FloorInput::End,
                Ok(some) => {
                    let read = &buffer[..some];
                    if let Some(name) = read.strip_prefix(FLOOR_ENTER.as_bytes()) {
                        return FloorInput::Enter(name.to_vec());
                    }
                    match memchr::memrchr(b'\n', read) {
                        None => self.carry.extend_from_slice(read),
                        Some(end) => {
                            channel.said.append(&mut self.carry);
                            channel.said.extend_from_slice(&read[..=end]);
                            self.carry.extend_from_slice(&read[end + 1..]);
                            channel.authors.push((id, channel.said.len()));
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return FloorInput::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return FloorInput::End,
            }
        }
    }
}
