//! Conversations of several users, played from `tests/transcripts/*.txt` against the real server.
//!
//! A transcript is a list of steps, each followed by its output on every connection:
//!
//! ```text
//! # A comment.
//! config: limits.large_channel = 2
//! here: alice bob
//! alice> /create general Say hello
//! alice< * You made #general and entered it as its operator.
//! ```
//!
//! * `config:` one setting of the server; only at the top.
//! * `here:` these users connect and give their names; the greeting isn't shown.
//! * `connects:` these clients connect and have no name yet.
//! * `NAME>` a user sends a line; several with ` ⏎ ` between them are sent at once, as a password
//!   prompt requires.
//! * `half-closes:`, `hangs-up:` these clients end their output, or their connection.
//! * `grants:` these accounts become server operators, at the shell.
//! * `later:` these users receive something later, without a request.
//! * `NAME<` output to a user. `(end)` is the end of the connection.
//!
//! Varying parts are shown as `{time}`, `{address}` and `{n}`. A user who isn't mentioned after a
//! step received nothing. `x.json.txt` has the same steps as `x.txt`, with all clients in the JSON
//! format. With `UPDATE=1` in the environment both are generated from the steps of `x.txt`; review
//! the difference. The documents have such steps, too: [`pages`].

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chat_testkit::{ClientFormat, ServerSetup, TestClient, TestServer, binary};

mod pages;

/// A step, and its output.
struct Step {
    /// Line number in the file, from 1.
    line: usize,
    action: Action,
    output: Vec<(String, String)>,
}

impl Step {
    /// The lines of the transcript, with their endings.
    fn written(&self) -> String {
        let mut written = self.action.written() + "\n";
        for (who, line) in &self.output {
            writeln!(written, "{who}< {line}").unwrap();
        }
        written
    }
}

enum Action {
    Comment(String),
    Config(String),
    Here(Vec<String>),
    Connects(Vec<String>),
    Sends(String, String),
    HalfCloses(Vec<String>),
    HangsUp(Vec<String>),
    Grants(Vec<String>),
    Later(Vec<String>),
}

impl Action {
    fn written(&self) -> String {
        match self {
            Self::Comment(text) => text.clone(),
            Self::Config(setting) => format!("config: {setting}"),
            Self::Here(names) => format!("here: {}", names.join(" ")),
            Self::Connects(names) => format!("connects: {}", names.join(" ")),
            Self::Sends(who, line) => format!("{who}> {line}"),
            Self::HalfCloses(names) => format!("half-closes: {}", names.join(" ")),
            Self::HangsUp(names) => format!("hangs-up: {}", names.join(" ")),
            Self::Grants(names) => format!("grants: {}", names.join(" ")),
            Self::Later(names) => format!("later: {}", names.join(" ")),
        }
    }
}

fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, written) in text.lines().enumerate() {
        let line = at + 1;
        let names = |rest: &str| rest.split_whitespace().map(str::to_owned).collect();
        let action = if written.is_empty() || written.starts_with('#') {
            Action::Comment(written.to_owned())
        } else if let Some((word, rest)) = written.split_once(": ")
            && !word.contains(['<', '>'])
        {
            match word {
                "config" => Action::Config(rest.to_owned()),
                "here" => Action::Here(names(rest)),
                "connects" => Action::Connects(names(rest)),
                "half-closes" => Action::HalfCloses(names(rest)),
                "hangs-up" => Action::HangsUp(names(rest)),
                "grants" => Action::Grants(names(rest)),
                "later" => Action::Later(names(rest)),
                _ => return Err(format!("{line}: there is no step {word:?}")),
            }
        } else if let Some((who, output)) = written.split_once("< ")
            && !who.contains([' ', '>'])
        {
            let step = steps.iter_mut().rfind(|step| !matches!(step.action, Action::Comment(_)));
            let step = step.ok_or_else(|| format!("{line}: nothing happened yet"))?;
            step.output.push((who.to_owned(), output.to_owned()));
            continue;
        } else if let Some((who, sent)) = written.split_once("> ") {
            Action::Sends(who.to_owned(), sent.to_owned())
        } else {
            return Err(format!("{line}: this is no step: {written}"));
        };
        steps.push(Step { line, action, output: Vec::new() });
    }
    Ok(steps)
}

