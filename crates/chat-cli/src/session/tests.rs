mod account;
mod devices;

use super::entry::MAX_NAME_TRIES;
use super::leaving::{MAX_STRANGE, STEADY};
use super::*;
use crate::show::{DisplayStyle, line};

/// Drives a session by hand: its actions are recorded as short lines, and the clock stands still
/// unless a test moves it.
struct SessionScript {
    session: ClientSession,
    start: Instant,
    now: Now,
}

impl SessionScript {
    fn new(mode: Mode, name: Option<&str>, enter: &[&str]) -> Self {
        Self::with(mode, name, enter, |_| {})
    }

    fn with(
        mode: Mode,
        name: Option<&str>,
        enter: &[&str],
        change: impl FnOnce(&mut SessionOptions),
    ) -> Self {
        let now = Now {
            instant: Instant::now(),
            time: "2026-11-22T07:44:05Z".parse().unwrap(),
            jitter: 0,
        };
        let mut options = SessionOptions {
            mode,
            address: "here:5002".into(),
            name: name.map(Into::into),
            credentials: Vec::new(),
            kept: Vec::new(),
            enter: enter.iter().map(ToString::to_string).collect(),
            seed: 0xfeed,
        };
        change(&mut options);
        let names = Arc::new(Mutex::new(KnownNames::default()));
        Self { session: ClientSession::new(options, names, now), start: now.instant, now }
    }

    /// At a terminal, named alice and in #general, with nothing unanswered.
    fn settled() -> Self {
        let mut play = Self::new(Mode::Terminal, Some("alice"), &["#general"]);
        play.session.connected(play.now);
        play.gets(&[
            r#"{"type":"ok","re":"format","format":"json"}"#,
            r#"{"type":"ok","re":"name","name":"alice"}"#,
            r##"{"type":"ok","re":"enter","channel":"#general","members":3}"##,
            r##"{"type":"user","name":"bob","channel":"#general"}"##,
            r#"{"type":"ok","re":"users","count":1}"#,
            r##"{"type":"channel","name":"#random","members":1,"topic":null}"##,
            r#"{"type":"ok","re":"channels","count":1}"#,
        ]);
        play
    }

    fn done(&mut self) -> Vec<String> {
        let me = self.session.me().map(ToOwned::to_owned);
        let text = |shown: &DisplayItem| {
            line(shown, &DisplayStyle::Plain, me.as_deref(), self.now.time).text
        };
        let actions = self.session.actions();
        actions
            .iter()
            .map(|action| match action {
                SessionAction::Send(line) => format!("send {line}"),
                SessionAction::Show(shown) => format!("show {}", text(shown)),
                SessionAction::Complain(text) => format!("complain {text}"),
                SessionAction::Keep(account, token) => format!("keep {account} {}", token.expose()),
                SessionAction::Forget(account, token) => {
                    let token = token.as_ref().map_or("whatever", Secret::expose);
                    format!("forget {account} {token}")
                }
                other => format!("{other:?}").to_lowercase(),
            })
            .collect()
    }

    fn gets(&mut self, lines: &[&str]) -> Vec<String> {
        for line in lines {
            self.session.line(line, self.now);
        }
        self.done()
    }

    fn types(&mut self, line: &str) -> Vec<String> {
        self.session.typed(line, self.now);
        self.done()
    }

    fn loses(&mut self, reason: &str) -> Vec<String> {
        self.session.lost(reason, self.now);
        self.done()
    }

    fn connects(&mut self) -> Vec<String> {
        self.session.connected(self.now);
        self.done()
    }

    /// Moves the clock to the session's own deadline; returns the seconds since the start, and the
    /// actions.
    fn waits(&mut self) -> (u64, Vec<String>) {
        self.now.instant = self.session.deadline().expect("something to wait for");
        self.session.on_time(self.now);
        ((self.now.instant - self.start).as_secs(), self.done())
    }
}

const FORMAT_OK: &str = r#"{"type":"ok","re":"format"}"#;
const NAME_OK: &str = r#"{"type":"ok","re":"name","name":"alice"}"#;
const TAKEN: &str = r#"{"type":"error","re":"name","code":"name-taken","text":"Taken."}"#;

