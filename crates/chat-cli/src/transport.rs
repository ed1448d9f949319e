//! The connection as two queues of lines, for any kind of socket.
//!
//! Reading and writing are separate tasks, so a server that is slow to read doesn't stop the client
//! from receiving.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::address::Address;

/// Lines of the server that wait to be handled; when the queue is full the socket isn't read.
const MAX_HEARD: usize = 1_024;
/// Lines that wait to be sent; more than can be unanswered at a time.
const MAX_UNSENT: usize = 1_024;
/// The longest line accepted from the server. A message has at most 4 KiB, and six times that when
/// every byte is escaped; the lists of `/info` may be longer.
const MAX_LINE_BYTES: usize = 1 << 20;
/// Bytes read from the socket at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// The timeout of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A line of the server, or why there are no more.
pub(crate) type ReceivedLine = Result<String, String>;

/// A connection. Dropping it closes the socket.
pub(crate) struct Transport {
    heard: mpsc::Receiver<ReceivedLine>,
    unsent: mpsc::Sender<String>,
    _tasks: JoinSet<()>,
}

impl Transport {
    /// Connects; the error is for the user to read.
    pub(crate) async fn connect(address: Address) -> Result<Self, String> {
        let connecting = async {
            match &address {
                Address::Tcp { host, port } => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    let (reader, writer) = stream.into_split();
                    Ok(Self::over(reader, writer))
                }
                Address::Unix(path) => {
                    let (reader, writer) = UnixStream::connect(path).await?.into_split();
                    Ok(Self::over(reader, writer))
                }
            }
        };
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(result) => result.map_err(|error| cause(&error)),
            Err(_) => Err(format!("no answer for {} s", CONNECT_TIMEOUT.as_secs())),
        }
    }

    fn over(
        reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (to_client, heard) = mpsc::channel(MAX_HEARD);
        let (unsent, from_client) = mpsc::channel(MAX_UNSENT);
        let mut tasks = JoinSet::new();
        tasks.spawn(read(reader, to_client));
        tasks.spawn(write(writer, from_client));
        Self { heard, unsent, _tasks: tasks }
    }

    /// Receives the next line.
    pub(crate) async fn receive(&mut self) -> ReceivedLine {
        self.heard.recv().await.unwrap_or_else(|| Err("the connection ended".into()))
    }

    /// The next line, if it was already received.
    pub(crate) fn heard_already(&mut self) -> Option<ReceivedLine> {
        self.heard.try_recv().ok()
    }

    /// Sends a line, given without its ending. It never waits; the error is for the user to read.
    pub(crate) fn send(&self, line: String) -> Result<(), String> {
        self.unsent.try_send(line).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "the server takes no more lines".into(),
            mpsc::error::TrySendError::Closed(_) => "the connection ended".into(),
        })
    }
}

/// The next line of a connection that may not exist yet.
pub(crate) async fn receive(transport: Option<&mut Transport>) -> ReceivedLine {
    match transport {
        Some(transport) => transport.receive().await,
        None => pending().await,
    }
}

/// The result of connecting, if an attempt is under way.
pub(crate) async fn finished_connect(
    connecting: Option<&mut JoinHandle<Result<Transport, String>>>,
) -> Result<Transport, String> {
    match connecting {
        Some(connecting) => match connecting.await {
            Ok(result) => result,
            Err(error) => Err(error.to_string()),
        },
        None => pending().await,
    }
}

/// The text of an error, without the error number.
fn cause(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

async fn read(mut reader: impl AsyncRead + Unpin, lines: mpsc::Sender<ReceivedLine>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut partial = Vec::new();
    let why = loop {
        let read = match reader.read(&mut chunk).await {
            Ok(0) => break "the server closed it".to_owned(),
            Ok(read) => read,
            Err(error) => break cause(&error),
        };
        let mut rest = &chunk[..read];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            partial.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = String::from_utf8_lossy(&partial).into_owned();
            partial.clear();
            if lines.send(Ok(line)).await.is_err() {
                return;
            }
        }
        partial.extend_from_slice(rest);
        if partial.len() > MAX_LINE_BYTES {
            break "it sent a line without an end".to_owned();
        }
    };
    // If this fails, the receiver is gone.
    let _ = lines.send(Err(why)).await;
}

/// Ends with the queue or the socket; the reader reports that the socket is closed.
async fn write(mut writer: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<String>) {
    let mut batch = Vec::new();
    while let Some(line) = lines.recv().await {
        batch.clear();
        let mut next = Some(line);
        while let Some(line) = next {
            batch.extend_from_slice(line.as_bytes());
            batch.push(b'\n');
            next = if batch.len() < CHUNK_BYTES { lines.try_recv().ok() } else { None };
        }
        if writer.write_all(&batch).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn lines_are_independent_of_chunks() {
        let (ours, theirs) = tokio::io::duplex(3);
        let (reader, writer) = tokio::io::split(ours);
        let mut transport = Transport::over(reader, writer);
        let (mut from_client, mut to_client) = tokio::io::split(theirs);
        let serve = async {
            to_client.write_all("first\r\nzwölf 漢字\n\nlast".as_bytes()).await.unwrap();
            to_client.shutdown().await.unwrap();
        };
        let receive = async {
            let mut heard = Vec::new();
            loop {
                match transport.receive().await {
                    Ok(text) => heard.push(text),
                    Err(why) => return (heard, why),
                }
            }
        };
        let ((), (heard, why)) = tokio::join!(serve, receive);
        assert_eq!(heard, ["first\r", "zwölf 漢字", ""], "a last line without an end is none");
        assert_eq!(why, "the server closed it");
        transport.send("one".into()).unwrap();
        transport.send("two".into()).unwrap();
        let mut sent = [0; 8];
        from_client.read_exact(&mut sent).await.unwrap();
        assert_eq!(&sent, b"one\ntwo\n");
    }

    #[tokio::test]
    async fn a_server_that_does_not_read_can_be_received_from() {
        let (ours, theirs) = tokio::io::duplex(16);
        let (reader, writer) = tokio::io::split(ours);
        let mut transport = Transport::over(reader, writer);
        let (_never_read, mut to_client) = tokio::io::split(theirs);
        for _ in 0..100 {
            transport.send("a line that nobody reads".into()).unwrap();
        }
        to_client.write_all(b"hello\n").await.unwrap();
        assert_eq!(transport.receive().await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn an_endless_line_ends_the_connection_in_bounded_memory() {
        let (ours, mut theirs) = tokio::io::duplex(CHUNK_BYTES);
        let (reader, writer) = tokio::io::split(ours);
        let mut transport = Transport::over(reader, writer);
        let flood =
            tokio::spawn(async move { while theirs.write_all(&[b'x'; 4096]).await.is_ok() {} });
        assert_eq!(transport.receive().await.unwrap_err(), "it sent a line without an end");
        drop(transport);
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn a_failed_connection_has_a_readable_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let closed = Address::Tcp { host: "127.0.0.1".into(), port };
        assert_eq!(Transport::connect(closed).await.err().unwrap(), "Connection refused");
        let absent = Address::Unix("/nonexistent/chat.sock".into());
        assert_eq!(Transport::connect(absent).await.err().unwrap(), "No such file or directory");
    }
}
