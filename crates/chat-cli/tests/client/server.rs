//! A scripted server, driven line by line. Everything has a deadline, so a broken test fails
//! instead of hanging.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// Long enough for a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A listener whose connections are passed to the test.
pub(crate) struct Server {
    address: String,
    accepted: Receiver<Peer>,
}

/// A connection of the client.
pub(crate) struct Peer {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
}

impl Server {
    /// On a free port.
    pub(crate) fn tcp() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self::accepting(address, move || listener.accept().map(|(stream, _)| Peer::tcp(&stream)))
    }

    /// On a Unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let address = path.to_str().unwrap().to_owned();
        Self::accepting(address, move || listener.accept().map(|(stream, _)| Peer::unix(&stream)))
    }

    fn accepting(
        address: String,
        accept: impl Fn() -> std::io::Result<Peer> + Send + 'static,
    ) -> Self {
        let (give, accepted) = sync_channel(8);
        thread::spawn(move || {
            while let Ok(peer) = accept() {
                if give.send(peer).is_err() {
                    return;
                }
            }
        });
        Self { address, accepted }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Accepts the next connection.
    pub(crate) fn accept(&self) -> Peer {
        self.accepted.recv_timeout(DEADLINE).expect("the client connects")
    }

    /// Accepts the next connection and greets; the client has requested JSON and taken `name`.
    pub(crate) fn accept_named(&self, name: &str) -> Peer {
        let mut peer = self.accept();
        peer.greet();
        peer.expect(&format!("/name {name}"));
        peer.send(&format!(r#"{{"type":"ok","re":"name","name":"{name}"}}"#));
        peer
    }

    /// As [`Self::accept_named`], and the client has entered `channel`.
    pub(crate) fn accept_in(&self, name: &str, channel: &str) -> Peer {
        let mut peer = self.accept_named(name);
        peer.expect(&format!("/enter {channel}"));
        peer.enter_ok(channel);
        peer
    }

    /// As [`Self::accept_in`] for a client at a terminal, which looks up what Tab may need.
    pub(crate) fn accept_at_terminal(&self, name: &str, channel: &str) -> Peer {
        let mut peer = self.accept_in(name, channel);
        peer.users_ok(channel);
        peer.channels_ok();
        peer
    }
}

impl Peer {
    fn tcp(stream: &TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self::over(stream.try_clone().unwrap(), stream.try_clone().unwrap())
    }

    fn unix(stream: &UnixStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self::over(stream.try_clone().unwrap(), stream.try_clone().unwrap())
    }

    fn over(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        Self { reader: BufReader::new(Box::new(reader)), writer: Box::new(writer) }
    }

    /// Greets in text format, as servers do, and accepts JSON.
    pub(crate) fn greet(&mut self) {
        self.send_raw(
            "* Welcome to here.\r\n* Type your name to begin, or /help for the menu.\r\n",
        );
        self.expect("/format json");
        self.send(r#"{"type":"ok","re":"format","format":"json"}"#);
    }

    /// The next line of the client.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).expect("the client says something");
        (read > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.line().as_deref(), Some(line));
    }

    pub(crate) fn send_raw(&mut self, bytes: &str) {
        self.writer.write_all(bytes.as_bytes()).expect("the client reads");
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.send_raw(&format!("{line}\n"));
    }

    pub(crate) fn says(&mut self, from: &str, text: &str) {
        self.send(&message(from, text));
    }

    pub(crate) fn enter_ok(&mut self, channel: &str) {
        self.send(&format!(r#"{{"type":"ok","re":"enter","channel":"{channel}","members":2}}"#));
    }

    /// A client at a terminal requests the members of the channel, for completion.
    pub(crate) fn users_ok(&mut self, channel: &str) {
        self.expect(&format!("/users {channel}"));
        self.send(&format!(r#"{{"type":"user","name":"carol","channel":"{channel}"}}"#));
        self.send(r#"{"type":"ok","re":"users","count":1}"#);
    }

    /// A client at a terminal requests the list of channels, for completion.
    pub(crate) fn channels_ok(&mut self) {
        self.expect("/channels");
        self.send(r##"{"type":"channel","name":"#random","members":1,"topic":null}"##);
        self.send(r#"{"type":"ok","re":"channels","count":1}"#);
    }

    /// Expects the client to send `text` to `place` with `/once`; returns the key.
    #[track_caller]
    pub(crate) fn expect_once(&mut self, place: &str, text: &str) -> String {
        let line = self.line().expect("the client says something");
        let (key, rest) = line
            .strip_prefix("/once ")
            .and_then(|rest| rest.split_once(' '))
            .unwrap_or_else(|| panic!("not said once: {line}"));
        assert_eq!(rest, format!("{place} {text}"));
        assert!(key.len() <= 64, "{key}");
        key.to_owned()
    }

    /// Confirms a message in #general.
    pub(crate) fn said_ok(&mut self, id: u64) {
        self.send(&format!(
            r##"{{"type":"ok","re":"once","id":{id},"time":"2026-11-22T07:44:05.000Z","channel":"#general"}}"##
        ));
    }

    /// Refuses a line.
    pub(crate) fn refuses(&mut self, code: &str, text: &str) {
        self.send(&format!(r#"{{"type":"error","re":"x","code":"{code}","text":"{text}"}}"#));
    }

    /// A message of #general from history.
    pub(crate) fn sends_history(&mut self, id: u64, from: &str, text: &str) {
        self.send(&message_with(id, from, text).replace(r#""id""#, r#""past":true,"id""#));
    }

    /// A live message of #general.
    pub(crate) fn sends_live(&mut self, id: u64, from: &str, text: &str) {
        self.send(&message_with(id, from, text));
    }

    /// The client has entered a channel whose last line is `last`.
    pub(crate) fn entered(&mut self, channel: &str, last: u64) {
        self.send(&format!(
            r#"{{"type":"ok","re":"enter","channel":"{channel}","members":1,"last":{last}}}"#
        ));
    }

    /// The answer to `/history`.
    pub(crate) fn history_ok(&mut self, place: &str, count: u64) {
        self.send(&format!(r#"{{"type":"ok","re":"history",{place},"count":{count}}}"#));
    }

    /// The client leaves, and the server closes the connection.
    pub(crate) fn says_bye(mut self) {
        self.expect("/quit");
        self.send(r#"{"type":"ok","re":"quit"}"#);
        self.send(r#"{"type":"bye","reason":"you left"}"#);
    }
}

/// A message in #general.
pub(crate) fn message(from: &str, text: &str) -> String {
    message_with(1, from, text)
}

fn message_with(id: u64, from: &str, text: &str) -> String {
    format!(
        r##"{{"type":"message","id":{id},"time":"2026-11-22T07:44:05.000Z","channel":"#general","from":"{from}","text":"{text}"}}"##
    )
}
