//! `--send`: the lines of the input are said into one conversation, each once, and that is all.
//!
//! The loop over the socket, the input and the clock; what is to be done [`Job`] knows.

mod job;

use std::io::{self, Write as _};

use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::args::Args;
use crate::identity::{Credential, Identity};
use crate::input::{self, Input};
use crate::link::{Link, hear, made};
use crate::luck::{Luck, seed};
use crate::run::{Ended, How};
use crate::tokens::Keeper;
use job::{Job, Order, Step};

/// Says what the input holds, and tells how that went. Nothing is printed but errors.
pub(crate) async fn run(args: Args, given: Vec<Credential>, keeper: &Keeper) -> io::Result<Ended> {
    let luck = Luck::default();
    let address = args.connect.clone();
    let mut job = Job::new(order(args, given, keeper));
    let (sender, mut typed) = input::queue();
    input::read_stdin(sender)?;
    let mut link: Option<Link> = None;
    let mut connecting: Option<JoinHandle<Result<Link, String>>> = None;
    loop {
        for step in job.steps() {
            match step {
                Step::Connect => {
                    link = None;
                    connecting = Some(tokio::spawn(Link::connect(address.clone())));
                }
                Step::Send(text) => {
                    let sent = link.as_ref().map_or(Ok(()), |link| link.send(text));
                    if let Err(why) = sent {
                        link = None;
                        job.lost(&why, luck.now());
                    }
                }
                Step::HangUp => {
                    link = None;
                    connecting = None;
                }
                Step::Complain(text) => complain(&text),
                Step::Keep(name, token) => tell(keeper.keep(&name, &token)),
                Step::Forget(name, token) => tell(keeper.forget(&name, Some(&token))),
                Step::Finish(exit) => return Ok(Ended { how: How::Exit(exit), why: None }),
            }
        }
        let deadline = job.deadline();
        tokio::select! {
            biased;
            () = sleep_until(deadline.unwrap_or_else(|| luck.now().instant).into()), if deadline.is_some() => {
                job.on_time(luck.now());
            }
            heard = hear(link.as_mut()), if link.is_some() => match heard {
                Ok(text) => job.heard(&text, luck.now()),
                Err(why) => {
                    link = None;
                    job.lost(&why, luck.now());
                }
            },
            connected = made(connecting.as_mut()), if connecting.is_some() => {
                connecting = None;
                match connected {
                    Ok(made) => {
                        link = Some(made);
                        job.connected(luck.now());
                    }
                    Err(why) => job.lost(&why, luck.now()),
                }
            }
            given = typed.recv(), if job.wants_input() => {
                job.given(given.unwrap_or(Input::End), luck.now());
            }
        }
    }
}

fn order(args: Args, given: Vec<Credential>, keeper: &Keeper) -> Order {
    let name = args.name.unwrap_or_default();
    // A kept token is looked for unless another was given.
    let kept = if given.iter().any(Credential::is_token) { Ok(None) } else { keeper.load(&name) };
    let kept = kept.unwrap_or_else(|why| {
        complain(&why);
        None
    });
    let kept = kept.map(|secret| Credential::Token { secret, kept: true });
    Order {
        address: args.connect.to_string(),
        identity: Identity::new(&name, kept.into_iter().chain(given)),
        to: args.send.unwrap_or_default(),
        again: args.once,
        create: args.create,
        timeout: args.timeout,
        key: args.key.unwrap_or_else(|| format!("{:x}", seed())),
    }
}

fn tell(result: Result<(), String>) {
    if let Err(why) = result {
        complain(&why);
    }
}

fn complain(text: &str) {
    // Without an error output the exit code has to do.
    let _ = writeln!(io::stderr(), "chat-cli: {text}");
}
