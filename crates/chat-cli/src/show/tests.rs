use super::*;

const TIME: &str = "2026-11-22T07:44:05.123Z";

fn said(place: &str, from: &str, text: &str) -> DisplayItem {
    let said = ChatMessage {
        id: Some(7),
        time: Some(TIME.parse().unwrap()),
        from: from.into(),
        text: text.into(),
        action: false,
        past: false,
    };
    DisplayItem::Said { place: place.into(), said, own: false }
}

fn changed(mut shown: DisplayItem, change: impl Fn(&mut ChatMessage, &mut bool)) -> DisplayItem {
    if let DisplayItem::Said { said, own, .. } = &mut shown {
        change(said, own);
    }
    shown
}

fn look(colours: bool) -> DisplayStyle {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    DisplayStyle::Terminal { colours, zone }
}

fn shown_as(shown: &DisplayItem, look: &DisplayStyle) -> DisplayLine {
    line(shown, look, Some("alice"), TIME.parse().unwrap())
}

#[test]
fn plain_lines_are_those_of_the_text_format() {
    let refused =
        DisplayItem::Refused { code: "no-such-channel".into(), text: "There is none.".into() };
    for (shown, expected) in [
        (said("#general", "bob", "hi"), "[#general] bob: hi"),
        (said("@bob", "bob", "psst"), "[@bob] bob: psst"),
        (
            changed(said("#general", "bob", "waves"), |said, _| said.action = true),
            "[#general] * bob waves",
        ),
        (
            changed(said("#general", "bob", "hi"), |said, _| said.past = true),
            "[#general 2026-11-22 07:44:05] bob: hi",
        ),
        (DisplayItem::sentence("You are now al."), "* You are now al."),
        (refused, "! no-such-channel: There is none."),
    ] {
        assert_eq!(
            shown_as(&shown, &DisplayStyle::Plain),
            DisplayLine { text: expected.into(), bell: false }
        );
    }
}

#[test]
fn at_a_terminal_lines_begin_with_the_local_time() {
    for (shown, expected) in [
        (said("#general", "bob", "hi"), "09:44 [#general] bob: hi"),
        (
            changed(said("#general", "bob", "hi"), |said, _| said.past = true),
            "2026-11-22 09:44 [#general] bob: hi",
        ),
        (
            changed(said("#general", "bob", "waves"), |said, _| said.action = true),
            "09:44 [#general] * bob waves",
        ),
        (DisplayItem::quiet("bob entered #general"), "09:44 * bob entered #general"),
        (DisplayItem::warning("Connection lost."), "09:44 * Connection lost."),
        (DisplayItem::Typed { line: "/users".into() }, "09:44 > /users"),
    ] {
        assert_eq!(shown_as(&shown, &look(false)).text, expected);
    }
}

#[test]
fn the_bell_is_rung_for_private_lines_and_mentions() {
    let own = |_: &mut ChatMessage, own: &mut bool| *own = true;
    let past = |said: &mut ChatMessage, _: &mut bool| said.past = true;
    for (shown, rung) in [
        (said("#general", "bob", "hi"), false),
        (said("#general", "bob", "hi Alice!"), true),
        (said("@bob", "bob", "psst"), true),
        (changed(said("@bob", "alice", "psst"), own), false),
        (changed(said("#general", "alice", "I, alice"), own), false),
        (changed(said("#general", "bob", "hi alice"), past), false),
        (DisplayItem::sentence("alice"), false),
        (
            DisplayItem::Sentence { tone: Tone::Calling, text: "bob opened a private chat".into() },
            true,
        ),
    ] {
        assert_eq!(shown_as(&shown, &look(true)).bell, rung, "{shown:?}");
    }
}

#[test]
fn colours_mark_the_author_and_the_users_name() {
    let text = shown_as(&said("#general", "bob", "hi alice, alice"), &look(true)).text;
    assert_eq!(text.matches("\u{1b}[1;7;33malice\u{1b}[0m").count(), 2, "{text:?}");
    let names = ["bob", "carol", "dave", "erin", "frank"];
    let colours: std::collections::HashSet<_> = names
        .iter()
        .map(|name| Paint { colours: true }.speaker(name, false).replace(name, ""))
        .collect();
    assert!(colours.len() > 1, "{colours:?}");
}

#[test]
fn without_colours_there_is_no_escape_at_all() {
    let all = [
        said("#general", "bob", "hi alice"),
        said("@bob", "bob", "psst"),
        DisplayItem::warning("Connection lost."),
        DisplayItem::Refused { code: "x".into(), text: "y".into() },
        DisplayItem::Typed { line: "/users".into() },
    ];
    for shown in all {
        let text = shown_as(&shown, &look(false)).text;
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
