//! The interactive terminal: a line editor below the output that scrolls by.
//!
//! Two threads: one reads keys, the other owns the editor and is the only one that writes. If the
//! terminal is stopped, only the writer blocks: see `output_queue`.

mod buffer;
mod editor;
mod input_history;
mod password_prompt;
mod screen;
mod shorten;
mod unread;

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEventKind,
};
use crossterm::{execute, terminal};
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::raise;

use crate::completions::KnownNames;
use crate::input::UserInput;
use crate::input_line::command;
use crate::line_permits::LinePermits;
use crate::output_queue::{Broken, OutputBatch, OutputQueue, Prompt};
use crate::session::{MAX_OUTBOX, NAME_PROMPT};
use editor::{Editor, EditorAction};
use password_prompt::PasswordPrompt;
use screen::{Screen, Size};

/// How long a terminal may take to show the last lines before the client gives up on it.
const LAST_LINES_DEADLINE: Duration = Duration::from_millis(500);

/// What the threads share with the rest of the client.
pub(crate) struct Wiring {
    pub(crate) output: Arc<OutputQueue>,
    pub(crate) input: tokio::sync::mpsc::Sender<UserInput>,
    pub(crate) names: Arc<Mutex<KnownNames>>,
    pub(crate) permits: Arc<LinePermits>,
    pub(crate) colours: bool,
}

/// A terminal in use. It has to be restored.
pub(crate) struct Terminal {
    output: Arc<OutputQueue>,
    finished: mpsc::Receiver<()>,
}

impl Terminal {
    /// Takes over the terminal: from now on keys are read one by one.
    pub(crate) fn take(wiring: Wiring) -> io::Result<Self> {
        let output = Arc::clone(&wiring.output);
        let keys = Arc::clone(&wiring.output);
        let (finish, finished) = mpsc::sync_channel(1);
        terminal::enable_raw_mode()?;
        let terminal = Self { output, finished };
        execute!(io::stdout(), EnableBracketedPaste)?;
        thread::Builder::new().name("keys".into()).spawn(move || read_keys(&keys))?;
        let writing = Writing(Arc::clone(&wiring.output));
        thread::Builder::new().name("editor".into()).spawn(move || {
            let _writing = writing;
            EditorThread::new(wiring).work();
            // If this fails, the receiver has stopped waiting.
            let _ = finish.send(());
        })?;
        Ok(terminal)
    }

    /// Restores the terminal, after the waiting lines are shown if it takes them in time.
    pub(crate) fn give_back(self) -> io::Result<()> {
        self.output.close();
        let shown = self.finished.recv_timeout(LAST_LINES_DEADLINE).is_ok();
        if shown {
            execute!(io::stdout(), DisableBracketedPaste)?;
        }
        terminal::disable_raw_mode()
    }
}

/// Marks the output as broken when it is dropped, also by a panic: then the client leaves, and
/// restores the terminal.
struct Writing(Arc<OutputQueue>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.break_off(Broken::Unwanted);
    }
}

fn read_keys(output: &OutputQueue) {
    // An error means that the terminal is gone.
    while let Ok(event) = event::read() {
        output.put_key(event);
    }
    output.break_off(Broken::Unwanted);
}

fn size() -> Size {
    match terminal::size() {
        Ok((columns, rows)) if columns > 0 && rows > 0 => {
            Size { columns: columns.into(), rows: rows.into() }
        }
        _ => Size { columns: 80, rows: 24 },
    }
}

/// The thread that owns the editor.
struct EditorThread {
    wiring: Wiring,
    editor: Editor,
    /// A password is being typed, and not shown.
    asking: Option<PasswordPrompt>,
    screen: Screen,
    prompt: Prompt,
    /// Remarks of the editor thread, shown above the line.
    remarks: Vec<String>,
}

impl EditorThread {
    fn new(wiring: Wiring) -> Self {
        let screen = Screen::new(wiring.colours);
        Self {
            wiring,
            editor: Editor::default(),
            asking: None,
            screen,
            prompt: Prompt::default(),
            remarks: Vec::new(),
        }
    }

    fn work(&mut self) {
        loop {
            let batch = self.wiring.output.take();
            let last = batch.last;
            if self.handle(batch).is_err() {
                self.wiring.output.break_off(Broken::Unwanted);
            }
            if last {
                return;
            }
        }
    }