fn error(code: &str) -> String {
    format!(r#"{{"type":"error","re":"x","code":"{code}","text":"No."}}"#)
}

#[test]
fn a_session_begins_with_the_format_the_name_and_the_channels() {
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &["#general", "#dev"]);
    assert_eq!(play.session.prompt(), "(connecting)> ");
    assert_eq!(play.connects(), ["send /format json"]);
    assert_eq!(
        play.gets(&["* Welcome to here.\r", "* Type your name to begin, or /help."]),
        ["show * Welcome to here."]
    );
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /name alice"]);
    assert_eq!(
        play.gets(&[r#"{"type":"notice","text":"Hello, alice."}"#, NAME_OK]),
        ["show * Hello, alice.", "send /enter #general"]
    );
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":3}"##]),
        ["show * You entered #general (3 here).", "send /users #general", "send /enter #dev"]
    );
    assert!(!play.session.is_ready());
    assert!(
        play.gets(&[
            r##"{"type":"user","name":"bob","channel":"#general"}"##,
            r#"{"type":"ok","re":"users","count":1}"#,
        ])
        .is_empty(),
        "what completion wants to know isn't shown"
    );
    assert_eq!(play.session.names.lock().unwrap().people("b"), ["bob"]);
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]),
        ["show * You entered #dev (1 here).", "send /channels"]
    );
    assert!(play.session.is_ready());
    assert_eq!(play.session.prompt(), "#dev> ");
}

#[test]
fn a_missing_channel_is_created_and_a_lost_race_for_it_is_no_error() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &["#dev"]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(play.gets(&[&error("no-such-channel")]), ["send /create #dev"]);
    assert_eq!(play.gets(&[&error("channel-exists")]), ["send /enter #dev"]);
    assert_eq!(
        play.gets(&[&error("no-such-channel")]),
        ["complain #dev was refused: no-such-channel: No.", "finish(refused)"]
    );
}

#[test]
fn at_a_terminal_a_refused_name_is_asked_for_again() {
    let mut play = SessionScript::new(Mode::Terminal, Some("bob"), &["#dev"]);
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK, TAKEN]), ["send /name bob", "show ! name-taken: Taken."]);
    assert_eq!(play.session.prompt(), "name> ");
    assert_eq!(play.types(" alice "), ["send /name alice"]);
    assert_eq!(play.gets(&[NAME_OK]), ["send /enter #dev"]);
    assert_eq!(play.session.me(), Some("alice"));
}

#[test]
fn commands_work_before_there_is_a_name() {
    let mut play = SessionScript::new(Mode::Terminal, None, &["#dev"]);
    play.connects();
    play.gets(&[FORMAT_OK]);
    assert_eq!(play.types("/channels"), ["show > /channels", "send /channels"]);
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"channels","count":0}"#]),
        ["show * No channels are open. /create NAME makes one."]
    );
    assert_eq!(
        play.types("/login alice sesame"),
        ["show > /login alice …", "send /login alice sesame"]
    );
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"login","name":"alice"}"#]),
        ["show * You are signed in as alice. /logout signs out.", "send /enter #dev"]
    );
}

#[test]
fn an_own_line_is_shown_once_it_has_its_id() {
    let mut play = SessionScript::settled();
    assert_eq!(play.types("hi all"), ["send /once feed-1 #general hi all"]);
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"say","id":7,"time":"2026-11-22T07:44:05.1Z","channel":"#general"}"##]),
        ["show [#general] alice: hi all"]
    );
    assert_eq!(
        play.types("/msg bob psst"),
        ["show > /msg bob psst", "send /once feed-2 @bob psst"]
    );
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"msg","id":1,"to":"bob"}"#]),
        ["show [@bob] alice: psst"]
    );
    play.types("//etc");
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"say","id":8,"channel":"#general"}"##]),
        ["show [#general] alice: /etc"]
    );
    play.types("again");
    assert_eq!(
        play.gets(&[&error("too-fast")]),
        ["show ! too-fast: No.", "show * Not said: again (Up brings it back)"]
    );
}

