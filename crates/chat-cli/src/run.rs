//! The loop: whatever comes first — a line from the server, a line of input, a deadline, a signal —
//! goes into the session, and what the session says is done.

mod signals;

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::address::Address;
use crate::args::Args;
use crate::credentials;
use crate::exit::Exit;
use crate::identity::Credential;
use crate::input::{self, Input};
use crate::known::Known;
use crate::link::{Heard, Link, hear, made};
use crate::luck::{Luck, seed};
use crate::outbox::{Outbox, Prompt, Stream, WhenFull};
use crate::plain;
use crate::room::Room;
use crate::send;
use crate::session::{Action, Mode, Now, Session, Wish};
use crate::show::{self, Look, Shown};
use crate::terminal::{Terminal, Wiring};
use crate::tokens::{self, Keeper, Server};
use signals::Signals;

/// Lines of the server that are handled before anything else is looked at.
const MAX_LINES_AT_ONCE: usize = 256;

/// How the client ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: How,
    /// A line that tells why, if it wasn't told yet.
    pub(crate) why: Option<String>,
}

/// By itself, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exit(Exit),
    Signal(u8),
}

/// Runs the client until it is done.
pub(crate) async fn run(args: Args) -> io::Result<Ended> {
    let folder = if args.no_keep { None } else { tokens::folder() };
    let keeper = Keeper::new(folder, Server { address: args.connect.to_string(), tls_name: None });
    let credentials = match credentials::given(&args) {
        Ok(credentials) => credentials,
        Err(why) => return Ok(Ended { how: How::Exit(Exit::NotSignedIn), why: Some(why) }),
    };
    if args.send.is_some() {
        return send::run(args, credentials, &keeper).await;
    }
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mode = if at_terminal && !args.plain { Mode::Terminal } else { Mode::Pipe };
    let when_full = if mode == Mode::Terminal || io::stdout().is_terminal() {
        WhenFull::DropOldest
    } else {
        WhenFull::Wait
    };
    let outbox = Arc::new(Outbox::new(when_full));
    let mut client = Client::new(args, mode, Arc::clone(&outbox), keeper, credentials);
    match mode {
        Mode::Terminal => client.run(Signals::listen()?).await,
        Mode::Pipe => {
            let writer = plain::start(Arc::clone(&outbox))?;
            input::read_stdin(client.input_sender.clone())?;
            let mut ended = client.run(Signals::none()).await?;
            outbox.close();
            joined(writer);
            if outbox.has_lost_output() && ended.how == How::Exit(Exit::Done) {
                ended.how = How::Exit(Exit::Refused);
            }
            Ok(ended)
        }
    }
}

fn joined(writer: thread::JoinHandle<()>) {
    // It fails only if that thread panicked, which has told so itself.
    let _ = writer.join();
}

struct Client {
    address: Address,
    mode: Mode,
    colours: bool,
    bell: bool,
    look: Look,
    keeper: Keeper,
    session: Session,
    known: Arc<Mutex<Known>>,
    room: Arc<Room>,
    /// Places in `room` that the session's lines have.
    roomed: usize,
    outbox: Arc<Outbox>,
    input: mpsc::Receiver<Input>,
    input_sender: mpsc::Sender<Input>,
    link: Option<Link>,
    connecting: Option<JoinHandle<Result<Link, String>>>,
    terminal: Option<Terminal>,
    prompt: Prompt,
    /// No input is wanted any more.
    deaf: bool,
    exit: Option<Exit>,
    why: Option<String>,
    luck: Luck,
}

/// What can happen.
enum Happening {
    Heard(Heard),
    Connected(Result<Link, String>),
    Input(Input),
    Time,
    Output,
    Signal(u8),
}

impl Client {
    fn new(
        args: Args,
        mode: Mode,
        outbox: Arc<Outbox>,
        keeper: Keeper,
        credentials: Vec<Credential>,
    ) -> Self {
        let colours = args.colours();
        let known = Arc::new(Mutex::new(Known::default()));
        let luck = Luck::default();
        let wish = Wish {
            mode,
            address: args.connect.to_string(),
            name: args.name,
            credentials,
            kept: keeper.all(),
            enter: args.enter,
            seed: seed(),
        };
        let session = Session::new(wish, Arc::clone(&known), luck.now());
        let look = match mode {
            Mode::Pipe => Look::Plain,
            Mode::Terminal => Look::Terminal { colours, zone: TimeZone::system() },
        };
        let (input_sender, input) = input::queue();
        Self {
            address: args.connect,
            mode,
            colours,
            bell: args.bell,
            look,
            keeper,
            session,
            known,
            room: Arc::default(),
            roomed: 0,
            outbox,
            input,
            input_sender,
            link: None,
            connecting: None,
            terminal: None,
            prompt: Prompt::default(),
            deaf: false,
            exit: None,
            why: None,
            luck,
        }
    }

    async fn run(&mut self, mut signals: Signals) -> io::Result<Ended> {
        self.connect();
        let how = loop {
            let happening = self.next(&mut signals).await;
            if let Happening::Signal(number) = happening {
                break How::Signal(number);
            }
            self.handle(happening)?;
            self.act();
            if let Some(exit) = self.exit {
                break How::Exit(exit);
            }
        };
        if let Some(terminal) = self.terminal.take() {
            terminal.give_back()?;
        }
        Ok(Ended { how, why: self.why.take() })
    }

    fn connect(&mut self) {
        self.link = None;
        self.connecting = Some(tokio::spawn(Link::connect(self.address.clone())));
    }

