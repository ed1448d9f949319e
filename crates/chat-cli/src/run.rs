//! The main loop: passes lines of the server, lines of input, deadlines and signals to the session,
//! and performs the actions that the session returns.

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
use crate::args::ClientArgs;
use crate::completions::KnownNames;
use crate::credentials;
use crate::exit::{ClientExit, Exit, ExitCause};
use crate::identity::SignInCredential;
use crate::input::{self, UserInput};
use crate::line_permits::LinePermits;
use crate::output_queue::{OutputQueue, OutputStream, Prompt, WhenFull};
use crate::plain;
use crate::rng::{Rng, seed};
use crate::send;
use crate::session::{ClientSession, Mode, Now, SessionAction, SessionOptions};
use crate::show::{self, DisplayItem, DisplayStyle};
use crate::terminal::{Terminal, Wiring};
use crate::tokens::{self, ServerIdentity, TokenStore};
use crate::transport::{ReceivedLine, Transport, finished_connect, receive};
use signals::Signals;

/// Lines of the server that are handled before other events.
const MAX_LINES_AT_ONCE: usize = 256;

/// Runs the client until it exits.
pub(crate) async fn run(args: ClientArgs) -> io::Result<ClientExit> {
    let folder = if args.no_keep { None } else { tokens::folder() };
    let token_store = TokenStore::new(
        folder,
        ServerIdentity { address: args.connect.to_string(), tls_name: None },
    );
    let credentials = match credentials::given(&args) {
        Ok(credentials) => credentials,
        Err(why) => {
            return Ok(ClientExit { cause: ExitCause::Exit(Exit::NotSignedIn), why: Some(why) });
        }
    };
    if args.send.is_some() {
        return send::run(args, credentials, &token_store).await;
    }
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mode = if at_terminal && !args.plain { Mode::Terminal } else { Mode::Pipe };
    let when_full = if mode == Mode::Terminal || io::stdout().is_terminal() {
        WhenFull::DropOldest
    } else {
        WhenFull::Wait
    };
    let output = Arc::new(OutputQueue::new(when_full));
    let mut client = ClientLoop::new(args, mode, Arc::clone(&output), token_store, credentials)?;
    match mode {
        Mode::Terminal => client.run(Signals::listen()?).await,
        Mode::Pipe => {
            let writer = plain::start(Arc::clone(&output))?;
            input::read_stdin(client.input_sender.clone())?;
            let mut ended = client.run(Signals::none()).await?;
            output.close();
            joined(writer);
            if output.has_lost_output() && ended.cause == ExitCause::Exit(Exit::Done) {
                ended.cause = ExitCause::Exit(Exit::Refused);
            }
            Ok(ended)
        }
    }
}

fn joined(writer: thread::JoinHandle<()>) {
    // It fails only if that thread panicked, and the panic hook has reported that.
    let _ = writer.join();
}

struct ClientLoop {
    address: Address,
    mode: Mode,
    colours: bool,
    bell: bool,
    look: DisplayStyle,
    token_store: TokenStore,
    session: ClientSession,
    names: Arc<Mutex<KnownNames>>,
    permits: Arc<LinePermits>,
    /// Permits in use by the session's lines.
    permits_held: usize,
    output: Arc<OutputQueue>,
    input: mpsc::Receiver<UserInput>,
    input_sender: mpsc::Sender<UserInput>,
    transport: Option<Transport>,
    connecting: Option<JoinHandle<Result<Transport, String>>>,
    terminal: Option<Terminal>,
    prompt: Prompt,
    /// No more input is read.
    deaf: bool,
    exit: Option<Exit>,
    why: Option<String>,
    rng: Rng,
}

/// An event of the loop.
enum LoopEvent {
    Heard(ReceivedLine),
    Connected(Result<Transport, String>),
    Input(UserInput),
    Time,
    Output,
    Signal(u8),
}