    fn handle(&mut self, batch: OutputBatch) -> io::Result<()> {
        let mut lines = Vec::with_capacity(batch.lines.len() + 1);
        if batch.dropped > 0 {
            lines.push(format!("* … {} lines not shown", batch.dropped));
        }
        lines.extend(batch.lines.into_iter().map(|(_, line)| line));
        if let Some(prompt) = batch.prompt {
            self.prompt = prompt;
        }
        for event in batch.keys {
            self.event(event)?;
        }
        lines.append(&mut self.remarks);
        let mut frame = if batch.last { self.last_frame(&lines) } else { self.frame(&lines) };
        if batch.bell {
            frame.push('\x07');
        }
        write(&frame)
    }

    fn frame(&mut self, lines: &[String]) -> String {
        if let Some(asking) = &self.asking {
            let prompt = Prompt { text: asking.prompt(), ready: true, ..Prompt::default() };
            let input =
                screen::InputView { prompt: &prompt, text: "", cursor: 0, candidates: None };
            return self.screen.frame(lines, input, size());
        }
        let buffer = self.editor.buffer();
        let input = screen::InputView {
            prompt: &self.prompt,
            text: buffer.text(),
            cursor: buffer.cursor(),
            candidates: self.editor.candidates(),
        };
        self.screen.frame(lines, input, size())
    }

    /// Writes the last lines, and erases the line being typed.
    fn last_frame(&mut self, lines: &[String]) -> String {
        let mut frame = self.screen.erase(size());
        for line in lines {
            frame.push_str(line);
            frame.push_str("\r\n");
        }
        frame
    }

    fn event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Paste(text) => match &mut self.asking {
                Some(asking) => asking.paste(&text),
                None => self.editor.paste(&text),
            },
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                if let Some(asking) = &mut self.asking {
                    let action = asking.key(key);
                    self.perform_prompt(action);
                    return Ok(());
                }
                if matches!(key.code, KeyCode::Char(_) | KeyCode::Tab | KeyCode::BackTab) {
                    self.notify_typing();
                }
                let names = Arc::clone(&self.wiring.names);
                let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                let action = self.editor.key(key, &names);
                drop(names);
                self.perform(action)?;
            }
            // The screen is redrawn after each batch of events.
            _ => {}
        }
        Ok(())
    }

    /// The user has begun to type: the session looks up what Tab may need meanwhile. If the queue
    /// is full, the next key tries again.
    fn notify_typing(&mut self) {
        if self.prompt.wants_beginning {
            self.prompt.wants_beginning = self.wiring.input.try_send(UserInput::Begun).is_err();
        }
    }

    fn perform_prompt(&mut self, action: password_prompt::PromptOutcome) {
        match action {
            password_prompt::PromptOutcome::Wait => {}
            password_prompt::PromptOutcome::Tell(text) => self.remarks.push(format!("* {text}")),
            password_prompt::PromptOutcome::Give(input) => {
                self.asking = None;
                self.wiring.permits.force();
                self.give(input);
            }
            password_prompt::PromptOutcome::Stop(text) => {
                self.asking = None;
                self.remarks.push(format!("* {text}"));
            }
        }
    }

    fn perform(&mut self, action: EditorAction) -> io::Result<()> {
        match action {
            EditorAction::Draw => {}
            EditorAction::Send(line)
                if let Some((asking, remark)) = PasswordPrompt::before(&line) =>
            {
                self.asking = Some(asking);
                self.remarks.extend(remark.map(|remark| format!("* {remark}")));
            }
            // Names, commands and empty lines need no permit.
            EditorAction::Send(line)
                if self.prompt.text == NAME_PROMPT
                    || line.trim().is_empty()
                    || command(&line).is_some() =>
            {
                self.wiring.permits.force();
                self.give(UserInput::Line(line));
            }
            EditorAction::Send(line) if self.wiring.permits.take() => {
                self.give(UserInput::Line(line));
            }
            EditorAction::Send(line) => {
                self.editor.keep(&line);
                self.remarks.push(format!(
                    "* {MAX_OUTBOX} lines wait to be said. This one stays here; press Enter again later."
                ));
            }
            EditorAction::Interrupt => self.give(UserInput::Interrupt),
            EditorAction::End => self.give(UserInput::End),
            EditorAction::Clear => write(&self.screen.clear())?,
            EditorAction::Suspend => {
                write(&self.screen.erase(size()))?;
                execute!(io::stdout(), DisableBracketedPaste)?;
                terminal::disable_raw_mode()?;
                // The signal goes to this thread, so the call returns only when the shell resumes
                // the process.
                raise(SIGTSTP)?;
                terminal::enable_raw_mode()?;
                execute!(io::stdout(), EnableBracketedPaste)?;
            }
        }
        Ok(())
    }

    fn give(&self, input: UserInput) {
        // If this fails, the client is about to leave.
        let _ = self.wiring.input.blocking_send(input);
    }
}

fn write(frame: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(frame.as_bytes())?;
    stdout.flush()
}
