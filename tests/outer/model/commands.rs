//! The commands that the clients send.

use chat_testkit::dice::Dice;

use super::player::Role;

/// Guests change between these names.
pub(super) fn guest_name(number: u64, dice: &mut Dice) -> String {
    format!("g{number}{}", dice.pick(&["red", "blue", "green"]))
}

fn any_user(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => (*dice.pick(&["alice", "bob"])).to_owned(),
        _ => guest_name(4 + dice.below(4), dice),
    }
}

/// In the first, and in a client's own, messages may be hidden or not stored.
fn channel(dice: &mut Dice) -> String {
    format!("#room{}", dice.below(3))
}

fn lossy(number: u64, dice: &mut Dice) -> String {
    if dice.below(2) == 0 { "#room0".to_owned() } else { format!("#own{number}") }
}

/// Mostly messages, entering and leaving; some moderation.
pub(super) fn command(number: u64, role: Role, count: u64, dice: &mut Dice) -> String {
    match dice.below(100) {
        0..=19 => format!("line {count} of {number}"),
        20..=29 => format!("/say {} line {count} of {number}", channel(dice)),
        30..=39 => format!("/enter {}", channel(dice)),
        40..=45 => format!("/leave {}", channel(dice)),
        // Only the JSON format contains the id from which messages are new.
        46..=50 if role != Role::Reader => format!("/create {}", channel(dice)),
        46..=50 => "/leave".to_owned(),
        51..=74 => moderates(number, dice),
        75..=84 => asks(number, dice),
        _ => does(number, role, count, dice),
    }
}

/// Commands of channel operators.
fn moderates(number: u64, dice: &mut Dice) -> String {
    let (channel, user) = (channel(dice), any_user(dice));
    let time = *dice.pick(&["", " for 1s", " for 2s", " for 1h"]);
    match dice.below(22) {
        0..=2 => format!("/kick {channel} {user}"),
        3..=5 => format!("/ban {channel} {user}{time} why"),
        6..=8 => format!("/unban {channel} {user}"),
        9 | 10 => format!("/mute {channel} {user}{time}"),
        11 | 12 => format!("/unmute {channel} {user}"),
        13 | 14 => format!("/op {channel} {user}"),
        15 => format!("/deop {channel} {user}"),
        16 => format!("/invite {channel} {user}"),
        17 => format!("/drop {channel} for real"),
        18 => format!("/purge {} {user}", lossy(number, dice)),
        19 => {
            let setting = *dice.pick(&["history off", "history on"]);
            format!("/set {} {setting}", lossy(number, dice))
        }
        20 => {
            let settings = [
                "slow 1s",
                "slow off",
                "invite-only on",
                "invite-only off",
                "words +spam",
                "links off",
            ];
            format!("/set {channel} {}", dice.pick(&settings))
        }
        _ => format!("/ban {channel} 127.0.0.1 for 1s"),
    }
}

fn asks(number: u64, dice: &mut Dice) -> String {
    let (channel, user) = (channel(dice), any_user(dice));
    match dice.below(16) {
        0 => format!("/users {channel}"),
        1 => "/users".to_owned(),
        2 => "/channels".to_owned(),
        3 => format!("/whois {user}"),
        4 => format!("/history {channel} {}", 1 + dice.below(40)),
        5 => format!("/history @{user} 5"),
        6 => "/search line".to_owned(),
        7 => "/mentions".to_owned(),
        8 => format!("/log {channel} 5"),
        9 => format!("/set {channel}"),
        10 => format!("/ban {channel}"),
        11 => "/info".to_owned(),
        12 => "/help".to_owned(),
        13 => format!("/ping {number}"),
        14 => format!("/enter {channel} after {}", dice.below(30)),
        _ => format!("/nonsense {number}"),
    }
}

/// Commands about the client itself.
fn does(number: u64, role: Role, count: u64, dice: &mut Dice) -> String {
    let (channel, user) = (channel(dice), any_user(dice));
    match dice.below(22) {
        0..=4 if !matches!(role, Role::Account(_)) => format!("/name {}", guest_name(number, dice)),
        0 | 5 => format!("/msg {user} line {count} of {number}"),
        1 | 6 => format!("/private {user}"),
        2 | 7 => format!("/me {channel} line {count} of {number}"),
        8 => format!("/reply line {count} of {number}"),
        9 | 10 => format!("/once {number}-{} {channel} line {count} of {number}", count / 2),
        11 => format!("/topic line {count}"),
        12 => "/away for a while".to_owned(),
        13 => "/back".to_owned(),
        14 | 15 => format!("/enter #own{number}"),
        16 if role != Role::Reader => format!("/create #own{number}"),
        17 => format!("/leave @{user}"),
        18 if role == Role::Reader => format!("/ignore {user}"),
        19 if role == Role::Reader => format!("/unignore {user}"),
        20 if role == Role::Account("alice") => governs(&user, dice),
        21 => "/quit".to_owned(),
        _ => format!("/say #own{number} line {count} of {number}"),
    }
}

/// Commands of server operators.
fn governs(user: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("/kill {user} enough"),
        1 => format!("/ban everywhere {user} for 1s"),
        2 => "/stats".to_owned(),
        _ => "/announce to everybody".to_owned(),
    }
}
