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
    room: usize,
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
    whose: Vec<(usize, usize)>,
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
    guests: Vec<Option<FloorClient>>,
    free: Vec<usize>,
    rooms: Vec<FloorChannel>,
    names: HashMap<Vec<u8>, usize>,
    /// Channels with lines to forward.
    heard: Vec<usize>,
}

/// Runs until the process is killed.
#[expect(clippy::print_stderr, reason = "it prints its address")]
pub(crate) fn run(batch: bool) -> anyhow::Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("address={}", listener.local_addr()?);
    let mut events = Events::with_capacity(4096);
    let mut house = FloorServer { rooms: vec![FloorChannel::default()], ..FloorServer::default() };
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
                    let id = house.free.pop().unwrap_or(house.guests.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(id), interest)?;
                    house.welcome(id, stream);
                }
                continue;
            }
            let Token(id) = event.token();
            if event.is_writable()
                && let Some(Some(guest)) = house.guests.get_mut(id)
            {
                guest.write(&[]);
            }
            if event.is_readable() {
                house.read(id, &mut buffer);
            }
            if !batch {
                house.pass_on(FloorChannel::one_by_one);
            }
        }
        house.pass_on(FloorChannel::at_once);
    }
}

impl FloorServer {
    fn welcome(&mut self, id: usize, stream: TcpStream) {
        let mut guest =
            FloorClient { stream, room: HALL, unwritten: Vec::new(), carry: Vec::new() };
        guest.tell(FLOOR_GREETING);
        match self.guests.get_mut(id) {
            Some(place) => *place = Some(guest),
            None => self.guests.push(Some(guest)),
        }
        self.rooms[HALL].people.push(id);
    }

    /// Reads the input of a client.
    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        let Some(Some(guest)) = self.guests.get_mut(id) else { return };
        let room = &mut self.rooms[guest.room];
        let was_silent = room.whose.is_empty();
        let came = guest.read(id, buffer, room);
        if was_silent && !room.whose.is_empty() {
            self.heard.push(guest.room);
        }
        match came {
            FloorInput::Nothing => {}
            FloorInput::Enter(name) => {
                leave(room, id);
                let next = self.rooms.len();
                guest.room = *self.names.entry(name).or_insert(next);
                if guest.room == next {
                    self.rooms.push(FloorChannel::default());
                }
                self.rooms[guest.room].people.push(id);
                guest.tell(FLOOR_ENTERED);
            }
            FloorInput::End => {
                leave(room, id);
                self.guests[id] = None;
                self.free.push(id);
            }
        }
    }

    /// Forwards the pending lines.
    fn pass_on(&mut self, how: impl Fn(&FloorChannel, &mut [Option<FloorClient>])) {
        for at in self.heard.drain(..) {
            let room = &mut self.rooms[at];
            how(room, &mut self.guests);
            room.said.clear();
            room.whose.clear();
        }
    }
}

fn leave(room: &mut FloorChannel, id: usize) {
    if let Some(at) = room.people.iter().position(|other| *other == id) {
        room.people.swap_remove(at);
    }
}

impl FloorChannel {
    /// One write per line and recipient.
    fn one_by_one(&self, guests: &mut [Option<FloorClient>]) {
        let mut begin = 0;
        for (whose, end) in &self.whose {
            for line in self.said[begin..*end].split_inclusive(|byte| *byte == b'\n') {
                for id in &self.people {
                    if let Some(guest) = &mut guests[*id]
                        && id != whose
                    {
                        guest.write(&[IoSlice::new(line)]);
                    }
                }
            }
            begin = *end;
        }
    }

    /// One write per recipient.
    fn at_once(&self, guests: &mut [Option<FloorClient>]) {
        let all = [IoSlice::new(&self.said)];
        for id in &self.people {
            let Some(guest) = &mut guests[*id] else { continue };
            if self.whose.iter().all(|(whose, _)| whose != id) {
                guest.write(&all);
                continue;
            }
            let mut begin = 0;
            let mut others = Vec::new();
            for (whose, end) in &self.whose {
                if whose != id {
                    others.push(IoSlice::new(&self.said[begin..*end]));
                }
                begin = *end;
            }
            guest.write(&others);
        }
    }
}

impl FloorClient {
    fn tell(&mut self, line: &str) {
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
    fn read(&mut self, id: usize, buffer: &mut [u8], room: &mut FloorChannel) -> FloorInput {
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
                            room.said.append(&mut self.carry);
                            room.said.extend_from_slice(&read[..=end]);
                            self.carry.extend_from_slice(&read[end + 1..]);
                            room.whose.push((id, room.said.len()));
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
