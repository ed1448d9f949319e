//! The client as a child with pipes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::server::DEADLINE;

/// A client whose standard streams are pipes.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

/// The result of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    /// The output that was not read before.
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Client {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_into(Stdio::piped(), arguments)
    }

    /// The same with another output.
    pub(crate) fn start_into(output: Stdio, arguments: &[&str]) -> Self {
        Self::spawn(output, &[], arguments)
    }

    /// The same with these environment variables.
    pub(crate) fn start_with(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::spawn(Stdio::piped(), environment, arguments)
    }

    fn spawn(output: Stdio, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-cli"))
            .args(arguments)
            .env_remove("CHAT_TOKEN")
            // The store is off, so tests share no tokens, nor those of the user who runs them.
            .env("XDG_STATE_HOME", "/dev/null")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdin, stdout }
    }

    pub(crate) fn types(&mut self, lines: &str) {
        self.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    }

    /// The next line of the output. The deadline is the scripted server's: a client that waits
    /// forever is ended when that server closes the connection.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn stop_listening(&mut self) {
        self.stdout = None;
    }

    /// Waits until the client exits.
    pub(crate) fn left(mut self) -> Left {
        let mut stderr = self.child.stderr.take().unwrap();
        let stdout = self.stdout.take();
        let out = thread::spawn(move || {
            let mut out = String::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_string(&mut out).unwrap();
            }
            out
        });
        let (done, ended) = sync_channel(1);
        let watch = thread::spawn(move || {
            let mut err = String::new();
            stderr.read_to_string(&mut err).unwrap();
            done.send(err).unwrap();
        });
        let Ok(err) = ended.recv_timeout(DEADLINE) else {
            self.child.kill().unwrap();
            panic!("the client doesn't end");
        };
        watch.join().unwrap();
        let code = self.child.wait().unwrap().code();
        Left { code, out: out.join().unwrap(), err }
    }
}

/// Runs a client to its exit, with an empty input.
pub(crate) fn run(arguments: &[&str]) -> Left {
    let mut client = Client::start(arguments);
    client.end_input();
    client.left()
}
