//! The bare loop: what it writes is what any server would have to write, and it does nothing else.
//!
//! Each line that comes in goes out to everybody else in the same room: alone, one write for each
//! line and receiver; or in batches, one write for each receiver and all that was ready. Who has
//! entered no room is in the hall, and nobody is in two. It has no names and no bounds: it is no
//! server, but the least that one can cost.

use std::collections::HashMap;
use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::dialect::{FLOOR_ENTER, FLOOR_ENTERED, FLOOR_GREETING};

const LISTENER: Token = Token(usize::MAX);

/// The room that has no name.
const HALL: usize = 0;

struct FloorClient {
    stream: TcpStream,
    room: usize,
    /// What the socket didn't take.
    unwritten: Vec<u8>,
    /// The beginning of a line.
    carry: Vec<u8>,
}

/// Who is in it, and what was said there and isn't passed on yet.
#[derive(Default)]
struct FloorChannel {
    people: Vec<usize>,
    /// Whole lines.
    said: Vec<u8>,
    /// Who said what up to where.
    whose: Vec<(usize, usize)>,
}

/// What came of reading.
enum FloorInput {
    /// Nothing, or it was said.
    Nothing,
    /// The name of a room.
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
    /// Where something was said.
    heard: Vec<usize>,
}

/// Runs until it is killed.
#[expect(clippy::print_stderr, reason = "it tells where it listens")]
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

    /// Reads what there is of a guest.
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

    /// Passes on what was said.
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
    /// A write for each line and receiver.
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

    /// A write for each receiver.
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

    /// Writes what waits and then this, as far as the socket takes it; the rest waits.
    fn write(&mut self, slices: &[IoSlice<'_>]) {
        if !self.unwritten.is_empty() {
            let written = self.stream.write(&self.unwritten).unwrap_or(0);
            self.unwritten.drain(..written);
        }
        let mut written = 0;
        if self.unwritten.is_empty() && !slices.is_empty() {
            // An end is found when it is read.
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

    /// Reads what there is, and says it in the room that it is in.
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