impl ClientLoop {
    fn new(
        args: ClientArgs,
        mode: Mode,
        output: Arc<OutputQueue>,
        token_store: TokenStore,
        credentials: Vec<SignInCredential>,
    ) -> io::Result<Self> {
        let colours = args.colours();
        let names = Arc::new(Mutex::new(KnownNames::default()));
        let rng = Rng::from_os()?;
        let options = SessionOptions {
            mode,
            address: args.connect.to_string(),
            name: args.name,
            credentials,
            kept: token_store.all(),
            enter: args.enter,
            seed: seed()?,
        };
        let session = ClientSession::new(options, Arc::clone(&names), rng.now());
        let look = match mode {
            Mode::Pipe => DisplayStyle::Plain,
            Mode::Terminal => DisplayStyle::Terminal { colours, zone: TimeZone::system() },
        };
        let (input_sender, input) = input::queue();
        Ok(Self {
            address: args.connect,
            mode,
            colours,
            bell: args.bell,
            look,
            token_store,
            session,
            names,
            permits: Arc::default(),
            permits_held: 0,
            output,
            input,
            input_sender,
            transport: None,
            connecting: None,
            terminal: None,
            prompt: Prompt::default(),
            deaf: false,
            exit: None,
            why: None,
            rng,
        })
    }

    async fn run(&mut self, mut signals: Signals) -> io::Result<ClientExit> {
        self.connect();
        let cause = loop {
            let happening = self.next(&mut signals).await;
            if let LoopEvent::Signal(number) = happening {
                break ExitCause::Signal(number);
            }
            self.handle(happening)?;
            self.act();
            if let Some(exit) = self.exit {
                break ExitCause::Exit(exit);
            }
        };
        if let Some(terminal) = self.terminal.take() {
            terminal.give_back()?;
        }
        Ok(ClientExit { cause, why: self.why.take() })
    }

    fn connect(&mut self) {
        self.transport = None;
        self.connecting = Some(tokio::spawn(Transport::connect(self.address.clone())));
    }

    async fn next(&mut self, signals: &mut Signals) -> LoopEvent {
        let permits = self.output.has_room();
        if !permits {
            self.session.wait_for_output(self.rng.now());
        }
        let deadline = self.session.deadline().filter(|_| permits);
        let wants_input = self.session.wants_input() && !self.deaf && permits;
        tokio::select! {
            heard = receive(self.transport.as_mut()), if self.transport.is_some() && permits => {
                LoopEvent::Heard(heard)
            }
            connected = finished_connect(self.connecting.as_mut()), if self.connecting.is_some() => {
                self.connecting = None;
                LoopEvent::Connected(connected)
            }
            input = self.input.recv(), if wants_input => {
                LoopEvent::Input(input.unwrap_or(UserInput::End))
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                LoopEvent::Time
            }
            () = self.output.changed() => LoopEvent::Output,
            number = signals.next() => LoopEvent::Signal(number),
        }
    }

    fn handle(&mut self, happening: LoopEvent) -> io::Result<()> {
        let now = self.rng.now();
        match happening {
            LoopEvent::Heard(heard) => self.heard(heard, now),
            LoopEvent::Connected(Ok(transport)) => {
                self.transport = Some(transport);
                self.session.connected(now);
                if self.mode == Mode::Terminal && self.terminal.is_none() {
                    self.terminal = Some(Terminal::take(Wiring {
                        output: Arc::clone(&self.output),
                        input: self.input_sender.clone(),
                        names: Arc::clone(&self.names),
                        permits: Arc::clone(&self.permits),
                        colours: self.colours,
                    })?);
                }
            }
            LoopEvent::Connected(Err(why)) => self.session.lost(&why, now),
            LoopEvent::Input(UserInput::Line(line)) => {
                // The editor has taken a permit for it.
                self.permits_held += 1;
                self.session.typed(&line, now);
            }
            LoopEvent::Input(UserInput::Asked(line, passwords)) => {
                self.permits_held += 1;
                self.session.passwords_typed(passwords);
                self.session.typed(&line, now);
            }
            LoopEvent::Input(UserInput::Begun) => self.session.begun(now),
            LoopEvent::Input(UserInput::Unfit(unfit)) => self.session.typed_unfit(unfit),
            LoopEvent::Input(UserInput::Interrupt) => self.session.interrupted(),
            LoopEvent::Input(UserInput::End) => self.end_input(now),
            LoopEvent::Time => self.session.on_time(now),
            // Once the output is broken no more input is read; the answers to sent lines are still
            // awaited.
            LoopEvent::Output if self.output.is_broken() && !self.deaf => {
                self.session.input_cut_off();
                self.end_input(now);
            }
            LoopEvent::Output | LoopEvent::Signal(_) => {}
        }
        Ok(())
    }

