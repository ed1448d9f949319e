use super::entry::MAX_NAME_TRIES;
use super::leaving::{MAX_STRANGE, STEADY};
use super::*;
use crate::show::{Look, line};

/// Plays a session by hand: what is done comes out as short lines, the time stands still unless
/// it is moved.
struct Play {
    session: Session,
    start: Instant,
    now: Now,
}

impl Play {
    fn new(mode: Mode, name: Option<&str>, enter: &[&str]) -> Self {
        let now =
            Now { instant: Instant::now(), time: "2026-11-22T07:44:05Z".parse().unwrap(), luck: 0 };
        let wish = Wish {
            mode,
            address: "here:5002".into(),
            name: name.map(Into::into),
            enter: enter.iter().map(ToString::to_string).collect(),
        };
        let known = Arc::new(Mutex::new(Known::default()));
        Self { session: Session::new(wish, known, now), start: now.instant, now }
    }

    /// At a terminal, named alice and in #general, nothing unanswered.
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
        let text = |shown: &Shown| line(shown, &Look::Plain, me.as_deref(), self.now.time).text;
        let actions = self.session.actions();
        actions
            .iter()
            .map(|action| match action {
                Action::Send(line) => format!("send {line}"),
                Action::Show(shown) => format!("show {}", text(shown)),
                Action::Complain(text) => format!("complain {text}"),
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

    /// Waits for the session's own deadline; what happened, and after how many seconds since the
    /// beginning.
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
fn a_session_begins_with_the_form_the_name_and_the_channels() {
    let mut play = Play::new(Mode::Terminal, Some("alice"), &["#general", "#dev"]);
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
    assert_eq!(play.session.known.lock().unwrap().people("b"), ["bob"]);
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]),
        ["show * You entered #dev (1 here).", "send /channels"]
    );
    assert!(play.session.is_ready());
    assert_eq!(play.session.prompt(), "#dev> ");
}

#[test]
fn a_channel_that_is_absent_is_made_and_a_race_for_it_lost_in_peace() {
    let mut play = Play::new(Mode::Pipe, Some("alice"), &["#dev"]);
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
    let mut play = Play::new(Mode::Terminal, Some("bob"), &["#dev"]);
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK, TAKEN]), ["send /name bob", "show ! name-taken: Taken."]);
    assert_eq!(play.session.prompt(), "name> ");
    assert_eq!(play.types(" alice "), ["send /name alice"]);
    assert_eq!(play.gets(&[NAME_OK]), ["send /enter #dev"]);
    assert_eq!(play.session.me(), Some("alice"));
}

