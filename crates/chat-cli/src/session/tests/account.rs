//! Accounts, and what is shown of messages that were missed.

use super::*;

const SIGNED_IN: &str = r#"{"type":"ok","re":"login","name":"alice"}"#;
const WITH_TOKEN: &str = r#"{"type":"ok","re":"login","name":"alice","token":"new"}"#;

/// Alice at a terminal, with a token from before.
fn kept() -> SessionScript {
    with_kept(Some("alice"))
}

fn with_kept(name: Option<&str>) -> SessionScript {
    let mut play = SessionScript::with(Mode::Terminal, name, &[], |options| {
        options.kept = vec![
            Ok(("Alice".into(), Secret::new("old"))),
            Err("the kept sign-in is not used: it may be read by others".into()),
        ];
    });
    assert_eq!(
        play.done(),
        ["show * the kept sign-in is not used: it may be read by others"],
        "what can't be used is told"
    );
    play.connects();
    play
}

#[test]
fn a_stored_token_signs_in() {
    let mut play = kept();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:old"]);
    assert_eq!(play.gets(&[SIGNED_IN]), ["send /channels"]);
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:old"]);
}

#[test]
fn a_typed_name_may_have_a_stored_token() {
    let mut play = with_kept(None);
    play.gets(&[FORMAT_OK]);
    assert_eq!(play.types("ALICE"), ["send /login ALICE token:old"]);
    play.gets(&[&error("name-taken")]);
    assert_eq!(play.types("/nick alice"), ["send /login alice token:old"]);
    play.gets(&[&error("name-taken")]);
    assert_eq!(play.types("bob"), ["send /name bob"]);
}

#[test]
fn an_invalid_token_is_removed_and_reported() {
    let mut play = kept();
    play.gets(&[FORMAT_OK]);
    assert_eq!(
        play.gets(&[&error("wrong-password")]),
        [
            "forget alice old",
            "show * The sign-in that was kept for alice is not valid any more, and is deleted. /login alice \
             asks for the password."
        ]
    );
    assert_eq!(play.session.prompt(), NAME_PROMPT);
    assert_eq!(play.types("alice"), ["send /name alice"], "it is not tried again");
    play.gets(&[&error("name-registered")]);
    play.types("/login alice sesame");
    assert_eq!(
        play.gets(&[WITH_TOKEN]),
        [
            "show * You are signed in as alice. /logout signs out.",
            "keep alice new",
            "send /channels"
        ]
    );
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:new"]);
}

#[test]
fn given_credentials_are_tried_in_order() {
    let given = |options: &mut SessionOptions| {
        options.kept = vec![Ok(("alice".into(), Secret::new("old")))];
        options.credentials = vec![SignInCredential::Password(Secret::new("open sesame"))];
    };
    let mut play = SessionScript::with(Mode::Pipe, Some("alice"), &[], given);
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:old"]);
    assert_eq!(
        play.gets(&[&error("wrong-password")]),
        ["forget alice old", "send /login alice open sesame"]
    );
    assert_eq!(
        play.gets(&[&error("wrong-password")]),
        ["complain not signed in: wrong-password: No.", "finish(notsignedin)"]
    );
    let mut play = SessionScript::with(Mode::Pipe, Some("alice"), &[], |options| {
        given(options);
        options.credentials = vec![SignInCredential::token("mine")];
    });
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:mine"]);
}

#[test]
fn registering_and_changing_the_password_give_new_tokens() {
    let mut play = SessionScript::settled();
    assert_eq!(
        play.types("/register open sesame"),
        ["show > /register …", "send /register open sesame"]
    );
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"register","name":"alice","token":"one"}"#]),
        [
            "show * alice is an account now, and you are signed in. /login alice signs in next time.",
            "keep alice one"
        ]
    );
    play.types("/password sesame1! sesame2!");
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"password","token":"two"}"#]),
        [
            "show * Your password is changed, and you are signed out everywhere else.",
            "keep alice two"
        ]
    );
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice token:two"]);
}

