//! The picture of the README: `nc` and `chat-cli` at two terminals, drawn from a real run.
//!
//! `UPDATE=1 cargo test -p chat-tests --test outer picture` draws it again; otherwise it is
//! compared.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use chat_testkit::{ServerSetup, binary};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use regex::Regex;

const PICTURE: &str = "docs/images/session.svg";
const ROWS: u16 = 27;
const COLUMNS: u16 = 74;
const DEADLINE: Duration = Duration::from_mins(1);

/// Pixels of one cell.
const WIDTH: f32 = 7.8;
const HEIGHT: f32 = 17.0;

/// A program at a terminal.
struct Pane {
    title: &'static str,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    typed: Vec<&'static str>,
    _pty: Box<dyn MasterPty + Send>,
}

impl Pane {
    fn start(title: &'static str, program: &str, arguments: &[&str], state: &str) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has terminals");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        for (name, value) in [("TERM", "xterm-256color"), ("TZ", "UTC"), ("XDG_STATE_HOME", state)]
        {
            command.env(name, value);
        }
        command.env_remove("NO_COLOR");
        command.env_remove("CHAT_TOKEN");
        let child = pty.slave.spawn_command(command).expect("the program is installed");
        let mut reader = pty.master.try_clone_reader().expect("a terminal can be read");
        let keys = pty.master.take_writer().expect("a terminal can be typed at");
        let (give, output) = sync_channel(1024);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                if give.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let parser = vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0);
        Self { title, child, keys, output, parser, typed: Vec::new(), _pty: pty.master }
    }

    fn enter(&mut self, line: &'static str) {
        self.typed.push(line);
        self.keys.write_all(format!("{line}\r").as_bytes()).expect("the terminal is there");
        self.keys.flush().expect("the terminal is there");
    }

    fn shows(&mut self, words: &str) {
        while !self.parser.screen().contents().contains(words) {
            let piece = self.output.recv_timeout(DEADLINE);
            let piece = piece.unwrap_or_else(|error| {
                panic!("{error}: no {words:?} in {}", self.parser.screen().contents())
            });
            self.parser.process(&piece);
        }
    }

    /// The rows as runs of equal style.
    fn rows(&self) -> Vec<Vec<(Style, String)>> {
        let screen = self.parser.screen();
        let time = Regex::new("^[0-9]{2}:[0-9]{2}").unwrap();
        let date = Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}").unwrap();
        let mut rows = Vec::new();
        for (at, text) in screen.rows(0, COLUMNS).enumerate() {
            // Times are replaced by a constant.
            let text = time.replace(&text, "07:44");
            let text = date.replace_all(&text, "2026-11-22 07:44:05");
            let typed = self.typed.contains(&text.trim_end());
            let mut row: Vec<(Style, String)> = Vec::new();
            for (column, letter) in text.chars().enumerate() {
                let cell = screen.cell(at.try_into().unwrap(), column.try_into().unwrap());
                let style = cell.map_or_else(Style::default, |cell| Style::of(cell, typed));
                match row.last_mut() {
                    Some((last, text)) if *last == style => text.push(letter),
                    _ => row.push((style, letter.to_string())),
                }
            }
            rows.push(row);
        }
        while rows.pop_if(|row| row.iter().all(|(_, text)| text.trim().is_empty())).is_some() {}
        rows
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    colour: Option<&'static str>,
    bold: bool,
    inverse: bool,
}

impl Style {
    fn of(cell: &vt100::Cell, typed: bool) -> Self {
        let colour = match cell.fgcolor() {
            _ if typed => Some("#7ee787"),
            _ if cell.dim() => Some("#8b949e"),
            vt100::Color::Idx(at) => Some(colour(at)),
            _ => None,
        };
        Self { colour, bold: cell.bold() || typed, inverse: cell.inverse() }
    }
}

fn colour(at: u8) -> &'static str {
    match at % 8 {
        1 => "#ff7b72",
        2 => "#7ee787",
        3 => "#e3b341",
        4 => "#79c0ff",
        5 => "#d2a8ff",
        6 => "#76e3ea",
        _ => "#e6edf3",
    }
}

