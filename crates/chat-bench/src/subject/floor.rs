//! The bare loop: what it writes is what any server would have to write, and it does nothing else.
//!
//! Each line that comes in goes out to everybody else: alone, one write for each line and receiver; or in
//! batches, one write for each receiver and all that was ready. It has no names, no rooms, and no bounds:
//! it is no server, but the least that one can cost.

use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

/// Told to whoever connects, so that it knows that it is heard and hears.
const GREETING: &[u8] = b"* floor\n";

struct Guest {
    stream: TcpStream,
    /// What the socket didn't take.
    unwritten: Vec<u8>,
    /// The beginning of a line.
    carry: Vec<u8>,
}

/// What was ready at once: whole lines, and whose they are.
#[derive(Default)]
struct Ready {
    bytes: Vec<u8>,
    /// Who said what up to where.
    whose: Vec<(usize, usize)>,
}

/// Runs until it is killed.
#[expect(clippy::print_stderr, reason = "it tells where it listens")]
pub(crate) fn run(batch: bool) -> anyhow::Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("address={}", listener.local_addr()?);
    let mut events = Events::with_capacity(4096);
    let mut guests: Vec<Option<Guest>> = Vec::new();
    let mut free = Vec::new();
    let mut room = vec![0; 64 * 1024];
    let mut ready = Ready::default();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let id = free.pop().unwrap_or(guests.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(id), interest)?;
                    let mut guest = Guest { stream, unwritten: Vec::new(), carry: Vec::new() };
                    guest.write(&[IoSlice::new(GREETING)]);
                    match guests.get_mut(id) {
                        Some(place) => *place = Some(guest),
                        None => guests.push(Some(guest)),
                    }
                }
                continue;
            }
            let Token(id) = event.token();
            let Some(Some(guest)) = guests.get_mut(id) else { continue };
            if event.is_writable() {
                guest.write(&[]);
            }
            if event.is_readable() && !guest.read(id, &mut room, &mut ready) {
                guests[id] = None;
                free.push(id);
            }
            if !batch {
                one_by_one(&mut guests, &mut ready);
            }
        }
        if batch {
            at_once(&mut guests, &mut ready);
        }
    }
}

/// A write for each line and receiver.
fn one_by_one(guests: &mut [Option<Guest>], ready: &mut Ready) {
    let mut begin = 0;
    for (whose, end) in ready.whose.drain(..) {
        for line in ready.bytes[begin..end].split_inclusive(|byte| *byte == b'\n') {
            for (id, guest) in guests.iter_mut().enumerate() {
                if let Some(guest) = guest
                    && id != whose
                {
                    guest.write(&[IoSlice::new(line)]);
                }
            }
        }
        begin = end;
    }
    ready.bytes.clear();
}

/// A write for each receiver.
fn at_once(guests: &mut [Option<Guest>], ready: &mut Ready) {
    if ready.whose.is_empty() {
        return;
    }
    let all = [IoSlice::new(&ready.bytes)];
    for (id, guest) in guests.iter_mut().enumerate() {
        let Some(guest) = guest else { continue };
        if ready.whose.iter().all(|(whose, _)| *whose != id) {
            guest.write(&all);
            continue;
        }
        let mut begin = 0;
        let mut others = Vec::new();
        for (whose, end) in &ready.whose {
            if *whose != id {
                others.push(IoSlice::new(&ready.bytes[begin..*end]));
            }
            begin = *end;
        }
        guest.write(&others);
    }
    ready.bytes.clear();
    ready.whose.clear();
}

impl Guest {
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

    /// Reads what there is; tells whether the connection is still there.
    fn read(&mut self, id: usize, room: &mut [u8], ready: &mut Ready) -> bool {
        loop {
            match self.stream.read(room) {
                Ok(0) => return false,
                Ok(some) => {
                    let read = &room[..some];
                    match memchr::memrchr(b'\n', read) {
                        None => self.carry.extend_from_slice(read),
                        Some(end) => {
                            ready.bytes.append(&mut self.carry);
                            ready.bytes.extend_from_slice(&read[..=end]);
                            self.carry.extend_from_slice(&read[end + 1..]);
                            ready.whose.push((id, ready.bytes.len()));
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}
