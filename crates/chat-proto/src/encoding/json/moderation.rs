//! The lines of running a channel.

use serde::Serialize;

use super::{Channel, Line, Made, Nullable, Place, Shown, Str, Time, is_false, words};
use crate::event::{self, Event, OkReply, Restriction, Term};
use crate::mod_target::ModTarget;
use crate::name::ChannelName;

#[derive(Serialize)]
pub(super) struct Kicked<'a> {
    channel: Channel<'a>,
    user: Str<'a>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "is_false")]
    banned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
    /// Only for the one who was kicked: what is current now.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Nullable<Place<'a>>>,
}

/// What somebody did, perhaps to somebody.
#[derive(Serialize)]
pub(super) struct Act<'a> {
    channel: Channel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct Dropped<'a> {
    channel: Channel<'a>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
    current: Option<Place<'a>>,
}

#[derive(Serialize)]
pub(super) struct Setting<'a> {
    channel: Channel<'a>,
    name: Str<'a>,
    value: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct Row<'a> {
    channel: Channel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Shown<&'a ModTarget>>,
    by: Str<'a>,
    time: Time,
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct Logged<'a> {
    channel: Channel<'a>,
    time: Time,
    by: Str<'a>,
    did: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Shown<&'a ModTarget>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

/// The end of a term, if it has one.
pub(super) fn end(term: Term) -> Option<Time> {
    match term {
        Term::Permanent => None,
        Term::Until(end) => Some(Time(end)),
    }
}

fn user(target: &ModTarget) -> Option<&str> {
    match target {
        ModTarget::User(name) => Some(name.as_str()),
        ModTarget::Net(_) => None,
    }
}

fn address(target: &ModTarget) -> Option<Shown<&ModTarget>> {
    matches!(target, ModTarget::Net(_)).then_some(Shown(target))
}

fn act<'a>(channel: &'a ChannelName, user: Option<Str<'a>>, by: Str<'a>) -> Act<'a> {
    Act { channel: Shown(channel), user, by, until: None, reason: None }
}

/// An event of a channel that is run; nothing for others.
pub(super) fn line(event: &Event) -> Option<Line<'_>> {
    Some(match event {
        Event::Kicked { channel, user, by, reason, ban } => Line::Kicked(Kicked {
            channel: Shown(channel),
            user: user.as_str(),
            by: by.as_str(),
            banned: ban.is_some(),
            until: ban.and_then(end),
            reason: words(reason.as_ref()),
            current: None,
        }),
        Event::YouWereKicked { channel, user, by, reason, ban, current } => Line::Kicked(Kicked {
            channel: Shown(channel),
            user: user.as_str(),
            by: by.as_str(),
            banned: ban.is_some(),
            until: ban.and_then(end),
            reason: words(reason.as_ref()),
            current: Some(current.as_ref().map(Shown)),
        }),
        Event::Muted { channel, user, by, term, reason } => Line::Muted(Act {
            until: end(*term),
            reason: words(reason.as_ref()),
            ..act(channel, Some(user.as_str()), by.as_str())
        }),
        Event::Unmuted { channel, user, by } => {
            Line::Unmuted(act(channel, Some(user.as_str()), by.as_str()))
        }
        Event::Operator { channel, user, by, is_one } => {
            let act = act(channel, Some(user.as_str()), by.as_str());
            if *is_one { Line::Op(act) } else { Line::Deop(act) }
        }
        Event::Set { channel, name, value, by } => Line::Set(Setting {
            channel: Shown(channel),
            name,
            value: value.as_str(),
            by: Some(by.as_str()),
        }),
        Event::Purged { channel, user, by } => {
            Line::Purged(act(channel, Some(user.as_str()), by.as_str()))
        }
        Event::Invited { channel, by } => Line::Invited(act(channel, None, by.as_str())),
        Event::Dropped { channel, by, reason, current } => Line::Dropped(Dropped {
            channel: Shown(channel),
            by: by.as_str(),
            reason: words(reason.as_ref()),
            current: current.as_ref().map(Shown),
        }),
        Event::Restriction { is_ban, channel, restricted } => {
            let row = row(channel, restricted);
            if *is_ban { Line::Ban(row) } else { Line::Mute(row) }
        }
        Event::Setting { channel, name, value } => Line::Setting(Setting {
            channel: Shown(channel),
            name,
            value: value.as_str(),
            by: None,
        }),
        Event::LogEntry { channel, logged } => Line::Log(log_row(channel, logged)),
        _ => return None,
    })
}

fn row<'a>(channel: &'a ChannelName, restricted: &'a Restriction) -> Row<'a> {
    let Restriction { target, by, time, term, reason } = restricted;
    Row {
        channel: Shown(channel),
        user: user(target),
        address: address(target),
        by: by.as_str(),
        time: Time(*time),
        until: end(*term),
        reason: words(reason.as_ref()),
    }
}

fn log_row<'a>(channel: &'a ChannelName, logged: &'a event::ModLogEntry) -> Logged<'a> {
    let event::ModLogEntry { time, by, did, target, term, setting, reason } = logged;
    Logged {
        channel: Shown(channel),
        time: Time(*time),
        by: by.as_str(),
        did: did.spec().name,
        user: target.as_ref().and_then(user),
        address: target.as_ref().and_then(address),
        until: term.and_then(end),
        setting: setting.as_ref().map(event::Sentence::as_str),
        reason: words(reason.as_ref()),
    }
}

/// What a command that runs a channel made; nothing for others.
pub(super) fn made(reply: &OkReply) -> Made<'_> {
    let of = |channel, user| Made { channel: Some(Shown(channel)), user, ..Made::default() };
    match reply {
        OkReply::Kicked { channel, user } | OkReply::Invited { channel, user } => {
            of(channel, Some(user.as_str()))
        }
        OkReply::ListedOf { channel, count } => Made { count: Some(*count), ..of(channel, None) },
        OkReply::Banned { channel, target, term } => {
            Made { address: address(target), until: end(*term), ..of(channel, user(target)) }
        }
        OkReply::Unbanned { channel, target, changed } => {
            Made { address: address(target), changed: Some(*changed), ..of(channel, user(target)) }
        }
        OkReply::Muted { channel, user, term } => {
            Made { until: end(*term), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Unmuted { channel, user, changed }
        | OkReply::Operator { channel, user, changed, .. } => {
            Made { changed: Some(*changed), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Set { channel, name, value } => {
            Made { name: Some(name), value: Some(value.as_str()), ..of(channel, None) }
        }
        OkReply::Purged { channel, user, count } => {
            Made { count: Some(*count), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Dropped { channel, current } => {
            Made { current: Some(current.as_ref().map(Shown)), ..of(channel, None) }
        }
        _ => Made::default(),
    }
}
