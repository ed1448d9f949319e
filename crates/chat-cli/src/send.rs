//! `--send`: sends the lines of the input into one conversation, each exactly once, and exits.
//!
//! This is the loop over the socket, the input and the clock; [`SendJob`] decides what to do.

mod job;

use std::io::{self, Write as _};

use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::args::ClientArgs;
use crate::exit::{ClientExit, ExitCause};
use crate::identity::{Identity, SignInCredential};
use crate::input::{self, UserInput};
use crate::rng::{Rng, seed};
use crate::tokens::TokenStore;
use crate::transport::{Transport, finished_connect, receive};
use job::{SendAction, SendJob, SendOptions};

/// Sends the lines of the input and returns the result. It prints nothing but errors.
pub(crate) async fn run(
    args: ClientArgs,
    given: Vec<SignInCredential>,
    token_store: &TokenStore,
) -> io::Result<ClientExit> {
    let rng = Rng::from_os()?;
    let address = args.connect.clone();
    let mut job = SendJob::new(options(args, given, token_store, seed()?));
    let (sender, mut typed) = input::queue();
    input::read_stdin(sender)?;
    let mut transport: Option<Transport> = None;
    let mut connecting: Option<JoinHandle<Result<Transport, String>>> = None;
    loop {
        for step in job.steps() {
            match step {
                SendAction::Connect => {
                    transport = None;
                    connecting = Some(tokio::spawn(Transport::connect(address.clone())));
                }
                SendAction::Send(text) => {
                    let sent = transport.as_ref().map_or(Ok(()), |transport| transport.send(text));
                    if let Err(why) = sent {
                        transport = None;
                        job.lost(&why, rng.now());
                    }
                }
                SendAction::HangUp => {
                    transport = None;
                    connecting = None;
                }
                SendAction::Complain(text) => complain(&text),
                SendAction::Keep(name, token) => report_error(token_store.keep(&name, &token)),
                SendAction::Forget(name, token) => {
                    report_error(token_store.forget(&name, Some(&token)));
                }
                SendAction::Finish(exit) => {
                    return Ok(ClientExit { cause: ExitCause::Exit(exit), why: None });
                }
            }
        }
        let deadline = job.deadline();
        tokio::select! {
            biased;
            () = sleep_until(deadline.unwrap_or_else(|| rng.now().instant).into()), if deadline.is_some() => {
                job.on_time(rng.now());
            }
            heard = receive(transport.as_mut()), if transport.is_some() => match heard {
                Ok(text) => job.heard(&text, rng.now()),
                Err(why) => {
                    transport = None;
                    job.lost(&why, rng.now());
                }
            },
            connected = finished_connect(connecting.as_mut()), if connecting.is_some() => {
                connecting = None;
                match connected {
                    Ok(finished_connect) => {
                        transport = Some(finished_connect);
                        job.connected(rng.now());
                    }
                    Err(why) => job.lost(&why, rng.now()),
                }
            }
            given = typed.recv(), if job.wants_input() => {
                job.given(given.unwrap_or(UserInput::End), rng.now());
            }
        }
    }
}

fn options(
    args: ClientArgs,
    given: Vec<SignInCredential>,
    token_store: &TokenStore,
    seed: u128,
) -> SendOptions {
    let name = args.name.unwrap_or_default();
    // The token store is read unless a token was given.
    let kept = if given.iter().any(SignInCredential::is_token) {
        Ok(None)
    } else {
        token_store.load(&name)
    };
    let kept = kept.unwrap_or_else(|why| {
        complain(&why);
        None
    });
    let kept = kept.map(|secret| SignInCredential::Token { secret, kept: true });
    SendOptions {
        address: args.connect.to_string(),
        identity: Identity::new(&name, kept.into_iter().chain(given)),
        to: args.send.unwrap_or_default(),
        again: args.once,
        create: args.create,
        timeout: args.timeout,
        key: args.key.unwrap_or_else(|| format!("{seed:x}")),
    }
}

fn report_error(result: Result<(), String>) {
    if let Err(why) = result {
        complain(&why);
    }
}

fn complain(text: &str) {
    // Standard error may be closed; the exit code still reports the failure.
    let _ = writeln!(io::stderr(), "chat-cli: {text}");
}