    async fn next(&mut self, signals: &mut Signals) -> Happening {
        let room = self.outbox.has_room();
        if !room {
            self.session.wait_for_output(self.luck.now());
        }
        let deadline = self.session.deadline().filter(|_| room);
        let wants_input = self.session.wants_input() && !self.deaf && room;
        tokio::select! {
            heard = hear(self.link.as_mut()), if self.link.is_some() && room => {
                Happening::Heard(heard)
            }
            connected = made(self.connecting.as_mut()), if self.connecting.is_some() => {
                self.connecting = None;
                Happening::Connected(connected)
            }
            input = self.input.recv(), if wants_input => {
                Happening::Input(input.unwrap_or(Input::End))
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                Happening::Time
            }
            () = self.outbox.changed() => Happening::Output,
            number = signals.next() => Happening::Signal(number),
        }
    }

    fn handle(&mut self, happening: Happening) -> io::Result<()> {
        let now = self.luck.now();
        match happening {
            Happening::Heard(heard) => self.heard(heard, now),
            Happening::Connected(Ok(link)) => {
                self.link = Some(link);
                self.session.connected(now);
                if self.mode == Mode::Terminal && self.terminal.is_none() {
                    self.terminal = Some(Terminal::take(Wiring {
                        outbox: Arc::clone(&self.outbox),
                        input: self.input_sender.clone(),
                        known: Arc::clone(&self.known),
                        room: Arc::clone(&self.room),
                        colours: self.colours,
                    })?);
                }
            }
            Happening::Connected(Err(why)) => self.session.lost(&why, now),
            Happening::Input(Input::Line(line)) => {
                // The editor has taken a place for it.
                self.roomed += 1;
                self.session.typed(&line, now);
            }
            Happening::Input(Input::Asked(line, passwords)) => {
                self.roomed += 1;
                self.session.passwords_typed(passwords);
                self.session.typed(&line, now);
            }
            Happening::Input(Input::Begun) => self.session.begun(now),
            Happening::Input(Input::Unfit(unfit)) => self.session.typed_unfit(unfit),
            Happening::Input(Input::Interrupt) => self.session.interrupted(),
            Happening::Input(Input::End) => self.end_input(now),
            Happening::Time => self.session.on_time(now),
            // Who writes to nobody is not asked for more: what was sent is still waited for.
            Happening::Output if self.outbox.is_broken() && !self.deaf => {
                self.session.input_cut_off();
                self.end_input(now);
            }
            Happening::Output | Happening::Signal(_) => {}
        }
        Ok(())
    }

    fn end_input(&mut self, now: Now) {
        // A terminal's editor goes on: the farewell may not come, and another Ctrl-D may.
        self.deaf = self.mode == Mode::Pipe || self.outbox.is_broken();
        self.session.input_ended(now);
    }

    fn heard(&mut self, heard: Heard, now: Now) {
        let mut next = Some(heard);
        let mut count = 0;
        while let Some(heard) = next {
            match heard {
                Ok(line) => self.session.line(&line, now),
                Err(why) => {
                    self.link = None;
                    self.session.lost(&why, now);
                }
            }
            // What is said has to be done before the next line: names and colours depend on it.
            self.act();
            count += 1;
            let more = count < MAX_LINES_AT_ONCE && self.exit.is_none();
            next = self.link.as_mut().filter(|_| more).and_then(Link::heard_already);
        }
    }

    fn act(&mut self) {
        loop {
            let actions = self.session.actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.perform(action);
            }
        }
        let unanswered = self.session.unanswered();
        if self.mode == Mode::Terminal {
            self.room.settle(self.roomed, unanswered);
        }
        self.roomed = unanswered;
        let ready = self.session.is_ready();
        let prompt = Prompt {
            text: self.session.prompt(),
            ready,
            wants_beginning: self.session.wants_beginning(),
            // What it says of the connection is more important.
            unread: if ready { self.session.unread().to_vec() } else { Vec::new() },
        };
        if self.mode == Mode::Terminal && prompt != self.prompt {
            self.prompt = prompt.clone();
            self.outbox.set_prompt(prompt);
        }
    }

    fn perform(&mut self, action: Action) {
        let now = self.luck.now();
        match action {
            Action::Send(line) => {
                let sent = self.link.as_ref().map_or(Ok(()), |link| link.send(line));
                if let Err(why) = sent {
                    self.link = None;
                    self.session.lost(&why, now);
                }
            }
            Action::Show(shown) => {
                let line = show::line(&shown, &self.look, self.session.me(), now.time);
                self.outbox.put(Stream::Out, line.text, line.bell && self.bell);
            }
            Action::Complain(text) if self.mode == Mode::Terminal => self.why = Some(text),
            Action::Complain(text) => {
                self.outbox.put(Stream::Err, format!("chat-cli: {text}"), false);
            }
            Action::Keep(account, token) => {
                let kept = self.keeper.keep(&account, &token);
                self.tell_trouble(kept, now);
            }
            Action::Forget(account, token) => {
                let forgotten = self.keeper.forget(&account, token.as_ref());
                self.tell_trouble(forgotten, now);
            }
            Action::Connect => self.connect(),
            Action::HangUp => self.link = None,
            Action::Finish(exit) => self.exit = Some(exit),
        }
    }

    /// A sign-in that can't be kept is no reason to stop.
    fn tell_trouble(&mut self, result: Result<(), String>, now: Now) {
        let Err(why) = result else { return };
        match self.mode {
            Mode::Terminal => {
                let line = show::line(&Shown::warning(why), &self.look, None, now.time);
                self.outbox.put(Stream::Out, line.text, false);
            }
            Mode::Pipe => self.outbox.put(Stream::Err, format!("chat-cli: {why}"), false),
        }
    }
}
