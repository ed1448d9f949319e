//! A client connection, in either format.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// The deadline of every wait. Only a failing test reaches it.
const DEADLINE: Duration = Duration::from_mins(1);

/// Lines of the log that a failure shows.
const SHOWN: usize = 60;

/// The format of a connection's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl ClientFormat {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Text, Self::Json];
}

trait TestStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> TestStream for S {}

/// A client connection. Every wait has a deadline; when it expires the test fails with everything
/// seen so far.
pub struct TestClient {
    who: String,
    format: ClientFormat,
    stream: Box<dyn TestStream>,
    /// Received bytes that are not parsed into lines yet.
    read: Vec<u8>,
    ended: bool,
    seen: Vec<String>,
    deadline: Duration,
    pings: u64,
}

impl TestClient {
    /// Over any stream; `who` is for failure messages.
    pub fn over(who: &str, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self {
            who: who.to_owned(),
            format: ClientFormat::Text,
            stream: Box::new(stream),
            read: Vec::new(),
            ended: false,
            seen: Vec::new(),
            deadline: DEADLINE,
            pings: 0,
        }
    }

    /// Over TCP.
    pub async fn connect(who: &str, address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes the option");
        Self::over(who, stream)
    }

    /// Over a Unix socket.
    pub async fn connect_unix(who: &str, path: &Path) -> Self {
        Self::over(who, UnixStream::connect(path).await.expect("the server listens"))
    }

    /// Sets the deadline of later waits.
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// The name in failure messages.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Takes the format and the name, and reads the whole greeting.
    pub async fn settle_in(&mut self, format: ClientFormat) {
        self.expect_line("* Type your name to begin, or /help for the menu.", Skip::Others).await;
        self.take_format(format).await;
        self.send(&self.who.clone()).await;
        self.answer().await;
        self.settle().await;
    }

    /// Changes the format of the output.
    pub async fn take_format(&mut self, format: ClientFormat) {
        if self.format == format {
            return;
        }
        match format {
            ClientFormat::Text => self.send("/format text").await,
            ClientFormat::Json => self.send("/format json").await,
        }
        self.format = format;
        let answered = match format {
            ClientFormat::Text => "* Output is in the text form now.",
            ClientFormat::Json => r#"{"type":"ok","re":"format","format":"json"}"#,
        };
        self.expect_line(answered, Skip::Nothing).await;
    }

    /// Takes the format without a name. The lines received meanwhile remain to be read.
    pub async fn take_format_quietly(&mut self, format: ClientFormat) {
        let greeting = self.settle().await;
        self.take_format(format).await;
        let before = greeting.iter().flat_map(|line| format!("{line}\r\n").into_bytes());
        self.read.splice(0..0, before);
    }

    /// Sends one line.
    pub async fn send(&mut self, line: &str) {
        let ending = if self.format == ClientFormat::Text { "\r\n" } else { "\n" };
        self.send_raw(format!("{line}{ending}").as_bytes()).await;
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_send_raw(bytes).await {
            self.fail(&format!("can't send: {error}"));
        }
    }

    /// Sends bytes as they are; returns an error if the connection is closed.
    pub async fn try_send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let shown: String = bytes.escape_ascii().take(200).map(char::from).collect();
        self.seen.push(format!("> {shown}"));
        let sent = timeout(self.deadline, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await;
        match sent {
            Ok(sent) => sent,
            Err(_) => self.fail("the server doesn't read"),
        }
    }

    /// Closes the write side; reading goes on.
    pub async fn half_close(&mut self) {
        self.seen.push("> (end of input)".to_owned());
        let _ = self.stream.shutdown().await;
    }

    /// The next line without its ending, or `None` at the end.
    ///
    /// A reset connection counts as an end too; an incomplete line is a failure.
    pub async fn next_line(&mut self) -> Option<String> {
        self.next_line_before("a line").await
    }

    async fn next_line_before(&mut self, awaited: &str) -> Option<String> {
        let mut searched = 0;
        let end = loop {
            if let Some(at) = self.read[searched..].iter().position(|byte| *byte == b'\n') {
                break searched + at + 1;
            }
            searched = self.read.len();
            if self.ended {
                if !self.read.is_empty() {
                    self.fail(&format!("a line breaks off: {}", self.read.escape_ascii()));
                }
                return None;
            }
            match timeout(self.deadline, self.stream.read_buf(&mut self.read)).await {
                Ok(Ok(0) | Err(_)) => {
                    self.ended = true;
                    self.seen.push("< (end)".to_owned());
                }
                Ok(Ok(_)) => {}
                Err(_) => self.fail(&format!("waited in vain for {awaited}")),
            }
        };
        let line: Vec<u8> = self.read.drain(..end).collect();
        let line = String::from_utf8(line).unwrap_or_else(|line| {
            self.fail(&format!("no UTF-8: {}", line.as_bytes().escape_ascii()))
        });
        // No line of the text format begins with a brace.
        let ending = if line.starts_with('{') { "\n" } else { "\r\n" };
        let Some(line) = line.strip_suffix(ending) else {
            self.fail(&format!("a line doesn't end with {}: {line:?}", ending.escape_debug()))
        };
        if line.contains(|c: char| c.is_control() || moves_or_turns(c)) {
            self.fail(&format!("a control character came: {line:?}"));
        }
        self.seen.push(format!("< {line}"));
        Some(line.to_owned())
    }

