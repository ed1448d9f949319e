//! The client of chat-server, for terminals and for pipes.
//!
//! In reading order:
//!
//! - `args`, `address`: the command line; `exit`: the exit code;
//! - `identity`, `credentials`: the name and its credentials; `tokens`: the tokens on disk;
//! - `run`: the loop over the socket, the input, deadlines and signals;
//! - `transport`: the connection, as two queues of lines;
//! - `session`: the state machine, which does no IO and reads no clock;
//! - `server_event`, `input_line`: lines of the server and of the user, parsed;
//! - `send`: a loop and a state machine of their own, for `--send`;
//! - `render`, `show`, `highlight`: events as sentences, and sentences as lines of text;
//! - `output_queue`: lines that wait to be written, and what happens when they can't be;
//! - `plain`, `input`: output and input of pipes;
//! - `terminal`: the line editor; `line_permits`: its backpressure; `complete`, `completions`: Tab
//!   completion.
//!
//! The client never waits for a terminal while the server sends, and nothing that the server sends
//! can move a terminal's cursor.

mod address;
mod args;
mod backoff;
mod complete;
mod completions;
mod credentials;
mod exit;
mod highlight;
mod identity;
mod input;
mod input_line;
mod line_permits;
mod mention;
mod output_queue;
mod plain;
mod proto;
mod render;
mod rng;
mod run;
mod send;
mod server_event;
mod session;
mod show;
mod terminal;
mod tokens;
mod transport;

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::runtime::Builder;

use args::ClientArgs;
use exit::{ClientExit, ExitCause};

/// Added to a signal's number, as shells do.
const BY_SIGNAL: u8 = 128;

fn main() -> anyhow::Result<ExitCode> {
    let args = match ClientArgs::try_parse() {
        Ok(args) => args,
        Err(error) => return Ok(show(&error)),
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the client could not be started")?;
    let ended = runtime.block_on(run::run(args)).context("the terminal could not be used")?;
    // A name lookup may still be running; the exit doesn't wait for it.
    runtime.shutdown_background();
    Ok(leave(ended))
}

/// Prints the help, the version, or the error of the command line.
fn show(what: &clap::Error) -> ExitCode {
    let printed = what.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !what.use_stderr() => {
            // Standard error may be closed; the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "chat-cli: the output can't be written: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::try_from(what.exit_code()).unwrap_or(u8::MAX)),
    }
}

fn leave(ended: ClientExit) -> ExitCode {
    if let Some(why) = ended.why {
        // Standard error may be closed; the exit code still reports the failure.
        let _ = writeln!(io::stderr(), "chat-cli: {why}");
    }
    match ended.cause {
        ExitCause::Exit(exit) => ExitCode::from(exit.code()),
        ExitCause::Signal(number) => ExitCode::from(BY_SIGNAL + number),
    }
}