#[test]
fn commands_work_before_there_is_a_name() {
    let mut play = Play::new(Mode::Terminal, None, &["#dev"]);
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
    assert_eq!(play.gets(&[r#"{"type":"ok","re":"login","name":"alice"}"#]), ["send /enter #dev"]);
}

#[test]
fn ones_own_line_is_shown_once_it_has_its_place() {
    let mut play = Play::settled();
    assert_eq!(play.types("hi all"), ["send hi all"]);
    assert_eq!(
        play.gets(&[r##"{"type":"ok","re":"say","id":7,"time":"2026-11-22T07:44:05.1Z","channel":"#general"}"##]),
        ["show [#general] alice: hi all"]
    );
    assert_eq!(play.types("/msg bob psst"), ["show > /msg bob psst", "send /msg bob psst"]);
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
    assert_eq!(play.gets(&[&error("too-fast")]), ["show ! too-fast: No."]);
}

#[test]
fn the_prompt_follows_where_lines_go() {
    let mut play = Play::settled();
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
fn a_lost_connection_is_told_and_tried_again_with_growing_pauses() {
    let mut play = Play::settled();
    assert_eq!(
        play.loses("the server closed it"),
        ["show * Connection lost: the server closed it. Trying again in 1 s."]
    );
    assert_eq!(play.session.prompt(), "(offline) #general> ");
    assert_eq!(
        play.types("hi"),
        ["show * Not sent, there is no connection: hi (Up brings it back)"]
    );
    let mut told = Vec::new();
    let mut at = Vec::new();
    for _ in 0..8 {
        let (secs, done) = play.waits();
        assert_eq!(done, ["connect"]);
        at.push(secs);
        told.extend(play.loses("refused"));
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 61, 91, 121]);
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(
        told[4],
        "show * No connection: refused. Trying again every 30 s from now on; an empty line tries at once."
    );
    assert_eq!(play.types(""), ["connect"]);
}

#[test]
fn why_the_server_says_good_bye_is_told_once() {
    let mut play = Play::settled();
    assert!(play.gets(&[r#"{"type":"bye","reason":"the server is stopping"}"#]).is_empty());
    assert_eq!(
        play.loses("the server closed it"),
        ["show * The server closed the connection: the server is stopping. Trying again in 1 s."]
    );
}

#[test]
fn a_steady_connection_makes_the_pauses_begin_anew() {
    let mut play = Play::settled();
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
fn everything_is_entered_again_the_current_one_last_and_from_where_one_was() {
    let mut play = Play::settled();
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
    assert_eq!(play.gets(&[&error("bad-argument")]), ["send /enter #dev"], "no `after` there");
    let next = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]);
    assert_eq!(next[1], "send /enter #general after 41");
    // Lost once more on the way: where one was is not forgotten.
    play.loses("x");
    play.waits();
    play.connects();
    let third = play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(third[2], "send /enter #dev after 7");
    assert_eq!(
        play.gets(&[&error("banned")]),
        ["show ! banned: No.", "send /enter #general after 41"]
    );
    assert_eq!(play.gets(&[&error("no-such-channel")]), ["send /create #general"]);
    play.gets(&[r##"{"type":"ok","re":"create","channel":"#general","members":1}"##]);
    assert_eq!(play.session.prompt(), "#general> ");
}

#[test]
fn a_private_chat_is_gone_back_to_only_if_it_was_current() {
    let mut play = Play::settled();
    play.types("/private bob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"bob"}"#]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    let next = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":1}"##]);
    assert_eq!(next[1], "send /private bob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"bob"}"#]);
    assert_eq!(play.session.prompt(), "@bob> ");
}

#[test]
fn a_name_held_by_the_dead_connection_is_asked_for_again_some_times() {
    let mut play = Play::settled();
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK, TAKEN]), ["send /name alice"]);
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
fn lines_without_an_answer_are_told_when_the_connection_is_lost() {
    let mut play = Play::settled();
    play.types("one");
    play.types("/login alice sesame");
    let told = play.loses("x");
    assert_eq!(told[..2], ["show * Not confirmed: one", "show * Not confirmed: /login alice …"]);
    assert_eq!(told.len(), 3);
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut play = Play::settled();
    assert_eq!(play.waits(), (60, vec!["send /ping".into()]));
    assert!(play.gets(&[r#"{"type":"ok","re":"ping"}"#]).is_empty());
    assert_eq!(play.waits(), (120, vec!["send /ping".into()]));
    let (secs, done) = play.waits();
    assert_eq!(secs, 140);
    assert_eq!(done, ["hangup", "show * Connection lost: no word for 80 s. Trying again in 1 s."]);
}

#[test]
fn a_pipe_leaves_when_its_input_has_ended_and_all_is_answered() {
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
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
fn a_refused_line_of_a_pipe_is_told_and_makes_the_exit_code() {
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
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
        let mut play = Play::new(Mode::Pipe, None, &[]);
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
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
    assert_eq!(
        play.loses("Connection refused"),
        ["complain can't reach here:5002: Connection refused", "finish(lost)"]
    );
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.types("hi");
    assert_eq!(
        play.loses("the server closed it"),
        ["complain lost here:5002: the server closed it; 1 line was not confirmed", "finish(lost)"]
    );
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&["! server-full: Too many people are here.\r"]);
    assert_eq!(
        play.loses("the server closed it"),
        ["complain here:5002 refused: server-full: Too many people are here.", "finish(lost)"]
    );
}

#[test]
fn a_pipe_gives_up_a_server_that_stops_answering() {
    let mut play = Play::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.types("hi");
    play.types("ho");
    play.now.instant += Duration::from_secs(6);
    play.gets(&[r##"{"type":"ok","re":"say","id":7,"channel":"#general"}"##]);
    // Others talking is no answer.
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
fn what_does_not_speak_the_protocol_is_left() {
    let mut play = Play::new(Mode::Terminal, Some("alice"), &[]);
    play.connects();
    let (secs, done) = play.waits();
    assert_eq!(secs, 10);
    assert_eq!(done, ["hangup", "complain lost here:5002: no answer for 10 s", "finish(lost)"]);
    let mut play = Play::new(Mode::Terminal, Some("alice"), &[]);
    play.connects();
    let lines = vec!["HTTP/1.1 400 Bad Request"; MAX_STRANGE + 1];
    assert_eq!(play.gets(&lines).last().unwrap(), "finish(lost)");
}

#[test]
fn a_long_message_of_the_day_is_shown_and_shuts_nobody_out() {
    let mut play = Play::new(Mode::Terminal, None, &[]);
    play.connects();
    let lines = vec!["* Be kind to each other."; 600];
    assert_eq!(play.gets(&lines).len(), 600);
    let how = play.gets(&["* Type your name to begin, or /help for the menu."]);
    assert_eq!(how, ["show * Type your name to begin, or /help for the menu."]);
}

#[test]
fn lines_typed_while_entering_are_sent_once_that_is_done() {
    let mut play = Play::new(Mode::Terminal, Some("alice"), &["#general"]);
    play.connects();
    assert!(play.types("hi").is_empty());
    play.gets(&[FORMAT_OK, NAME_OK]);
    let done = play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":3}"##]);
    assert_eq!(done.last().unwrap(), "send hi");
}

#[test]
fn quitting_works_everywhere() {
    let mut play = Play::settled();
    assert_eq!(play.types("/qui good night"), ["send /qui good night"]);
    assert_eq!(play.waits().1, ["finish(done)"], "a farewell that doesn't come isn't waited for");
    let mut play = Play::settled();
    play.loses("x");
    assert_eq!(play.types("/quit"), ["finish(done)"]);
    let mut play = Play::settled();
    play.session.input_ended(play.now);
    assert_eq!(play.done(), ["send /quit"]);
}

#[test]
fn the_form_is_the_clients_own_affair() {
    let mut play = Play::settled();
    let done = play.types("/FO text");
    assert_eq!(done, ["show ! bad-argument: chat-cli needs the JSON form and shows it as text."]);
}