/// Relative to the server's folder.
const ADMIN_SOCKET: &str = "admin.sock";

/// The state of a running transcript.
struct Play {
    format: ClientFormat,
    server: TestServer,
    /// In order of arrival.
    people: Vec<TestClient>,
}

impl Play {
    async fn begin(steps: &[Step], format: ClientFormat) -> Self {
        let mut setup = ServerSetup::unpaced().flag("--admin-socket").flag(ADMIN_SOCKET);
        let settings: Vec<&str> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Config(setting) => Some(setting.as_str()),
                _ => None,
            })
            .collect();
        if !settings.is_empty() {
            setup = setup.config(settings.join("\n"));
        }
        Self { format, server: setup.start().await, people: Vec::new() }
    }

    fn person(&mut self, who: &str) -> &mut TestClient {
        let found = self.people.iter_mut().find(|person| person.who() == who);
        found.unwrap_or_else(|| panic!("{who} isn't connected"))
    }

    /// Executes a step. Returns the clients to wait for, if a round trip isn't enough.
    async fn act(&mut self, action: &Action) {
        match action {
            Action::Comment(_) | Action::Config(_) | Action::Later(_) => {}
            Action::Here(names) => {
                for who in names {
                    let person = self.server.person_in(who, self.format).await;
                    self.people.push(person);
                }
                // Others receive nothing of later users: a name alone enters no channel.
            }
            Action::Connects(names) => {
                for who in names {
                    let mut person = self.server.newcomer(who).await;
                    person.take_format_quietly(self.format).await;
                    self.people.push(person);
                }
            }
            Action::Sends(who, lines) => {
                let lines = lines.replace(" ⏎ ", "\r\n") + "\r\n";
                self.person(who).send_raw(lines.as_bytes()).await;
            }
            Action::HalfCloses(names) => {
                for who in names {
                    self.person(who).half_close().await;
                }
            }
            Action::Grants(names) => {
                let socket = self.server.folder().join(ADMIN_SOCKET);
                for who in names {
                    let granted = super::operators::admin(&socket, &["grant", who]).await;
                    assert!(granted.status.success(), "{granted:?}");
                }
            }
            Action::HangsUp(names) => {
                self.people.retain(|person| !names.iter().any(|who| who == person.who()));
            }
        }
    }

    /// The output so far of every client.
    async fn output(&mut self, action: &Action) -> Vec<(String, String)> {
        let mut all = Vec::new();
        // The acting client comes first: when it has its answer, the others have the event.
        let acted = |who: &String| match action {
            Action::Sends(sender, _) => sender == who,
            Action::HalfCloses(names) => names.contains(who),
            _ => false,
        };
        let mut order: Vec<String> =
            self.people.iter().map(|person| person.who().to_owned()).collect();
        order.sort_by_key(|who| !acted(who));
        let mut somebody_is_gone = false;
        for who in order.clone() {
            let half_closed = matches!(action, Action::HalfCloses(names) if names.contains(&who));
            let later = matches!(action, Action::Later(names) if names.contains(&who));
            let person = self.person(&who);
            let (output, ended) = if half_closed {
                (person.read_to_end().await, true)
            } else if later {
                let mut output = vec![person.line().await];
                let (more, ended) = person.received_by_now().await;
                output.extend(more);
                (output, ended)
            } else {
                person.received_by_now().await
            };
            all.extend(output.into_iter().map(|line| (who.clone(), normal(&line))));
            if ended {
                somebody_is_gone = true;
                all.push((who.clone(), "(end)".to_owned()));
                self.people.retain(|person| person.who() != who);
            }
        }
        if somebody_is_gone {
            // Clients that were checked before the end have its event by now.
            for person in &mut self.people {
                let (output, _) = person.received_by_now().await;
                all.extend(output.iter().map(|line| (person.who().to_owned(), normal(line))));
            }
            // In the notation of a transcript.
            all.sort_by_key(|(who, _)| order.iter().position(|it| it == who));
        }
        all
    }

    /// Compares the output to every client with the transcript. It waits for delayed lines; then
    /// there must be no more.
    async fn hold(&mut self, step: &Step) -> Result<(), String> {
        let mut expected: HashMap<&str, Vec<&str>> = HashMap::new();
        for (who, output) in &step.output {
            expected.entry(who).or_default().push(output);
        }
        let order: Vec<String> = self.people.iter().map(|it| it.who().to_owned()).collect();
        if let Some(stranger) = expected.keys().find(|who| !order.iter().any(|it| it == *who)) {
            return Err(format!("{stranger} isn't connected"));
        }
        for who in order {
            let expected = expected.remove(who.as_str()).unwrap_or_default();
            let person = self.person(&who);
            let mut output = Vec::new();
            while output.len() < expected.len() {
                let Some(line) = person.next_line().await else {
                    output.push("(end)".to_owned());
                    break;
                };
                output.push(normal(&line));
                if output.last().map(String::as_str) != expected.get(output.len() - 1).copied() {
                    break;
                }
            }
            let ended = output.last().is_some_and(|line| line == "(end)");
            if ended {
                self.people.retain(|person| person.who() != who);
            } else {
                let (more, ended) = self.person(&who).received_by_now().await;
                output.extend(more.iter().map(|line| normal(line)));
                if ended {
                    output.push("(end)".to_owned());
                }
            }
            if output != expected {
                let list = |lines: &[String]| lines.join("\n    ");
                let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
                return Err(format!(
                    "{who} was told\n    {}\nnot\n    {}",
                    list(&output),
                    list(&expected)
                ));
            }
        }
        Ok(())
    }
}

