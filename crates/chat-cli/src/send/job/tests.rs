use super::*;
use crate::identity::SignInCredential;

/// Drives a job by hand: its actions are recorded as short lines, and the clock stands still unless
/// a test moves it.
struct JobScript {
    job: SendJob,
    start: Instant,
    now: Now,
}

impl JobScript {
    fn new(change: impl FnOnce(&mut SendOptions)) -> Self {
        let now = Now {
            instant: Instant::now(),
            time: "2026-11-22T07:44:05Z".parse().unwrap(),
            jitter: 0,
        };
        let mut order = SendOptions {
            address: "here:5002".into(),
            identity: Identity::new("cron", []),
            to: "#dev".into(),
            again: true,
            create: false,
            timeout: Duration::from_mins(1),
            key: "k".into(),
        };
        change(&mut order);
        Self { job: SendJob::new(order), start: now.instant, now }
    }

    /// With an input that has ended after these lines, and a connection on which the name is set.
    fn named(lines: &[&str], change: impl FnOnce(&mut SendOptions)) -> Self {
        let mut play = Self::new(change);
        assert_eq!(play.reads(lines), ["connect"]);
        play.ends();
        assert_eq!(play.connects(), ["send /format json"]);
        assert!(play.gets(FORMAT_OK)[0].starts_with("send /"));
        play
    }

    fn done(&mut self) -> Vec<String> {
        let step = |step| match step {
            SendAction::Connect => "connect".to_owned(),
            SendAction::HangUp => "hang up".into(),
            SendAction::Send(line) => format!("send {line}"),
            SendAction::Complain(text) => format!("complain {text}"),
            SendAction::Keep(name, token) => format!("keep {name} {}", token.expose()),
            SendAction::Forget(name, token) => format!("forget {name} {}", token.expose()),
            SendAction::Finish(exit) => format!("finish {}", exit.code()),
        };
        self.job.steps().into_iter().map(step).collect()
    }

    fn reads(&mut self, lines: &[&str]) -> Vec<String> {
        for line in lines {
            self.job.given(UserInput::Line((*line).to_owned()), self.now);
        }
        self.done()
    }

    fn ends(&mut self) -> Vec<String> {
        self.job.given(UserInput::End, self.now);
        self.done()
    }

    fn connects(&mut self) -> Vec<String> {
        self.job.connected(self.now);
        self.done()
    }

    fn gets(&mut self, line: &str) -> Vec<String> {
        self.job.heard(line, self.now);
        self.done()
    }