#[test]
fn without_a_token_the_password_signs_in_again() {
    let mut play = SessionScript::settled();
    play.types("/register invite:k7 open sesame");
    play.gets(&[r#"{"type":"ok","re":"register","name":"alice"}"#]);
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login alice open sesame"]);
}

#[test]
fn signing_out_drops_the_name_and_the_stored_token() {
    for (typed, re) in [("/logout", "logout"), ("/forget open sesame", "forget")] {
        let mut play = SessionScript::settled();
        play.types("/register open sesame");
        play.gets(&[r#"{"type":"ok","re":"register","name":"alice","token":"one"}"#]);
        play.types(typed);
        let ok = format!(r#"{{"type":"ok","re":"{re}","name":"alice"}}"#);
        assert_eq!(play.gets(&[&ok])[1..], ["forget alice whatever"], "{typed}");
        assert_eq!(play.session.prompt(), NAME_PROMPT);
        assert_eq!(play.types("bob"), ["send /name bob"]);
        assert_eq!(
            play.gets(&[r#"{"type":"ok","re":"name","name":"bob"}"#]),
            ["send /channels"],
            "bob is in no channel"
        );
        assert_eq!(play.session.prompt(), "(nowhere)> ");
    }
}

#[test]
fn lines_of_a_pipe_after_a_sign_out_are_sent_after_it() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(play.types("/logout"), ["send /logout"]);
    assert!(play.types("bob").is_empty() && play.types("/say #dev hi").is_empty());
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"logout","name":"alice"}"#])[1..],
        ["forget alice whatever", "send /name bob"]
    );
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"name","name":"bob"}"#]),
        ["send /once feed-4 #dev hi"]
    );
}

#[test]
fn a_sign_out_by_another_connection_is_reported_and_drops_typed_lines() {
    const GONE: &str = r#"{"type":"signedout","name":"alice","reason":"its password was changed on another device"}"#;
    let mut play = kept();
    play.gets(&[FORMAT_OK, SIGNED_IN, r#"{"type":"ok","re":"channels","count":0}"#]);
    play.types("/say #dev one");
    play.types("/say #dev two");
    assert_eq!(
        play.gets(&[GONE]),
        [
            "show * You are signed out of alice: its password was changed on another device. Type a name, \
             or /login NAME, to go on.",
            "forget alice old",
            "show * Not sent: /say #dev two (Up brings it back)",
        ]
    );
    assert_eq!(play.session.prompt(), NAME_PROMPT);
    assert_eq!(
        play.gets(&[&error("not-named")]),
        ["show ! not-named: No.", "show * Not said: /say #dev one (Up brings it back)"]
    );
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    let done = play.gets(&[GONE]);
    assert_eq!(done.last().unwrap(), "finish(notsignedin)", "the next line is no name: {done:?}");
}

#[test]
fn a_pipe_answers_a_password_prompt() {
    const ASKED: &str = r#"{"type":"password","for":"login","name":"alice"}"#;
    const ASKS: &str = r#"{"type":"ok","re":"login"}"#;
    let mut play = SessionScript::new(Mode::Pipe, None, &["#dev"]);
    play.connects();
    play.gets(&[FORMAT_OK]);
    assert_eq!(play.types("/login alice"), ["send /login alice"]);
    assert!(play.gets(&[ASKED, ASKS]).is_empty());
    assert_eq!(play.types("/open sesame"), ["send /open sesame"], "whatever it begins with");
    assert_eq!(
        play.gets(&[WITH_TOKEN])[1..],
        ["keep alice new", "send /enter #dev"],
        "the password is not shown"
    );
    // With a name, the lines wait in their order.
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    assert_eq!(play.types("/forget"), ["send /forget"]);
    assert!(play.types("sesame").is_empty());
    assert_eq!(play.gets(&[ASKED, r#"{"type":"ok","re":"forget"}"#]), ["send sesame"]);
    // The end of the input is no password.
    let mut play = SessionScript::new(Mode::Pipe, None, &[]);
    play.connects();
    play.gets(&[FORMAT_OK]);
    play.types("/login alice");
    play.gets(&[ASKED, ASKS]);
    play.session.input_ended(play.now);
    assert_eq!(
        play.done(),
        [
            "complain the input ended before the password that the server asked for",
            "finish(notsignedin)"
        ]
    );
}

#[test]
fn passwords_typed_ahead_are_sent_at_the_prompt() {
    const ASKED: &str = r#"{"type":"password","for":"old","name":"alice"}"#;
    const OK: &str = r#"{"type":"ok","re":"password"}"#;
    let passwords = || vec![Secret::new("old one"), Secret::new("new one")];
    let mut play = SessionScript::settled();
    play.session.passwords_typed(passwords());
    assert_eq!(play.types("/password"), ["show > /password", "send /password"]);
    assert_eq!(play.gets(&[ASKED, OK]), ["send old one"]);
    assert_eq!(play.gets(&[ASKED, OK]), ["send new one"]);
    assert_eq!(play.gets(&[r#"{"type":"ok","re":"password","token":"t"}"#]).len(), 2);
    // After a refusal the server doesn't ask, and the passwords are dropped.
    play.session.passwords_typed(passwords());
    play.types("/password");
    play.gets(&[&error("not-signed-in")]);
    assert_eq!(play.types("hi"), ["send /once feed-3 #general hi"]);
    // A wrong password ends the request.
    play.gets(&[&error("muted")]);
    play.session.passwords_typed(passwords());
    play.types("/password");
    play.gets(&[ASKED, OK]);
    assert_eq!(play.gets(&[&error("wrong-password")]), ["show ! wrong-password: No."]);
    assert_eq!(play.types("hi"), ["send /once feed-5 #general hi"]);
}

const REENTERED: &[&str] = &[
    r##"{"type":"reentered","channel":"#dev","members":3,"operator":false,"topic":"Say hello","last":53}"##,
    r##"{"type":"unread","channel":"#dev","count":12,"mentions":2,"after":41}"##,
    r##"{"type":"reentered","channel":"#ops","members":1,"operator":true,"topic":null,"last":7}"##,
    r##"{"type":"unread","channel":"#ops","count":1,"mentions":0,"after":6}"##,
    r#"{"type":"waiting","count":2,"told":2}"#,
    r#"{"type":"private","id":4,"from":"bob","to":"alice","text":"are you there?","past":true}"#,
    r#"{"type":"private","id":9,"from":"carol","to":"alice","text":"psst","past":true}"#,
];

fn unread(play: &SessionScript) -> Vec<(&str, u64, bool)> {
    let unread = play.session.unread().iter();
    unread.map(|unread| (unread.place.as_str(), unread.count, unread.calls)).collect()
}

#[test]
fn signing_in_restores_channels_and_shows_unread_messages() {
    let mut play = kept();
    play.gets(&[FORMAT_OK]);
    assert_eq!(
        play.gets(REENTERED),
        [
            "show * You are back in #dev (3 here). Topic: Say hello",
            "show * 12 new lines in #dev (2 name you). /history #dev after 41 shows them.",
            "show * You are back in #ops (1 here).",
            "show * 1 new line in #ops. /history #ops after 6 shows it.",
        ]
    );
    assert_eq!(
        play.gets(&[SIGNED_IN]),
        [
            "show * — 2 lines for you while you were away —",
            "show [@bob] bob: are you there?",
            "show [@carol] carol: psst",
            "send /channels",
        ]
    );
    assert_eq!(play.session.prompt(), "#ops> ", "the one entered last");
    assert_eq!(
        unread(&play),
        [("@bob", 1, true), ("@carol", 1, true), ("#dev", 12, true)],
        "what is new where one is stands above"
    );
    play.gets(&[r#"{"type":"ok","re":"channels","count":0}"#]);
    // After a lost connection all messages are shown, from the read position on.
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK]);
    assert_eq!(
        play.gets(&[
            r##"{"type":"reentered","channel":"#dev","members":3,"operator":false,"topic":null,"last":60}"##,
            r##"{"type":"unread","channel":"#dev","count":7,"mentions":0,"after":53}"##,
            r##"{"type":"reentered","channel":"#new","members":3,"operator":false,"topic":null,"last":2}"##,
            r#"{"type":"waiting","count":2,"told":2}"#,
            r#"{"type":"private","id":9,"from":"carol","to":"alice","text":"psst","past":true}"#,
            r#"{"type":"private","id":10,"from":"carol","to":"alice","text":"so?","past":true}"#,
            SIGNED_IN,
        ]),
        [
            "show * You are back in #new (3 here).",
            "show * — 1 line for you while you were away —",
            "show [@carol] carol: so?",
            "show * Connected again to here:5002.",
            "show * You are not in #ops any more. /enter #ops goes back there.",
            "send /history @bob after 4",
        ]
    );
    let next = |play: &mut SessionScript| {
        let ok = r#"{"type":"ok","re":"history","with":"x","count":0}"#;
        play.gets(&[ok]).last().unwrap().clone()
    };
    assert_eq!(next(&mut play), "send /history @carol after 10");
    assert_eq!(next(&mut play), "send /enter #dev after 53");
    let enter = |channel: &str| {
        format!(r#"{{"type":"ok","re":"enter","channel":"{channel}","members":3,"last":60}}"#)
    };
    assert_eq!(play.gets(&[&enter("#dev")]), ["show * You are now in #dev (3 here)."]);
    assert_eq!(play.session.prompt(), "#new> ", "the server has one there, since #ops is left");
}

#[test]
fn signing_in_with_a_name_preserves_the_channels() {
    let mut play = SessionScript::settled();
    play.gets(&[&privately(1, "bob", "for alice")]);
    play.types("/login carol sesame");
    let mut shown = play.gets(REENTERED);
    shown.extend(play.gets(&[r#"{"type":"ok","re":"login","name":"carol"}"#]));
    assert!(shown.iter().any(|line| line.contains("12 new lines in #dev")), "{shown:?}");
    assert_eq!(play.session.prompt(), "#ops> ");
    assert_eq!(play.session.me(), Some("carol"));
    assert!(unread(&play).contains(&("#dev", 12, true)));
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(play.gets(&[FORMAT_OK]), ["send /login carol sesame"]);
    let general =
        r##"{"type":"reentered","channel":"#general","members":3,"topic":null,"last":0}"##;
    let back = play.gets(&[general, r#"{"type":"ok","re":"login","name":"carol"}"#]);
    assert_eq!(
        back,
        [
            "show * Connected again to here:5002.",
            "show * You are not in #dev any more. /enter #dev goes back there.",
            "show * You are not in #ops any more. /enter #ops goes back there.",
            "send /history @bob after 4",
        ],
        "and the chat that alice had is not carol's"
    );
}

#[test]
fn a_pipe_prints_the_sentences_of_the_text_format() {
    let mut play = SessionScript::new(Mode::Pipe, Some("alice"), &[]);
    play.connects();
    play.gets(&[FORMAT_OK]);
    let mut shown = play.gets(REENTERED);
    shown.extend(play.gets(&[SIGNED_IN]));
    assert_eq!(
        shown[4..],
        [
            "show * 2 messages while you were away:",
            "show [@bob] bob: are you there?",
            "show [@carol] carol: psst",
        ]
    );
}

#[test]
fn unread_messages_are_counted_until_their_conversation_is_current() {
    let message = |channel: &str, id: u64, from: &str, text: &str| {
        format!(
            r#"{{"type":"message","id":{id},"channel":"{channel}","from":"{from}","text":"{text}"}}"#
        )
    };
    let mut play = SessionScript::settled();
    play.types("/enter dev");
    play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1}"##]);
    play.gets(&[
        &message("#dev", 1, "bob", "here"),
        &message("#general", 1, "bob", "elsewhere"),
        &message("#general", 2, "alice", "from another device"),
        r#"{"type":"private","id":1,"from":"bob","to":"alice","text":"psst"}"#,
        r#"{"type":"private","id":2,"from":"alice","to":"bob","text":"mine"}"#,
    ]);
    assert_eq!(unread(&play), [("#general", 1, false), ("@bob", 1, true)]);
    play.gets(&[
        &message("#general", 3, "bob", "Alice!"),
        r#"{"type":"renamed","from":"bob","to":"rob"}"#,
    ]);
    assert_eq!(unread(&play), [("@rob", 1, true), ("#general", 2, true)]);
    play.types("/enter general");
    play.gets(&[r##"{"type":"ok","re":"enter","channel":"#general","members":1}"##]);
    assert_eq!(unread(&play), [("@rob", 1, true)]);
    play.gets(&[&message("#dev", 2, "bob", "there")]);
    play.types("/leave #dev");
    play.gets(&[r##"{"type":"ok","re":"leave","channel":"#dev","current":"#general"}"##]);
    play.types("/private rob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"rob"}"#]);
    assert!(unread(&play).is_empty());
}

#[test]
fn missed_messages_of_other_conversations_are_counted() {
    let mut play = SessionScript::settled();
    play.gets(&[r##"{"type":"message","id":8,"channel":"#general","from":"bob","text":"hi"}"##]);
    play.types("/enter dev");
    play.gets(&[r##"{"type":"ok","re":"enter","channel":"#dev","members":1,"last":4}"##]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, NAME_OK]);
    play.gets(&[
        r##"{"type":"message","id":9,"channel":"#general","from":"bob","text":"meanwhile","past":true}"##,
        r##"{"type":"ok","re":"enter","channel":"#general","members":1,"last":9}"##,
        r##"{"type":"message","id":5,"channel":"#dev","from":"bob","text":"here","past":true}"##,
        r##"{"type":"ok","re":"enter","channel":"#dev","members":1,"last":5}"##,
    ]);
    assert_eq!(play.session.prompt(), "#dev> ");
    assert_eq!(unread(&play), [("#general", 1, false)]);
}

#[test]
fn mentions_are_shown_on_request() {
    let mut play = SessionScript::settled();
    play.types("/mentions");
    assert_eq!(
        play.gets(&[
            r##"{"type":"message","id":9,"channel":"#dev","from":"bob","text":"ask alice","past":true}"##,
            r#"{"type":"ok","re":"mentions","count":1}"#,
        ]),
        ["show * — 1 line with your name —", "show [#dev] bob: ask alice"]
    );
    play.types("/mentions 5");
    assert_eq!(
        play.gets(&[r#"{"type":"ok","re":"mentions","count":0}"#]),
        ["show * No line in your channels names you."]
    );
}
