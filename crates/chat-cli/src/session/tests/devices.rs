//! Other devices of the account; nothing counts as read while the user doesn't type.

use super::*;

const SIGNED_IN: &str = r#"{"type":"ok","re":"login","name":"alice"}"#;
const CHANNELS: &str = r#"{"type":"ok","re":"channels","count":0}"#;
const LEFT_DEV: &str = r##"{"type":"left","channel":"#dev","user":"alice"}"##;

fn reentered(channel: &str, last: u64) -> String {
    format!(
        r#"{{"type":"reentered","channel":"{channel}","members":2,"operator":false,"topic":null,"last":{last}}}"#
    )
}

fn entered(channel: &str, last: u64) -> String {
    format!(r#"{{"type":"ok","re":"enter","channel":"{channel}","members":2,"last":{last}}}"#)
}

fn in_dev(id: u64, text: &str) -> String {
    live(id, "bob", text).replace("#general", "#dev")
}

/// Alice, with this command line and in #general and #dev; #dev is the server's current channel.
fn begins(mode: Mode, enter: &[&str]) -> (SessionScript, Vec<String>) {
    let mut play = SessionScript::with(mode, Some("alice"), enter, |options| {
        options.credentials = vec![SignInCredential::token("t")];
    });
    play.connects();
    play.gets(&[FORMAT_OK, &reentered("#general", 7), &reentered("#dev", 3)]);
    let sent = play.gets(&[SIGNED_IN]);
    (play, sent)
}

/// At a terminal, in #general and #dev, and #dev is current.
fn signed_in() -> SessionScript {
    let (mut play, sent) = begins(Mode::Terminal, &[]);
    assert_eq!(sent, ["send /channels"]);
    play.gets(&[CHANNELS]);
    play
}

#[test]
fn a_channel_entered_by_another_device_is_entered_in_the_background() {
    let mut play = signed_in();
    assert_eq!(
        play.gets(&[&reentered("#ops", 9)]),
        ["show * You entered #ops on another device (2 here)."],
        "and nothing is asked while nobody types"
    );
    assert_eq!(play.session.prompt(), "#dev> ");
    assert_eq!(play.session.names.lock().unwrap().channels("#o"), ["#ops"]);
    play.gets(&[&live(10, "bob", "x").replace("#general", "#ops")]);
    assert_eq!(play.session.unread()[0].place, "#ops");
    assert_eq!(
        play.types("hi"),
        [
            "send /once feed-1 #dev hi",
            "send /users #general",
            "send /users #dev",
            "send /users #ops"
        ],
        "Tab may know who is there, once somebody is here"
    );
}

#[test]
fn members_are_requested_once_the_user_types() {
    let mut play = signed_in();
    assert!(play.session.wants_beginning());
    play.session.begun(play.now);
    assert_eq!(play.done(), ["send /users #general", "send /users #dev"]);
    assert!(!play.session.wants_beginning());
    play.session.begun(play.now);
    assert_eq!(play.done(), [""; 0]);
    play.gets(&[r##"{"type":"user","name":"carol","channel":"#general"}"##]);
    assert_eq!(play.session.names.lock().unwrap().people("c"), ["carol"]);
    // The server's current channel must be the one she sees before a line of hers counts as
    // reading.
    let (mut play, _) = begins(Mode::Terminal, &["#general"]);
    play.gets(&[CHANNELS]);
    play.session.begun(play.now);
    assert_eq!(
        play.done(),
        ["send /enter #general after 7", "send /users #general", "send /users #dev"]
    );
}

#[test]
fn a_channel_left_by_another_device_is_left_and_the_previous_one_is_current() {
    let mut play = signed_in();
    play.gets(&[&reentered("#ops", 9)]);
    assert_eq!(
        play.gets(&[LEFT_DEV]),
        ["show * You left #dev on another device. You are now in #general."]
    );
    assert_eq!(play.session.prompt(), "#general> ");
    assert_eq!(
        play.gets(&[&LEFT_DEV.replace("#dev", "#general")]),
        ["show * You left #general on another device. You are now in #ops."],
        "which was entered in the background"
    );
    play.types("/private bob");
    play.gets(&[
        r#"{"type":"ok","re":"private","with":"bob"}"#,
        r#"{"type":"ok","re":"users","count":0}"#,
    ]);
    assert_eq!(
        play.gets(&[&LEFT_DEV.replace("#dev", "#ops")]),
        ["show * You left #ops on another device."]
    );
    assert_eq!(play.session.prompt(), "@bob> ");
    play.types("/leave");
    play.gets(&[r#"{"type":"ok","re":"leave","with":"bob","current":null}"#]);
    assert_eq!(play.session.prompt(), "(nowhere)> ");
    play.gets(&[&reentered("#dev", 3)]);
    assert_eq!(play.session.prompt(), "#dev> ", "there is no other");
}

#[test]
fn a_channel_left_by_another_device_is_not_entered_again() {
    let mut play = signed_in();
    play.gets(&[LEFT_DEV]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, &reentered("#general", 7)]);
    assert_eq!(play.gets(&[SIGNED_IN]), ["show * Connected again to here:5002."]);
    // The channel is left during the reconnection.
    play.gets(&[&reentered("#dev", 3), &in_dev(4, "a")]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, &reentered("#general", 9), &reentered("#dev", 5)]);
    let back = play.gets(&[SIGNED_IN]);
    assert_eq!(back[1..], ["send /enter #dev after 4"], "#general is current, and so the last");
    play.gets(&[&LEFT_DEV.replace("#dev", "#general")]);
    assert_eq!(
        play.gets(&[&entered("#dev", 5)]).last().unwrap(),
        "show * You are now in #dev (2 here)."
    );
    assert_eq!(play.session.prompt(), "#dev> ");
}

#[test]
fn missed_messages_come_before_live_ones() {
    let mut play = signed_in();
    play.loses("x");
    play.waits();
    play.connects();
    assert_eq!(
        play.gets(&[
            FORMAT_OK,
            &reentered("#general", 7),
            &reentered("#dev", 5),
            &in_dev(6, "now")
        ]),
        ["send /login alice token:t"],
        "the server has one there already, and what comes has to wait"
    );
    assert_eq!(play.gets(&[SIGNED_IN])[1..], ["send /enter #dev after 3"], "nothing of #general");
    let past = |id, text| in_dev(id, text).replace(r#""id""#, r#""past":true,"id""#);
    let shown = play.gets(&[&past(4, "a"), &past(5, "b"), &entered("#dev", 6)]);
    assert_eq!(
        shown,
        [
            "show * You are now in #dev (2 here).",
            "show * — 2 lines in #dev while you were away —",
            "show [#dev 2026-11-22 07:44:05] bob: a",
            "show [#dev 2026-11-22 07:44:05] bob: b",
            "show [#dev] bob: now",
        ]
    );
}

#[test]
fn the_shown_channel_becomes_current_before_a_line_is_sent() {
    for (mode, first) in [(Mode::Terminal, &["send /channels"][..]), (Mode::Pipe, &[])] {
        let (mut play, sent) = begins(mode, &["#dev", "#general"]);
        assert_eq!(sent, first);
        assert_eq!(play.session.prompt(), "#general> ");
        play.gets(&[CHANNELS][..first.len()]);
        let sent = play.types("/topic Say hello");
        assert_eq!(sent.first().unwrap(), "send /enter #general after 7");
        assert!(sent.contains(&"send /topic Say hello".to_owned()), "{sent:?}");
        play.gets(&[&entered("#general", 7)]);
        play.gets(&[r##"{"type":"ok","re":"topic","channel":"#general","topic":"Say hello"}"##]);
        assert_eq!(play.types("hi"), ["send /once feed-2 #general hi"], "once is enough");
    }
    // A channel to enter is entered, and the last one given is current.
    let (mut play, sent) = begins(Mode::Terminal, &["#new", "#general"]);
    assert_eq!(sent, ["send /enter #new"]);
    assert_eq!(
        play.gets(&[&entered("#new", 0)]),
        ["show * You entered #new (2 here).", "send /channels"]
    );
    assert_eq!(play.session.prompt(), "#general> ");
    let (mut play, _) = begins(Mode::Terminal, &["#general", "#new"]);
    play.gets(&[&error("banned"), CHANNELS]);
    assert_eq!(play.session.prompt(), "#dev> ", "where the server has one");
    assert_eq!(play.types("hi")[0], "send /once feed-1 #dev hi");
}

#[test]
fn a_private_chat_is_reopened_before_a_line_is_sent() {
    let mut play = signed_in();
    play.types("/private bob");
    play.gets(&[r#"{"type":"ok","re":"private","with":"bob"}"#]);
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, &reentered("#general", 7), &reentered("#dev", 3), SIGNED_IN]);
    let none = r#"{"type":"ok","re":"history","with":"bob","count":0}"#;
    assert!(play.gets(&[none]).is_empty());
    assert_eq!(play.session.prompt(), "@bob> ");
    assert_eq!(play.types("/me waves")[..1], ["send /private bob"]);
    // If the client can't return there, the server's current channel becomes its own.
    play.gets(&[&error("muted")]);
    assert_eq!(play.session.prompt(), "#dev> ");
}

#[test]
fn a_client_kicked_during_a_reconnection_does_not_resume_the_channel() {
    let mut play = signed_in();
    play.loses("x");
    play.waits();
    play.connects();
    play.gets(&[FORMAT_OK, &reentered("#general", 9), &reentered("#dev", 5)]);
    assert_eq!(play.gets(&[SIGNED_IN])[1..], ["send /enter #general after 7"]);
    let kicked =
        r##"{"type":"kicked","channel":"#dev","user":"alice","by":"bob","current":"#general"}"##;
    play.gets(&[kicked]);
    assert_eq!(play.gets(&[&entered("#general", 9)]).len(), 1, "and #dev is not entered");
    assert_eq!(play.session.prompt(), "#general> ");
}