    fn refused(&mut self, code: &str) -> Vec<String> {
        self.gets(&format!(r#"{{"type":"error","re":"x","code":"{code}","text":"No."}}"#))
    }

    fn loses(&mut self) -> Vec<String> {
        self.job.lost("it broke", self.now);
        self.done()
    }

    /// Moves the clock to the job's own deadline; returns the seconds since the start, and the
    /// actions.
    fn waits(&mut self) -> (u64, Vec<String>) {
        self.now.instant = self.job.deadline().expect("something to wait for");
        self.job.on_time(self.now);
        ((self.now.instant - self.start).as_secs(), self.done())
    }
}

const FORMAT_OK: &str = r#"{"type":"ok","re":"format"}"#;
const NAME_OK: &str = r#"{"type":"ok","re":"name","name":"cron"}"#;
const SAID: &str = r##"{"type":"ok","re":"once","id":7,"channel":"#dev"}"##;
const ENTERED: &str = r##"{"type":"ok","re":"enter","channel":"#dev"}"##;
const BYE: &str = r#"{"type":"ok","re":"quit"}"#;

#[test]
fn lines_are_sent_one_by_one_and_the_channel_is_entered_if_necessary() {
    let mut play = JobScript::named(&["one", "", "  two ", "/three"], |_| {});
    assert_eq!(play.gets(NAME_OK), ["send /once k-1 #dev one"]);
    assert_eq!(play.refused("not-in-channel"), ["send /enter #dev"]);
    assert!(
        play.gets(r##"{"type":"message","channel":"#dev","from":"b","text":"hi"}"##).is_empty()
    );
    assert_eq!(play.gets(ENTERED), ["send /once k-1 #dev one"]);
    assert_eq!(play.gets(SAID), ["send /once k-3 #dev two"]);
    assert_eq!(play.gets(SAID), ["send /once k-4 #dev /three"]);
    assert_eq!(play.gets(SAID), ["send /quit"]);
    assert_eq!(play.gets(BYE), ["finish 0"]);
    assert_eq!(play.job.deadline(), None);
}

#[test]
fn without_a_line_the_client_does_not_connect() {
    let mut play = JobScript::new(|_| {});
    assert!(play.reads(&["", " \t"]).is_empty());
    assert_eq!(play.ends(), ["finish 0"]);
}

#[test]
fn a_line_without_an_answer_is_sent_again_with_its_key() {
    let mut play = JobScript::named(&["one", "two"], |_| {});
    play.gets(NAME_OK);
    assert!(play.loses().is_empty());
    assert_eq!(play.waits(), (1, vec!["connect".into()]));
    assert!(play.loses().is_empty());
    assert_eq!(play.waits(), (3, vec!["connect".into()]));
    play.connects();
    assert_eq!(play.gets(FORMAT_OK), ["send /name cron"]);
    assert!(play.refused("name-taken").is_empty(), "its own lost connection may hold it");
    assert_eq!(play.waits(), (7, vec!["send /name cron".into()]));
    assert_eq!(play.gets(NAME_OK), ["send /once k-1 #dev one"]);
    assert_eq!(play.gets(SAID), ["send /once k-2 #dev two"]);
    assert!(play.refused("unavailable").is_empty());
    assert_eq!(play.waits(), (8, vec!["send /once k-2 #dev two".into()]));
    play.gets(SAID);
    assert_eq!(play.loses(), ["finish 0"], "all was said");
}

#[test]
fn a_silent_server_counts_as_lost() {
    let mut play = JobScript::named(&["one"], |_| {});
    play.gets(NAME_OK);
    assert_eq!(play.waits(), (10, vec!["hang up".into()]));
    assert_eq!(play.waits(), (11, vec!["connect".into()]));
}

#[test]
fn the_timeout_expires() {
    let mut play = JobScript::new(|order| order.timeout = Duration::from_secs(5));
    play.reads(&["one", "two"]);
    play.ends();
    play.loses();
    play.waits();
    play.loses();
    play.waits();
    play.loses();
    let output =
        "complain given up after 5 s: can't reach here:5002: it broke. 2 lines were not said.";
    assert_eq!(play.waits(), (5, vec![output.into(), "hang up".into(), "finish 3".into()]));

    let mut play =
        JobScript::named(&["one", "two"], |order| order.timeout = Duration::from_secs(5));
    play.gets(NAME_OK);
    play.gets(SAID);
    let output =
        "complain given up after 5 s: no answer from here:5002. line 2 may have been said or not.";
    assert_eq!(play.waits(), (5, vec![output.into(), "hang up".into(), "finish 5".into()]));
}

#[test]
fn each_line_has_its_own_timeout_and_the_input_has_none() {
    let mut play = JobScript::new(|_| {});
    play.reads(&["one"]);
    play.connects();
    play.gets(FORMAT_OK);
    play.gets(NAME_OK);
    assert!(play.gets(SAID).is_empty());
    assert_eq!(play.job.deadline(), None, "nothing waits");
    play.now.instant += Duration::from_hours(1);
    assert!(play.loses().is_empty());
    assert_eq!(play.reads(&["two"]), ["connect"]);
    assert_eq!(play.job.deadline(), Some(play.now.instant + Duration::from_mins(1)));
}

#[test]
fn without_once_nothing_is_retried() {
    let mut play = JobScript::named(&["one", "two"], |order| order.again = false);
    play.gets(NAME_OK);
    let output = "complain lost here:5002: it broke. 1 line was not said, and line 1 may have been said or not.";
    assert_eq!(play.loses(), [output, "hang up", "finish 3"]);
    let mut play = JobScript::named(&["one"], |order| order.again = false);
    play.gets(r#"{"type":"bye","reason":"the server is stopping"}"#);
    let output =
        "complain here:5002 closed the connection: the server is stopping. 1 line was not said.";
    assert_eq!(play.loses(), [output, "hang up", "finish 3"]);
    let mut play = JobScript::named(&["one"], |order| order.again = false);
    let output = "complain the name was refused: name-taken: No. 1 line was not said.";
    assert_eq!(play.refused("name-taken"), [output, "hang up", "finish 1"]);
}

#[test]
fn a_refused_line_is_reported_and_the_next_one_sent() {
    let mut play = JobScript::named(&["one", "two"], |order| order.to = "@bob".into());
    assert_eq!(play.gets(NAME_OK), ["send /once k-1 @bob one"]);
    assert_eq!(
        play.refused("muted"),
        ["complain line 1 was refused: muted: No.", "send /once k-2 @bob two"]
    );
    assert_eq!(play.gets(SAID), ["send /quit"]);
    assert_eq!(play.gets(BYE), ["finish 1"]);
}

#[test]
fn a_kicked_client_does_not_return() {
    let mut play = JobScript::named(&["one"], |_| {});
    play.gets(NAME_OK);
    play.refused("not-in-channel");
    play.gets(ENTERED);
    let output = "complain #dev was refused: not-in-channel: No. 1 line was not said.";
    assert_eq!(play.refused("not-in-channel"), [output, "hang up", "finish 1"]);
}

#[test]
fn a_missing_channel_is_created_only_on_request() {
    let mut play = JobScript::named(&["one"], |_| {});
    play.gets(NAME_OK);
    let output = "complain #dev was refused: no-such-channel: No. 1 line was not said.";
    assert_eq!(play.refused("no-such-channel"), [output, "hang up", "finish 1"]);
    let mut play = JobScript::named(&["one"], |order| order.create = true);
    play.gets(NAME_OK);
    assert_eq!(play.refused("no-such-channel"), ["send /create #dev"]);
    assert_eq!(play.refused("channel-exists"), ["send /enter #dev"], "somebody was faster");
    assert_eq!(play.gets(ENTERED), ["send /once k-1 #dev one"]);
}

#[test]
fn invalid_lines_are_not_sent() {
    let mut play = JobScript::new(|_| {});
    let most = MAX_LINE_BYTES - "/once k-1 #dev ".len();
    assert_eq!(play.reads(&["x".repeat(most).as_str()]), ["connect"]);
    let output = format!(
        "complain line 2 of the input is 1 byte too long, {most} fit into one said in #dev. Cut it into \
         several. It was not sent."
    );
    assert_eq!(play.reads(&["x".repeat(most + 1).as_str()]), [output]);
    play.job
        .given(UserInput::Unfit(InvalidLine { number: 3, why: InvalidReason::NotUtf8 }), play.now);
    assert_eq!(play.done(), ["complain line 3 of the input isn't UTF-8. It was not sent."]);
    play.ends();
    play.connects();
    play.gets(FORMAT_OK);
    play.gets(NAME_OK);
    play.gets(SAID);
    assert_eq!(play.gets(BYE), ["finish 6"]);
}

#[test]
fn an_account_signs_in() {
    let kept = || SignInCredential::Token { secret: Secret::new("old"), kept: true };
    let password = || SignInCredential::Password(Secret::new("sesame"));
    let mut play =
        JobScript::new(|order| order.identity = Identity::new("cron", [kept(), password()]));
    play.reads(&["one"]);
    play.connects();
    assert_eq!(play.gets(FORMAT_OK), ["send /login cron token:old"]);
    assert_eq!(play.refused("wrong-password"), ["forget cron old", "send /login cron sesame"]);
    assert_eq!(
        play.gets(r#"{"type":"ok","re":"login","name":"cron","token":"new"}"#),
        ["keep cron new", "send /once k-1 #dev one"]
    );
    play.loses();
    play.waits();
    play.connects();
    assert_eq!(play.gets(FORMAT_OK), ["send /login cron token:new"]);
    let output = "complain the token is not valid (any more): wrong-password: No. line 1 may have been said or \
                not; the input may hold more.";
    assert_eq!(play.refused("wrong-password"), ["forget cron new", output, "hang up", "finish 4"]);

    let mut play = JobScript::named(&["one"], |_| {});
    let output = "complain not signed in: name-registered: No. --token-file or --password-file says how to sign \
                in. 1 line was not said.";
    assert_eq!(play.refused("name-registered"), [output, "hang up", "finish 4"]);
}

#[test]
fn a_refused_connection_is_reported() {
    let mut play = JobScript::new(|order| order.timeout = Duration::from_secs(1));
    play.reads(&["one"]);
    play.ends();
    play.connects();
    play.gets("! server-full: Too many people are here.");
    play.loses();
    let output = "complain given up after 1 s: here:5002 refused: server-full: Too many people are here. \
                1 line was not said.";
    assert_eq!(play.waits().1[0], output);
    // Only temporary refusals are retried.
    for again in [true, false] {
        let mut play = JobScript::new(|order| order.again = again);
        play.reads(&["one"]);
        play.ends();
        play.connects();
        let output = "complain here:5002 refused: banned: Not this address. 1 line was not said.";
        assert_eq!(play.gets("! banned: Not this address."), [output, "hang up", "finish 1"]);
    }
    let mut play = JobScript::new(|_| {});
    play.reads(&["one"]);
    play.connects();
    for _ in 0..MAX_STRANGE {
        assert!(play.gets("220 mail.example.org ESMTP").is_empty());
    }
    assert_eq!(play.gets("220 mail.example.org ESMTP"), ["hang up"]);
}

#[test]
fn a_reconnecting_user_is_awaited() {
    let mut play = JobScript::named(&["one"], |order| order.to = "@bob".into());
    play.gets(NAME_OK);
    play.loses();
    play.waits();
    play.connects();
    play.gets(FORMAT_OK);
    play.gets(NAME_OK);
    assert!(play.refused("no-such-user").is_empty());
    assert_eq!(play.waits().1, ["send /once k-1 @bob one"]);
    play.now.instant += RETURNING;
    assert_eq!(play.refused("no-such-user")[0], "complain line 1 was refused: no-such-user: No.");
}