    /// The next line. The end is a failure.
    pub async fn line(&mut self) -> String {
        match self.next_line().await {
            Some(line) => line,
            None => self.fail("a line was to come, not the end"),
        }
    }

    /// The next line, as JSON.
    pub async fn json(&mut self) -> Value {
        let line = self.line().await;
        match serde_json::from_str(&line) {
            Ok(value) => value,
            Err(error) => self.fail(&format!("no JSON ({error}): {line}")),
        }
    }

    /// Expects this line, next or after others.
    pub async fn expect_line(&mut self, expected: &str, skip: Skip) {
        loop {
            let awaited = format!("this line: {expected}");
            match self.next_line_before(&awaited).await {
                Some(line) if line == expected => return,
                Some(_) if skip == Skip::Others => {}
                Some(line) => self.fail(&format!("expected: {expected}\n    came: {line}")),
                None => self.fail(&format!("the end came before {awaited}")),
            }
        }
    }

    /// Expects these lines next.
    pub async fn expect(&mut self, expected: &[&str]) {
        for line in expected {
            self.expect_line(line, Skip::Nothing).await;
        }
    }

    /// All lines until one for which this holds, inclusive.
    pub async fn read_until(&mut self, mut is_last: impl FnMut(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let last = is_last(&line);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// All lines until the end.
    pub async fn read_to_end(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line().await {
            lines.push(line);
        }
        lines
    }

    /// Expects the end, and nothing before it.
    pub async fn expect_end(&mut self) {
        if let Some(line) = self.next_line_before("the end").await {
            self.fail(&format!("the end was to come, not: {line}"));
        }
    }

    /// The next bytes, at least one unless at the end. For output without lines.
    pub async fn bytes(&mut self) -> Vec<u8> {
        if self.read.is_empty() && !self.ended {
            match timeout(self.deadline, self.stream.read_buf(&mut self.read)).await {
                Ok(Ok(0) | Err(_)) => self.ended = true,
                Ok(Ok(_)) => {}
                Err(_) => self.fail("waited in vain for bytes"),
            }
        }
        std::mem::take(&mut self.read)
    }

    /// Everything that the server has sent by now, and whether the connection has ended.
    ///
    /// Two pings are sent: everything that was queued at the first answer comes before the second
    /// answer.
    pub async fn received_by_now(&mut self) -> (Vec<String>, bool) {
        let mut received = Vec::new();
        for _ in 0..2 {
            self.pings += 1;
            let token = format!("by-now-{}", self.pings);
            let pongs = [
                format!("* pong {token}"),
                format!(r#"{{"type":"ok","re":"ping","token":"{token}"}}"#),
            ];
            let question = format!("/ping {token}\r\n");
            // The server doesn't read from a connection that it is closing; the end follows.
            let _ = self.try_send_raw(question.as_bytes()).await;
            loop {
                match self.next_line_before("the answer to /ping").await {
                    Some(line) if pongs.contains(&line) => break,
                    Some(line) => received.push(line),
                    None => return (received, true),
                }
            }
        }
        (received, false)
    }

    /// Reads everything that the server has sent by now.
    pub async fn settle(&mut self) -> Vec<String> {
        match self.received_by_now().await {
            (received, false) => received,
            (_, true) => self.fail("the connection ended"),
        }
    }

    /// Fails if the server has sent anything more by now.
    pub async fn expect_nothing(&mut self) {
        let received = self.settle().await;
        if !received.is_empty() {
            self.fail(&format!("nothing was to come, not: {received:#?}"));
        }
    }

    /// Sends one line; returns what was received on this connection after it.
    pub async fn ask(&mut self, line: &str) -> Vec<String> {
        self.send(line).await;
        self.settle().await
    }

    /// Sends one line in the JSON format; returns the lines before its answer, and the answer.
    pub async fn ask_json(&mut self, line: &str) -> (Vec<Value>, Value) {
        self.send(line).await;
        self.answer_json().await
    }

    /// In the JSON format the next answer, and the lines before it.
    pub async fn answer_json(&mut self) -> (Vec<Value>, Value) {
        let mut rows = Vec::new();
        loop {
            let value = self.json().await;
            if value["type"] == "ok" || value["type"] == "error" {
                return (rows, value);
            }
            rows.push(value);
        }
    }

    /// In the JSON format the rows up to the answer, and the answer; empty in the text format,
    /// where not every line has an answer.
    pub async fn answer(&mut self) -> Vec<String> {
        if self.format == ClientFormat::Text {
            return Vec::new();
        }
        self.read_until(|line| {
            line.starts_with(r#"{"type":"ok""#) || line.starts_with(r#"{"type":"error""#)
        })
        .await
    }

    /// Fails the test with everything seen so far.
    pub fn fail(&self, why: &str) -> ! {
        let skipped = self.seen.len().saturating_sub(SHOWN);
        let mut seen = self.seen[skipped..].join("\n  ");
        if skipped > 0 {
            seen.insert_str(0, &format!("({skipped} before)\n  "));
        }
        panic!("{}: {why}\nseen so far:\n  {seen}\nunread: {}", self.who, self.read.escape_ascii());
    }
}

/// Bidirectional embeddings, overrides and isolates; line and paragraph separators.
fn moves_or_turns(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Lines accepted before an expected line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Nothing.
    Nothing,
    /// Any other lines.
    Others,
}