/// One pane at a place, with its title bar.
fn draw(svg: &mut String, pane: &Pane, left: f32, height: f32) {
    let width = f32::from(COLUMNS) * WIDTH + 24.0;
    writeln!(
        svg,
        "<rect x=\"{left}\" y=\"0.5\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" \
         fill=\"#0d1117\" stroke=\"#30363d\"/>\n\
         <text x=\"{:.1}\" y=\"20\" fill=\"#8b949e\">$ {}</text>",
        left + 12.0,
        pane.title
    )
    .unwrap();
    for (row, runs) in pane.rows().iter().enumerate() {
        let y = 45.0 + HEIGHT * f32::from(u16::try_from(row).unwrap());
        let mut column = 0.0;
        for (style, text) in runs {
            let x = left + 12.0 + WIDTH * column;
            column += columns(text);
            if text.trim().is_empty() && !style.inverse {
                continue;
            }
            let mut colour = style.colour.unwrap_or("#e6edf3");
            if style.inverse {
                writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"{colour}\"/>",
                    y - 13.0,
                    WIDTH * columns(text)
                )
                .unwrap();
                colour = "#0d1117";
            }
            let bold = if style.bold { " font-weight=\"bold\"" } else { "" };
            // Leading, trailing and repeated blanks are omitted: not every viewer preserves them.
            let mut x = x;
            for part in text.split("  ") {
                let begins = x + WIDTH * columns(part) - WIDTH * columns(part.trim_start());
                x += WIDTH * (columns(part) + 2.0);
                let part = part.trim();
                if part.is_empty() {
                    continue;
                }
                let length = WIDTH * columns(part);
                let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                writeln!(
                    svg,
                    "<text x=\"{begins:.1}\" y=\"{y:.1}\" fill=\"{colour}\"{bold} \
                     textLength=\"{length:.1}\">{part}</text>"
                )
                .unwrap();
            }
        }
    }
}

fn columns(text: &str) -> f32 {
    f32::from(u16::try_from(text.chars().count()).unwrap())
}

fn picture(panes: [&Pane; 2]) -> String {
    let rows = panes.iter().map(|pane| pane.rows().len()).max().unwrap_or_default();
    let height = 52.0 + HEIGHT * f32::from(u16::try_from(rows).unwrap());
    let width = f32::from(COLUMNS) * WIDTH + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.1} {:.1}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13\">\n",
        2.0 * width + 17.0,
        height + 1.0
    );
    draw(&mut svg, panes[0], 0.5, height);
    draw(&mut svg, panes[1], width + 16.5, height);
    svg.push_str("</svg>\n");
    svg
}

#[tokio::test]
async fn the_picture_of_the_readme_is_a_real_session() {
    let setup = ServerSetup::bare().flag("--name").flag("chat.example.org");
    let server = setup.start().await;
    let address = server.address();
    let state = server.folder().to_str().expect("a path of ours is UTF-8").to_owned();
    let client = binary::path("chat-cli").display().to_string();
    let mut alice = Pane::start(
        "chat-cli --connect chat.example.org --name alice",
        &client,
        &["--connect", &address.to_string(), "--name", "alice"],
        &state,
    );
    alice.shows("Hello, alice.");
    alice.enter("/create general Release day");
    alice.shows("You made #general");
    alice.enter("the release notes are out");
    alice.shows("alice: the release notes are out");
    let port = address.port().to_string();
    let mut bob = Pane::start("nc chat.example.org 5002", "nc", &["127.0.0.1", &port], &state);
    bob.shows("* Type your name to begin, or /help for the menu.");
    bob.enter("bob");
    bob.shows("*   /quit ");
    bob.enter("/enter generel");
    bob.shows("Near: #general.");
    bob.enter("/enter general");
    bob.shows("alice: the release notes are out");
    alice.shows("bob entered #general");
    bob.enter("thanks, Alice!");
    alice.shows("bob: thanks, Alice!");
    alice.enter("tag it, bob?");
    bob.shows("alice: tag it, bob?");
    bob.enter("/msg alice done, v1.0");
    alice.shows("bob: done, v1.0");
    bob.enter("/search rel*");
    bob.shows("* 1 found.");
    alice.shows("[@bob +1]");
    let drawn = picture([&bob, &alice]);
    let path = binary::workspace().join(PICTURE);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, drawn).unwrap();
    } else {
        assert!(fs::read_to_string(path).unwrap() == drawn, "{PICTURE}: UPDATE=1 draws it anew");
    }
}