/// A line with its varying parts replaced.
fn normal(line: &str) -> String {
    let mut normal = line.to_owned();
    if line.starts_with("* ") || line.starts_with("! ") || line.starts_with(r#"{"type":"error""#) {
        normal = without_dates(&normal);
    }
    if let Some(before) = VARYING.iter().find(|before| line.starts_with(**before)) {
        return format!("{before}{{n}}");
    }
    if line.starts_with('{') {
        for (key, shown) in [
            ("time", "\"{time}\""),
            ("until", "\"{time}\""),
            ("since", "\"{time}\""),
            ("seen", "\"{time}\""),
            ("invite", "\"{token}\""),
            ("token", "\"{token}\""),
            ("address", "\"{address}\""),
            ("connected", "\"{n}\""),
            ("idle", "\"{n}\""),
            ("online", "\"{n}\""),
        ] {
            if key == "token" && line.contains("\"re\":\"ping\"") {
                // Chosen by the client.
                continue;
            }
            let key = format!("\"{key}\":");
            if let Some(at) = normal.find(&key) {
                let from = at + key.len();
                let mut values = serde_json::Deserializer::from_str(&normal[from..])
                    .into_iter::<serde_json::Value>();
                let value = values.next().expect("a key has a value").expect("it is JSON");
                let to = from + values.byte_offset();
                // A missing end and the address of a ban don't vary.
                let is_fixed = match shown {
                    "\"{time}\"" => value.is_null(),
                    "\"{address}\"" => !line.starts_with(r#"{"type":"info""#),
                    _ => false,
                };
                if !is_fixed {
                    assert_shape(shown, &value, line);
                    normal.replace_range(from..to, shown);
                }
            }
        }
    } else if line.starts_with('[')
        && let Some((place, rest)) = line.split_once(']')
        && let Some(time) = place.len().checked_sub("2026-11-22 07:44:05".len())
        && is_date_and_time(&place[time..])
    {
        normal = format!("{}{{time}}]{rest}", &place[..time]);
    } else if line.starts_with("* ") {
        if let Some(at) = normal.find("last seen ") {
            let time = at + "last seen ".len()..at + "last seen 2026-11-22 07:44:05".len();
            if normal.get(time.clone()).is_some_and(is_date_and_time) {
                normal.replace_range(time, "{time}");
            }
        }
        hide_codes(&mut normal);
        for (before, shown) in [("for ", "{n} s"), ("127.0.0.1:", "")] {
            let mut from = 0;
            while let Some(at) = normal[from..].find(before) {
                let number = from + at + before.len();
                let digits = normal[number..].bytes().take_while(u8::is_ascii_digit).count();
                from = number;
                if digits > 0 && shown.is_empty() {
                    normal.replace_range(number - before.len()..number + digits, "{address}");
                } else if digits > 0 && normal[number + digits..].starts_with(" s") {
                    normal.replace_range(number..number + digits + " s".len(), shown);
                }
            }
        }
    }
    normal
}

/// Times in the server's sentences.
fn without_dates(line: &str) -> String {
    let length = "2026-11-22 07:44:05".len();
    let mut made = String::new();
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        if rest.get(..length).is_some_and(is_date_and_time) {
            made.push_str("{time}");
            rest = &rest[length..];
        } else {
            made.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    made
}

/// The varying rows of `/stats`, with the text before their numbers.
const VARYING: &[&str] = &[
    "*   uptime                  ",
    "*   memory                  ",
    r#"{"type":"stats","name":"uptime_secs","value":"#,
    r#"{"type":"stats","name":"memory_bytes","value":"#,
];

fn hide_codes(line: &mut String) {
    for (at, sign) in line.clone().rmatch_indices("invite:") {
        let code = at + sign.len();
        let length = line[code..].find(' ').unwrap_or(line.len() - code);
        if length == CODE_CHARS {
            line.replace_range(code..code + length, "{token}");
        }
    }
}

/// Characters of a token, or of an invitation.
const CODE_CHARS: usize = 43;

fn is_date_and_time(text: &str) -> bool {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).eq("0000-00-00 00:00:00".chars())
}

/// Each varying part must have the form of its replacement.
fn assert_shape(shown: &str, value: &serde_json::Value, line: &str) {
    let fits = match shown {
        "\"{n}\"" => value.is_u64(),
        "\"{token}\"" => value.as_str().is_some_and(|token| token.len() == CODE_CHARS),
        "\"{time}\"" => value.as_str().is_some_and(|time| {
            let shape: String =
                time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            shape == "0000-00-00T00:00:00.000Z"
        }),
        _ => value.as_str().is_some_and(|address| address.starts_with("127.0.0.1:")),
    };
    assert!(fits, "{value} is no {shown} in {line}");
}

async fn check(path: &Path, format: ClientFormat) -> Result<usize, String> {
    let fail = |why: String| format!("{}:0: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let steps = parse(&text).map_err(fail)?;
    check_steps(path, &steps, format).await?;
    Ok(steps.len())
}

/// Plays the steps of `path`, and compares the output of each.
async fn check_steps(path: &Path, steps: &[Step], format: ClientFormat) -> Result<(), String> {
    let mut play = Play::begin(steps, format).await;
    for step in steps.iter().filter(|step| !matches!(step.action, Action::Comment(_))) {
        play.act(&step.action).await;
        play.hold(step).await.map_err(|why| {
            let (path, line) = (path.display(), step.line);
            format!("{path}:{line}: after {}\n{why}\n{}", step.action.written(), play.server.log())
        })?;
    }
    Ok(())
}

/// Plays the steps, and records the output of each.
async fn play_anew(steps: &mut [Step], format: ClientFormat) {
    let mut play = Play::begin(steps, format).await;
    for step in steps {
        play.act(&step.action).await;
        let before = std::mem::take(&mut step.output);
        if matches!(step.action, Action::HangsUp(_)) {
            // A client that received a delayed line last time receives it again.
            for (who, _) in before {
                let line = play.person(&who).line().await;
                step.output.push((who, normal(&line)));
            }
        }
        step.output.extend(play.output(&step.action).await);
    }
}

/// Generates a transcript from the steps of `from`.
async fn update(from: &Path, path: &Path, format: ClientFormat) {
    let mut steps = parse(&fs::read_to_string(from).unwrap()).unwrap();
    play_anew(&mut steps, format).await;
    let written: String = steps.iter().map(Step::written).collect();
    fs::write(path, written).unwrap();
}

fn transcripts() -> Vec<PathBuf> {
    let folder = binary::workspace().join("tests/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the transcripts are there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths
}

fn is_json(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".json.txt")
}

/// The steps of a transcript without output.
fn steps_of(path: &Path) -> Vec<String> {
    let steps = parse(&fs::read_to_string(path).unwrap()).unwrap();
    steps.iter().map(|step| step.action.written()).collect()
}

async fn check_all(format: ClientFormat) {
    let paths: Vec<PathBuf> = transcripts()
        .into_iter()
        .filter(|path| is_json(path) == (format == ClientFormat::Json))
        .collect();
    assert!(paths.len() >= 10, "{paths:?}");
    let mut failures = Vec::new();
    for path in paths {
        if let Err(why) = check(&path, format).await {
            failures.push(why);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn in_text() {
    if std::env::var_os("UPDATE").is_some() {
        for path in transcripts().iter().filter(|path| !is_json(path)) {
            update(path, path, ClientFormat::Text).await;
            update(path, &path.with_extension("json.txt"), ClientFormat::Json).await;
        }
    }
    check_all(ClientFormat::Text).await;
}

#[tokio::test]
async fn in_json() {
    if std::env::var_os("UPDATE").is_some() {
        return;
    }
    check_all(ClientFormat::Json).await;
    for path in transcripts().iter().filter(|path| !is_json(path)) {
        let json = path.with_extension("json.txt");
        assert_eq!(steps_of(path), steps_of(&json), "{} has other steps", json.display());
    }
}

#[test]
fn every_command_and_every_alias_occurs() {
    let mut missing: Vec<&str> = chat_proto::command_table::COMMANDS
        .iter()
        .flat_map(chat_proto::command_table::CommandSpec::words)
        .collect();
    for path in transcripts().iter().filter(|path| !is_json(path)) {
        for step in parse(&fs::read_to_string(path).unwrap()).unwrap() {
            if let Action::Sends(_, line) = step.action
                && let Some(command) = line.strip_prefix('/')
            {
                let word = command.split(' ').next().unwrap_or_default().to_lowercase();
                missing.retain(|other| *other != word);
            }
        }
    }
    assert!(missing.is_empty(), "no transcript has {missing:?}");
}

#[test]
fn varying_parts_are_replaced() {
    for (line, expected) in [
        ("* x Connected from 127.0.0.1:4321 for 17 s.", "* x Connected from {address} for {n} s."),
        ("[#x] bob: for 3 s", "[#x] bob: for 3 s"),
        ("! x: until 2026-11-22 07:44:05.", "! x: until {time}."),
        ("[#x] bob: 2026-11-22 07:44:05", "[#x] bob: 2026-11-22 07:44:05"),
        ("*   memory                  31 MiB", "*   memory                  {n}"),
        ("[#x 2026-11-22 07:44:05] bob: ]", "[#x {time}] bob: ]"),
        (
            r#"{"type":"ok","id":3,"time":"2026-11-22T07:44:05.123Z"}"#,
            r#"{"type":"ok","id":3,"time":"{time}"}"#,
        ),
        (
            r#"{"type":"message","text":"a \"time\":\"x\""}"#,
            r#"{"type":"message","text":"a \"time\":\"x\""}"#,
        ),
    ] {
        assert_eq!(normal(line), expected);
    }
}