    fn end_input(&mut self, now: Now) {
        // A terminal's editor goes on: the `bye` may not come, and the user may press Ctrl-D again.
        self.deaf = self.mode == Mode::Pipe || self.output.is_broken();
        self.session.input_ended(now);
    }

    fn heard(&mut self, heard: ReceivedLine, now: Now) {
        let mut next = Some(heard);
        let mut count = 0;
        while let Some(heard) = next {
            match heard {
                Ok(line) => self.session.line(&line, now),
                Err(why) => {
                    self.transport = None;
                    self.session.lost(&why, now);
                }
            }
            // The actions come before the next line: names and colours depend on them.
            self.act();
            count += 1;
            let more = count < MAX_LINES_AT_ONCE && self.exit.is_none();
            next = self.transport.as_mut().filter(|_| more).and_then(Transport::heard_already);
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
            self.permits.settle(self.permits_held, unanswered);
        }
        self.permits_held = unanswered;
        let ready = self.session.is_ready();
        let prompt = Prompt {
            text: self.session.prompt(),
            ready,
            wants_beginning: self.session.wants_beginning(),
            // The state of the connection is more important.
            unread: if ready { self.session.unread().to_vec() } else { Vec::new() },
        };
        if self.mode == Mode::Terminal && prompt != self.prompt {
            self.prompt = prompt.clone();
            self.output.set_prompt(prompt);
        }
    }

    fn perform(&mut self, action: SessionAction) {
        let now = self.rng.now();
        match action {
            SessionAction::Send(line) => {
                let sent = self.transport.as_ref().map_or(Ok(()), |transport| transport.send(line));
                if let Err(why) = sent {
                    self.transport = None;
                    self.session.lost(&why, now);
                }
            }
            SessionAction::Show(shown) => {
                let line = show::line(&shown, &self.look, self.session.me(), now.time);
                self.output.put(OutputStream::Out, line.text, line.bell && self.bell);
            }
            SessionAction::Complain(text) if self.mode == Mode::Terminal => self.why = Some(text),
            SessionAction::Complain(text) => {
                self.output.put(OutputStream::Err, format!("chat-cli: {text}"), false);
            }
            SessionAction::Keep(account, token) => {
                let kept = self.token_store.keep(&account, &token);
                self.report_error(kept, now);
            }
            SessionAction::Forget(account, token) => {
                let forgotten = self.token_store.forget(&account, token.as_ref());
                self.report_error(forgotten, now);
            }
            SessionAction::Connect => self.connect(),
            SessionAction::HangUp => self.transport = None,
            SessionAction::Finish(exit) => self.exit = Some(exit),
        }
    }

    /// A token that can't be stored doesn't end the client.
    fn report_error(&mut self, result: Result<(), String>, now: Now) {
        let Err(why) = result else { return };
        match self.mode {
            Mode::Terminal => {
                let line = show::line(&DisplayItem::warning(why), &self.look, None, now.time);
                self.output.put(OutputStream::Out, line.text, false);
            }
            Mode::Pipe => self.output.put(OutputStream::Err, format!("chat-cli: {why}"), false),
        }
    }
}