#[test]
fn the_prompt_follows_where_lines_go() {
    let mut play = SessionScript::settled();
    for (typed, answer, prompt) in [
        ("/private bob", r#"{"type":"ok","re":"private","with":"bob"}"#, "@bob> "),
        ("/enter dev", r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##, "#dev> "),
        ("/leave", r##"{"type":"ok","re":"leave","channel":"#dev","current":"@bob"}"##, "@bob> "),
        (
            "/leave",
            r##"{"type":"ok","re":"leave","with":"bob","current":"#general"}"##,
            "#general> ",
        ),
        (
            "/leave",
            r##"{"type":"ok","re":"leave","channel":"#general","current":null}"##,
            "(nowhere)> ",
        ),
        ("/create x", r##"{"type":"ok","re":"create","channel":"#x","members":1}"##, "#x> "),
    ] {
        play.types(typed);
        play.gets(&[answer]);
        assert_eq!(play.session.prompt(), prompt, "{typed}");
    }
    let kicked = r##"{"type":"kicked","channel":"#x","user":"ALICE","by":"bob","current":null}"##;
    assert_eq!(
        play.gets(&[kicked]),
        ["show * bob kicked you from #x. You are in no conversation."]
    );
    assert_eq!(play.session.prompt(), "(nowhere)> ");
    play.types("/private bob");
    play.gets(&[
        r#"{"type":"ok","re":"private","with":"bob"}"#,
        r#"{"type":"renamed","from":"bob","to":"rob"}"#,
    ]);
    assert_eq!(play.session.prompt(), "@rob> ");
}

#[test]
fn a_lost_connection_is_reported_and_retried_with_growing_delays() {
    let mut play = SessionScript::settled();
    assert_eq!(
        play.loses("the server closed it"),
        ["show * Connection lost: the server closed it. Trying again in 1 s."]
    );
    assert_eq!(play.session.prompt(), "(offline) #general> ");
    assert_eq!(
        play.types("hi"),
        ["show * Not said yet: hi (it goes into #general once the connection is back)"]
    );
    let mut output = Vec::new();
    let mut at = Vec::new();
    for _ in 0..8 {
        let (secs, done) = play.waits();
        assert_eq!(done, ["connect"]);
        at.push(secs);
        output.extend(play.loses("refused"));
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 61, 91, 121]);
    assert_eq!(output.len(), 5, "{output:?}");
    assert_eq!(
        output[4],
        "show * No connection: refused. Trying again every 30 s from now on; an empty line tries at once."
    );
    assert_eq!(play.types(""), ["connect"]);
}

#[test]
fn the_reason_of_a_bye_is_shown_once() {
    let mut play = SessionScript::settled();
    assert!(play.gets(&[r#"{"type":"bye","reason":"the server is stopping"}"#]).is_empty());
    assert_eq!(
        play.loses("the server closed it"),
        ["show * The server closed the connection: the server is stopping. Trying again in 1 s."]
    );
}

#[test]
fn a_client_killed_by_an_operator_does_not_reconnect() {
    let mut play = SessionScript::settled();
    assert_eq!(
        play.gets(&[
            r#"{"type":"killed","by":"carol","reason":"spam"}"#,
            r#"{"type":"bye","reason":"an operator of the server ended your connection"}"#,
        ]),
        ["show * carol, an operator of the server, ended your connection: spam"]
    );
    let output = play.loses("the server closed it");
    assert_eq!(
        output,
        [
            "complain here:5002 closed the connection: an operator of the server ended your connection",
            "finish(refused)",
        ]
    );
}

#[test]
fn a_steady_connection_resets_the_backoff() {
    let mut play = SessionScript::settled();
    play.loses("x");
    play.waits();
    let (_, _) = (play.loses("x"), play.waits());
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK, r##"{"type":"ok","re":"enter","channel":"#general"}"##]);
    assert!(play.session.is_ready());
    assert!(play.loses("x")[0].ends_with("in 4 s."), "flapping goes on growing");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK, r##"{"type":"ok","re":"enter","channel":"#general"}"##]);
    play.now.instant += STEADY;
    assert!(play.loses("x")[0].ends_with("in 1 s."));
}

#[test]
fn all_conversations_are_resumed_from_their_read_positions_the_current_one_last() {
    let mut play = SessionScript::settled();
    play.gets(&[r##"{"type":"message","id":41,"channel":"#general","from":"bob","text":"a"}"##]);
    play.types("/enter dev");
    play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]);
    play.types("mine");
    play.gets(&[r##"{"type":"ok","re":"say","id":7,"channel":"#dev"}"##]);
    play.types("/enter general");
    play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":1}"##]);
    play.loses("x");
    play.waits();
    assert_eq!(play.connects(), ["send /format json"]);
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /name alice"]);
    let again = play.gets(&[r#"{"type":"notice","text":"Hello."}"#, NAME_OK]);
    assert_eq!(again, ["show * Connected again to here:5002.", "send /enter #dev after 7"]);
    assert_eq!(play.session.prompt(), "(connecting) #general> ");
    assert_eq!(
        play.gets(&[&error("bad-argument")]),
        [
            "show * The server doesn't have line 7 of #dev any more, up to which you had read; it may have \
             been set back. What it has last follows, /history #dev shows more.",
            "send /enter #dev"
        ]
    );
    let next = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]);
    assert_eq!(next[1], "send /enter #general after 41");
    // A second loss during the reconnection doesn't forget the current conversation.
    play.loses("x");
    play.waits();
    play.connects();
    let third = play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(third[2], "send /enter #dev", "nothing is known of what it has now");
    assert_eq!(
        play.gets(&[&error("banned")]),
        ["show ! banned: No.", "send /enter #general after 41"]
    );
    assert_eq!(play.gets(&[&error("no-such-channel")]), ["send /create #general"]);
    play.gets(&[r##"{"type":"ok","re":"create","channel":"#general","members":1}"##]);
    assert_eq!(play.session.prompt(), "#general> ");
}

#[test]
fn a_private_chat_is_reopened_only_if_it_was_current() {
    let mut play = SessionScript::settled();
    play.types("/private bob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"bob"}"#]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"history","with":"bob","count":0}"#]),
        ["send /enter #general"]
    );
    let next = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":1}"##]);
    assert_eq!(next[1], "send /private bob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"bob"}"#]);
    assert_eq!(play.session.prompt(), "@bob> ");
}

#[test]
fn a_name_held_by_the_dead_connection_is_retried() {
    let mut play = SessionScript::settled();
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(
        play.gets(&[FORMAT_OK, TAKEN]),
        [
            "send /name alice",
            "show * The name can't be had yet (name-taken: Taken.) It is asked for again by itself.",
        ]
    );
    for _ in 1..MAX_NAME_TRIES {
        assert_eq!(play.waits().1, ["send /name alice"]);
        assert!(play.gets(&[TAKEN]).is_empty());
    }
    play.waits();
    assert_eq!(play.gets(&[TAKEN]), ["show ! name-taken: Taken."]);
    assert_eq!(play.session.prompt(), "name> ");
    play.types("/name al");
    let again = play.gets(&[r#"{"type":"ok","re":"name","name":"al"}"#]);
    assert_eq!(again.last().unwrap(), "send /enter #general");
}

#[test]
fn unanswered_lines_are_reported_when_the_connection_is_lost() {
    let mut play = SessionScript::settled();
    play.types("/topic new");
    play.types("/login alice sesame");
    play.types("after that");
    play.types("/say #dev there");
    assert_eq!(
        play.loses("x"),
        [
            "show * Not confirmed: /topic new (Up brings it back)",
            "show * Not sent: /login alice …",
            "show * Not sent: after that (Up brings it back)",
            "show * Connection lost: x. Trying again in 1 s.",
            "show * 1 line isn't said yet, as far as is known; what is missing goes once the connection is back.",
        ]
    );
}

#[test]
fn a_silent_server_is_pinged_and_then_left() {
    let mut play = SessionScript::settled();
    assert_eq!(play.waits(), (60, vec!["send /ping".into()]));
    assert!(play.gets(&[r#"{"type":"ok","re":"ping"}"#]).is_empty());
    assert_eq!(play.waits(), (120, vec!["send /ping".into()]));
    let (secs, done) = play.waits();
    assert_eq!(secs, 140);
    assert_eq!(done, ["hangup", "show * Connection lost: no word for 80 s. Trying again in 1 s."]);
}

#[test]
fn a_pipe_leaves_when_its_input_has_ended_and_all_is_answered() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    assert!(!play.session.wants_input());
    play.gets(&[FORMAT_OK, NAME_OK]);
    assert!(play.session.wants_input());
    assert_eq!(play.types("hi"), ["send hi"]);
    play.session.input_ended(play.now);
    assert!(play.done().is_empty());
    let ok = r##"{"type":"ok","re":"say","id":7,"channel":"#general"}"##;
    assert_eq!(play.gets(&[ok]), ["send /quit"]);
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"quit"}"#, r#"{"type":"bye","reason":"you left"}"#]),
        ["show * Bye."]
    );
    assert_eq!(play.loses("closed"), ["finish(done)"]);
}

#[test]
fn a_refused_line_of_a_pipe_is_reported_and_determines_the_exit_code() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.types("hi");
    play.session.input_ended(play.now);
    assert_eq!(
        play.gets(&[&error("no-conversation")]),
        ["complain refused: no-conversation: No.", "send /quit"]
    );
    assert_eq!(play.loses("closed"), ["finish(refused)"]);
}

#[test]
fn the_first_line_of_a_pipe_is_the_name_and_a_refused_one_ends_it() {
    for first in ["bob", "/name bob"] {
        let mut play = SessionScript::new(Mode::Pipe, None, &[]);
        play.connects();
        play.gets(&[FORMAT_OK]);
        assert!(play.session.wants_input());
        assert_eq!(play.types(first), ["send /name bob"]);
        assert!(!play.session.wants_input(), "the rest waits for the name");
        assert_eq!(
            play.gets(&[TAKEN]),
            ["complain the name was refused: name-taken: Taken.", "finish(refused)"]
        );
    }
}

#[test]
fn a_pipe_does_not_try_again() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    assert_eq!(
        play.loses("Connection refused"),
        ["complain can't reach here:5002: Connection refused", "finish(lost)"]
    );
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.types("hi");
    assert_eq!(
        play.loses("the server closed it"),
        ["complain lost here:5002: the server closed it; 1 line was not confirmed", "finish(lost)"]
    );
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&["! server-full: Too many people are here.\r"]);
    assert_eq!(
        play.loses("the server closed it"),
        ["complain here:5002 refused: server-full: Too many people are here.", "finish(lost)"]
    );
}

#[test]
fn a_permanently_refused_client_does_not_reconnect() {
    let banned = "! banned: This address is banned from this server.\r";
    let output = "complain here:5002 refused: banned: This address is banned from this server.";
    for mode in [Mode::Pipe, Mode::Terminal] {
        let mut play = SessionScript::new(mode, Some("alice"), &[]);
        play.connects();
        assert_eq!(play.gets(&[banned]), ["hangup", output, "finish(refused)"]);
    }
    // The same for a client that was connected before.
    let mut play = SessionScript::settled();
    play.loses("the server closed it");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[banned]), ["hangup", output, "finish(refused)"]);
    for passing in ["! server-full: Too many.\r", "! unavailable: Not now.\r"] {
        let mut play = SessionScript::settled();
        play.loses("the server closed it");
        play.waits();
        play.connects();
        assert_eq!(play.gets(&[passing]), [""; 0]);
        assert!(play.loses("the server closed it")[0].ends_with("Trying again in 2 s."));
    }
}

#[test]
fn a_pipe_leaves_a_server_that_stops_answering() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.types("hi");
    play.types("ho");
    play.now.instant += Duration::from_secs(6);
    play.gets(&[r##"{"type":"ok","re":"say","id":7,"channel":"#general"}"##]);
    // Messages of others are no answer.
    play.gets(&[r##"{"type":"message","id":8,"channel":"#general","from":"bob","text":"a"}"##]);
    let (secs, done) = play.waits();
    assert_eq!(secs, 16);
    assert_eq!(
        done,
        [
            "hangup",
            "complain lost here:5002: no answer for 10 s; 1 line was not confirmed",
            "finish(lost)"
        ]
    );
}

#[test]
fn a_server_of_another_protocol_is_left() {
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &[]);
    play.connects();
    let (secs, done) = play.waits();
    assert_eq!(secs, 10);
    assert_eq!(done, ["hangup", "complain lost here:5002: no answer for 10 s", "finish(lost)"]);
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &[]);
    play.connects();
    let lines = vec!["HTTP/1.1 400 Bad Request"; MAX_STRANGE + 1];
    assert_eq!(play.gets(&lines).last().unwrap(), "finish(lost)");
}

#[test]
fn a_long_message_of_the_day_is_shown_and_does_not_end_the_session() {
    let mut play = SessionScript::new(Mode::Terminal, None, &[]);
    play.connects();
    let lines = vec!["* Be kind to each other."; 600];
    assert_eq!(play.gets(&lines).len(), 600);
    let how = play.gets(&["* Type your name to begin, or /help for the menu."]);
    assert_eq!(how, ["show * Type your name to begin, or /help for the menu."]);
}

#[test]
fn lines_typed_while_entering_are_sent_once_that_is_done() {
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &["#general"]);
    play.connects();
    assert!(play.types("hi").is_empty());
    play.gets(&[FORMAT_OK, NAME_OK]);
    let done = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":3}"##]);
    assert_eq!(done.last().unwrap(), "send /once feed-1 #general hi");
}

fn ok_to_message(id: u64) -> String {
    let time = "2026-11-22T07:44:05.100Z";
    format!(r##"{{"type":"ok","re":"once","id":{id},"time":"{time}","channel":"#general"}}"##)
}

fn entered(last: u64) -> String {
    format!(r##"{{"type":"ok","re":"enter","channel":"#general","members":1,"last":{last}}}"##)
}

fn past(id: u64, from: &str, text: &str) -> String {
    live(id, from, text).replace(r#""id""#, r#""past":true,"id""#)
}

fn live(id: u64, from: &str, text: &str) -> String {
    let time = "2026-11-22T07:44:05Z";
    format!(
        r##"{{"type":"message","id":{id},"time":"{time}","channel":"#general","from":"{from}","text":"{text}"}}"##
    )
}

fn privately(id: u64, from: &str, text: &str) -> String {
    format!(r#"{{"type":"private","id":{id},"from":"{from}","to":"alice","text":"{text}"}}"#)
}

impl SessionScript {
    /// Loses the connection, reconnects and takes the name again.
    fn comes_back(&mut self) -> Vec<String> {
        self.loses("x");
        self.waits();
        self.connects();
        self.gets(&[FORMAT_OK, NAME_OK])
    }
}

#[test]
fn lines_are_sent_one_by_one_in_order_and_resent_with_the_same_key() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    assert_eq!(play.types("one"), ["send /once feed-1 #general one"]);
    assert!(play.types("two").is_empty(), "two waits for one");
    play.types("/say #dev three");
    play.loses("x");
    assert_eq!(
        play.types("four"),
        ["show * Not said yet: four (it goes into #general once the connection is back)"]
    );
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK, NAME_OK])[2], "send /enter #general after 7");
    assert_eq!(
        play.gets(&[&entered(7)]),
        ["show * You are now in #general (1 here).", "send /once feed-1 #general one"]
    );
    let second = play.gets(&[&ok_to_message(8)]);
    assert_eq!(second, ["show [#general] alice: one", "send /once feed-2 #general two"]);
    let third = play.gets(&[&ok_to_message(9)]);
    assert_eq!(third[1..], ["show > /say #dev three", "send /once feed-3 #dev three"]);
    let ok = r##"{"type":"ok","re":"once","id":1,"channel":"#dev"}"##;
    let fourth = play.gets(&[ok]);
    assert_eq!(fourth, ["show [#dev] alice: three", "send /once feed-4 #general four"]);
    assert_eq!(play.gets(&[&ok_to_message(10)]), ["show [#general] alice: four"]);
}

#[test]
fn an_unconfirmed_message_is_shown_once_at_its_id() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    play.types("one");
    play.comes_back();
    let back = play.gets(&[
        &past(7, "bob", "a"),
        &past(8, "alice", "one"),
        &past(9, "bob", "b"),
        &entered(9),
    ]);
    assert_eq!(
        back,
        [
            "show * You are now in #general (1 here).",
            "show * — 2 lines in #general while you were away —",
            "show [#general 2026-11-22 07:44:05] alice: one",
            "show [#general 2026-11-22 07:44:05] bob: b",
            "send /once feed-1 #general one",
        ]
    );
    assert!(play.gets(&[&ok_to_message(8)]).is_empty(), "it stands above already");
    assert_eq!(play.comes_back()[2], "send /enter #general after 9");
}

#[test]
fn a_connection_lost_while_catching_up_loses_and_duplicates_nothing() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    play.types("one");
    play.comes_back();
    assert!(play.gets(&[&past(8, "alice", "one"), &past(9, "bob", "b")]).is_empty());
    assert_eq!(play.comes_back()[2], "send /enter #general after 7");
    let back = play.gets(&[&past(8, "alice", "one"), &past(9, "bob", "b"), &entered(9)]);
    assert_eq!(back.len(), 5, "{back:?}");
    assert!(play.gets(&[&ok_to_message(8)]).is_empty());
}

#[test]
fn an_action_is_searched_for_before_it_is_resent() {
    for (rows, again) in [(vec![], true), (vec![past(8, "alice", "waves")], false)] {
        let mut play = SessionScript::settled();
        play.gets(&[&live(7, "bob", "a")]);
        assert_eq!(play.types("/me waves"), ["show > /me waves", "send /me waves"]);
        play.comes_back();
        for row in &rows {
            play.gets(&[&row.replace(r#""id""#, r#""action":true,"id""#)]);
        }
        let sent = play.gets(&[&entered(8)]).contains(&"send /me waves".to_owned());
        assert_eq!(sent, again, "{rows:?}");
        assert_eq!(play.session.unanswered(), usize::from(again));
    }
}

#[test]
fn under_another_name_a_line_is_searched_for_before_it_is_resent() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    play.types("one");
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, &TAKEN.replace("name-taken", "name-registered")]);
    play.types("al");
    play.gets(&[r#"{"type":"ok","re":"name","name":"al"}"#, &past(8, "alice", "one")]);
    let back = play.gets(&[&entered(8)]);
    assert!(!back.iter().any(|done| done.contains("/once")), "{back:?}");
    assert_eq!(play.session.unanswered(), 0);
}

#[test]
fn messages_that_cannot_be_stored_are_retried_in_order() {
    let mut play = SessionScript::settled();
    play.types("one");
    play.types("two");
    assert_eq!(
        play.gets(&[&error("unavailable")]),
        ["show * Not said yet: one (No.) It is tried again by itself, first in 1 s."]
    );
    assert_eq!(play.types("/users"), ["show > /users", "send /users"], "one may ask meanwhile");
    play.gets(&[r#"{"type":"ok","re":"users","count":0}"#]);
    let mut at = Vec::new();
    for _ in 0..7 {
        let (secs, done) = play.waits();
        assert_eq!(done, ["send /once feed-1 #general one"]);
        at.push(secs);
        assert!(play.gets(&[&error("unavailable")]).is_empty(), "told once");
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 61, 91]);
    play.waits();
    assert_eq!(
        play.gets(&[&ok_to_message(8)]),
        ["show [#general] alice: one", "send /once feed-2 #general two"]
    );
}

#[test]
fn a_pipe_stops_retrying() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &["#general"]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK, &entered(0)]);
    play.types("one");
    play.session.input_ended(play.now);
    for _ in 0..sending::MAX_PIPE_TRIES {
        play.gets(&[&error("unavailable")]);
        assert_eq!(play.waits().1, ["send /once feed-1 #general one"]);
    }
    assert_eq!(
        play.gets(&[&error("unavailable")]),
        ["complain refused: unavailable: No.", "send /quit"]
    );
    assert_eq!(play.loses("closed"), ["finish(refused)"]);
}

#[test]
fn a_user_from_before_a_restart_is_awaited() {
    let mut play = SessionScript::settled();
    play.types("/msg bob one");
    play.comes_back();
    play.gets(&[&entered(0)]);
    let output = play.gets(&[&error("no-such-user")]);
    assert!(output[0].starts_with("show * Not said yet: one (No.)"), "{output:?}");
    assert_eq!(play.waits().1, ["send /once feed-1 @bob one"]);
    play.now.instant += Duration::from_secs(20);
    assert_eq!(
        play.gets(&[&error("no-such-user")]),
        ["show ! no-such-user: No.", "show * Not said: /msg bob one (Up brings it back)"]
    );
}

#[test]
fn missed_private_messages_come_before_live_ones() {
    let mut play = SessionScript::settled();
    play.gets(&[&privately(3, "bob", "a")]);
    assert_eq!(play.comes_back()[2], "send /history @bob after 3");
    assert!(play.gets(&[&privately(6, "bob", "d")]).is_empty(), "it waits for those before");
    let caught_up = play.gets(&[
        &privately(4, "bob", "b").replace(r#""id""#, r#""past":true,"id""#),
        &privately(5, "bob", "c").replace(r#""id""#, r#""past":true,"id""#),
        r#"{"type":"ok","re":"history","with":"bob","count":2}"#,
    ]);
    assert_eq!(
        caught_up,
        [
            "show * — 2 lines in @bob while you were away —",
            "show [@bob] bob: b",
            "show [@bob] bob: c",
            "show [@bob] bob: d",
            "send /enter #general",
        ]
    );
    assert_eq!(play.session.last_writer.as_deref(), Some("bob"));
}

#[test]
fn lines_dropped_for_a_slow_reader_are_fetched_and_shown_in_order() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    let missed = r##"{"type":"missed","channel":"#general","count":2,"after":7}"##;
    assert_eq!(play.gets(&[missed]), ["send /history #general 500 after 7"]);
    assert!(play.gets(&[&live(10, "bob", "d")]).is_empty());
    let page = r##"{"type":"ok","re":"history","channel":"#general","count":2}"##;
    assert_eq!(
        play.gets(&[&past(8, "bob", "b"), &past(9, "bob", "c"), page]),
        [
            "show * — 2 lines in #general that came too fast —",
            "show [#general 2026-11-22 07:44:05] bob: b",
            "show [#general 2026-11-22 07:44:05] bob: c",
            "send /history #general 500 after 9",
        ]
    );
    assert!(play.gets(&[&past(10, "bob", "d")]).is_empty());
    let done = play.gets(&[&page.replace('2', "1")]);
    assert_eq!(
        done[1..],
        ["show [#general 2026-11-22 07:44:05] bob: d", "send /history #general 500 after 10"]
    );
    assert!(play.gets(&[&page.replace('2', "0")]).is_empty(), "nothing is shown twice");
    assert_eq!(play.gets(&[&live(11, "bob", "e")]), ["show [#general] bob: e"]);
}

#[test]
fn history_is_shown_under_headings() {
    let mut play = SessionScript::settled();
    play.gets(&[&live(7, "bob", "a")]);
    play.types("/history 2");
    let history = r##"{"type":"ok","re":"history","channel":"#general","count":2}"##;
    assert_eq!(
        play.gets(&[&past(6, "bob", "z"), &past(7, "bob", "a"), history]),
        [
            "show * — 2 lines of #general —",
            "show [#general 2026-11-22 07:44:05] bob: z",
            "show [#general 2026-11-22 07:44:05] bob: a",
            "show * — /history #general 20 before 6 shows what was said before —",
        ]
    );
    play.types("/search z");
    assert_eq!(
        play.gets(&[&past(6, "bob", "z"), r#"{"type":"ok","re":"search","count":1}"#]),
        [
            "show * — 1 line found, newest first —",
            "show [#general 2026-11-22 07:44:05] bob: z",
            "show * 1 found.",
        ]
    );
    play.types("/history #general before 1");
    assert_eq!(
        play.gets(&[&history.replace('2', "0")]),
        ["show * There are no such lines in #general."]
    );
}

#[test]
fn entering_shows_the_last_messages_and_no_message_twice() {
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &["#general"]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    let done = play.gets(&[&past(4, "bob", "a"), &past(5, "bob", "b"), &entered(5)]);
    assert_eq!(
        done[..4],
        [
            "show * You entered #general (1 here).",
            "show * — last said in #general: 2 lines —",
            "show [#general 2026-11-22 07:44:05] bob: a",
            "show [#general 2026-11-22 07:44:05] bob: b",
        ]
    );
    play.gets(&[r#"{"type":"ok","re":"channels","count":0}"#]);
    play.types("/leave");
    play.gets(&[r##"{"type":"ok","re":"leave","channel":"#general","current":null}"##]);
    play.types("/enter general");
    let done = play.gets(&[&past(5, "bob", "b"), &past(6, "bob", "c"), &entered(6)]);
    assert_eq!(
        done[1..],
        ["show * — last said in #general: 1 line —", "show [#general 2026-11-22 07:44:05] bob: c"]
    );
}

#[test]
fn a_line_goes_to_the_conversation_that_was_current_when_it_was_typed() {
    let mut play = SessionScript::settled();
    play.types("one");
    play.types("two");
    let kicked =
        r##"{"type":"kicked","channel":"#general","user":"alice","by":"bob","current":"#dev"}"##;
    play.gets(&[kicked]);
    assert_eq!(play.gets(&[&ok_to_message(1)])[1], "send /once feed-2 #general two");
    play.gets(&[&ok_to_message(2)]);
    play.types("/enter ops");
    assert!(play.types("three").is_empty());
    let ok = r##"{"type":"ok","re":"enter","channel":"#ops","members":1,"last":0}"##;
    assert_eq!(play.gets(&[ok]).last().unwrap(), "send /once feed-4 #ops three");
}

#[test]
fn lines_beyond_the_bound_are_given_back() {
    let mut play = SessionScript::settled();
    play.loses("x");
    for n in 0..MAX_OUTBOX {
        play.types(&format!("line {n}"));
    }
    assert_eq!(
        play.types("one more"),
        ["show * Not said, 100 lines wait already: one more (Up brings it back)"]
    );
}

#[test]
fn unsent_lines_are_listed_on_quitting() {
    let mut play = SessionScript::settled();
    play.types("one");
    play.types("two");
    assert!(play.types("/quit").is_empty(), "what is said goes first");
    let left = play.gets(&[&ok_to_message(1), &ok_to_message(2)]);
    assert_eq!(left.last().unwrap(), "send /quit");
    let mut play = SessionScript::settled();
    play.types("one");
    play.types("/quit");
    assert_eq!(
        play.waits(),
        (
            3,
            vec!["show * Left without knowing that it was said: one".into(), "finish(done)".into()]
        )
    );
}

#[test]
fn quitting_during_a_reconnection_is_final() {
    for (name, answers) in
        [(None, &[FORMAT_OK][..]), (Some("alice"), &[NAME_OK]), (Some("alice"), &[TAKEN])]
    {
        let mut play = SessionScript::new(Mode::Terminal, name, &["#general"]);
        play.connects();
        if name.is_some() {
            play.gets(&[FORMAT_OK]);
        }
        assert_eq!(play.types("/quit"), ["send /quit"]);
        assert!(play.gets(answers).is_empty(), "{answers:?}: something else is begun");
        assert_eq!(play.session.prompt(), "(leaving)> ");
        let bye = [r#"{"type":"ok","re":"quit"}"#, r#"{"type":"bye","reason":"you left"}"#];
        assert_eq!(play.gets(&bye), ["show * Bye."]);
        assert_eq!(play.loses("end"), ["finish(done)"]);
    }
    // History before an answer is shown: the server marks it as read.
    let mut play = SessionScript::new(Mode::Terminal, Some("alice"), &["#general"]);
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK, NAME_OK]).last().unwrap(), "send /enter #general");
    play.types("/quit");
    let entered = r##"{"type":"ok","re":"enter","channel":"#general","members":3}"##;
    let shown = play.gets(&[&past(1, "bob", "hello"), entered]);
    assert!(shown.iter().any(|line| line.contains("hello")), "{shown:?}");
    assert!(shown.iter().all(|line| line.starts_with("show ")), "{shown:?}");
}

#[test]
fn quitting_works_everywhere() {
    let mut play = SessionScript::settled();
    assert_eq!(play.types("/qui good night"), ["send /qui good night"]);
    assert_eq!(play.waits().1, ["finish(done)"], "a farewell that doesn't come isn't waited for");
    let mut play = SessionScript::settled();
    play.loses("x");
    assert_eq!(play.types("/quit"), ["finish(done)"]);
    let mut play = SessionScript::settled();
    play.session.input_ended(play.now);
    assert_eq!(play.done(), ["send /quit"]);
}

#[test]
fn the_format_is_not_the_users_to_change() {
    let mut play = SessionScript::settled();
    let done = play.types("/FORM text");
    assert_eq!(done, ["show ! bad-argument: chat-cli needs the JSON form and shows it as text."]);
}
