//! The lines of channel moderation.

use serde::Serialize;

use super::{
    AsDisplayed, ChannelStr, ConversationStr, JsonLine, JsonTime, Nullable, OkFields, Str,
    is_false, words,
};
use crate::event::{self, Event, OkReply, Restriction, Term};
use crate::mod_target::ModTarget;
use crate::name::ChannelName;

#[derive(Serialize)]
pub(super) struct KickedLine<'a> {
    channel: ChannelStr<'a>,
    user: Str<'a>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "is_false")]
    banned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
    /// Only for the kicked user: the conversation that is current now.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Nullable<ConversationStr<'a>>>,
}

/// A moderation action, with its target if it has one.
#[derive(Serialize)]
pub(super) struct ModActionLine<'a> {
    channel: ChannelStr<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct DroppedLine<'a> {
    channel: ChannelStr<'a>,
    by: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
    current: Option<ConversationStr<'a>>,
}

#[derive(Serialize)]
pub(super) struct SettingLine<'a> {
    channel: ChannelStr<'a>,
    name: Str<'a>,
    value: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct RestrictionLine<'a> {
    channel: ChannelStr<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<AsDisplayed<&'a ModTarget>>,
    by: Str<'a>,
    time: JsonTime,
    until: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

#[derive(Serialize)]
pub(super) struct LogLine<'a> {
    channel: ChannelStr<'a>,
    time: JsonTime,
    by: Str<'a>,
    did: Str<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<AsDisplayed<&'a ModTarget>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
}

pub(super) fn end(term: Term) -> Option<JsonTime> {
    match term {
        Term::Permanent => None,
        Term::Until(end) => Some(JsonTime(end)),
    }
}

fn user(target: &ModTarget) -> Option<&str> {
    match target {
        ModTarget::User(name) => Some(name.as_str()),
        ModTarget::Net(_) => None,
    }
}

fn address(target: &ModTarget) -> Option<AsDisplayed<&ModTarget>> {
    matches!(target, ModTarget::Net(_)).then_some(AsDisplayed(target))
}

fn act<'a>(channel: &'a ChannelName, user: Option<Str<'a>>, by: Str<'a>) -> ModActionLine<'a> {
    ModActionLine { channel: AsDisplayed(channel), user, by, until: None, reason: None }
}

/// The line of a moderation event; `None` for other events.
pub(super) fn line(event: &Event) -> Option<JsonLine<'_>> {
    Some(match event {
        Event::Kicked { channel, user, by, reason, ban } => JsonLine::Kicked(KickedLine {
            channel: AsDisplayed(channel),
            user: user.as_str(),
            by: by.as_str(),
            banned: ban.is_some(),
            until: ban.and_then(end),
            reason: words(reason.as_ref()),
            current: None,
        }),
        Event::YouWereKicked { channel, user, by, reason, ban, current } => {
            JsonLine::Kicked(KickedLine {
                channel: AsDisplayed(channel),
                user: user.as_str(),
                by: by.as_str(),
                banned: ban.is_some(),
                until: ban.and_then(end),
                reason: words(reason.as_ref()),
                current: Some(current.as_ref().map(AsDisplayed)),
            })
        }
        Event::Muted { channel, user, by, term, reason } => JsonLine::Muted(ModActionLine {
            until: end(*term),
            reason: words(reason.as_ref()),
            ..act(channel, Some(user.as_str()), by.as_str())
        }),
        Event::Unmuted { channel, user, by } => {
            JsonLine::Unmuted(act(channel, Some(user.as_str()), by.as_str()))
        }
        Event::Operator { channel, user, by, is_one } => {
            let act = act(channel, Some(user.as_str()), by.as_str());
            if *is_one { JsonLine::Op(act) } else { JsonLine::Deop(act) }
        }
        Event::Set { channel, name, value, by } => JsonLine::Set(SettingLine {
            channel: AsDisplayed(channel),
            name,
            value: value.as_str(),
            by: Some(by.as_str()),
        }),
        Event::Purged { channel, user, by } => {
            JsonLine::Purged(act(channel, Some(user.as_str()), by.as_str()))
        }
        Event::Invited { channel, by } => JsonLine::Invited(act(channel, None, by.as_str())),
        Event::Dropped { channel, by, reason, current } => JsonLine::Dropped(DroppedLine {
            channel: AsDisplayed(channel),
            by: by.as_str(),
            reason: words(reason.as_ref()),
            current: current.as_ref().map(AsDisplayed),
        }),
        Event::Restriction { is_ban, channel, restricted } => {
            let row = row(channel, restricted);
            if *is_ban { JsonLine::Ban(row) } else { JsonLine::Mute(row) }
        }
        Event::Setting { channel, name, value } => JsonLine::Setting(SettingLine {
            channel: AsDisplayed(channel),
            name,
            value: value.as_str(),
            by: None,
        }),
        Event::LogEntry { channel, logged } => JsonLine::Log(log_row(channel, logged)),
        _ => return None,
    })
}

fn row<'a>(channel: &'a ChannelName, restricted: &'a Restriction) -> RestrictionLine<'a> {
    let Restriction { target, by, time, term, reason } = restricted;
    RestrictionLine {
        channel: AsDisplayed(channel),
        user: user(target),
        address: address(target),
        by: by.as_str(),
        time: JsonTime(*time),
        until: end(*term),
        reason: words(reason.as_ref()),
    }
}

fn log_row<'a>(channel: &'a ChannelName, logged: &'a event::ModLogEntry) -> LogLine<'a> {
    let event::ModLogEntry { time, by, did, target, term, setting, reason } = logged;
    LogLine {
        channel: AsDisplayed(channel),
        time: JsonTime(*time),
        by: by.as_str(),
        did: did.spec().name,
        user: target.as_ref().and_then(user),
        address: target.as_ref().and_then(address),
        until: term.and_then(end),
        setting: setting.as_ref().map(event::Sentence::as_str),
        reason: words(reason.as_ref()),
    }
}

/// The fields of a moderation command's `ok`; none for other commands.
pub(super) fn made(reply: &OkReply) -> OkFields<'_> {
    let of = |channel, user| OkFields {
        channel: Some(AsDisplayed(channel)),
        user,
        ..OkFields::default()
    };
    match reply {
        OkReply::Kicked { channel, user } | OkReply::Invited { channel, user } => {
            of(channel, Some(user.as_str()))
        }
        OkReply::ListedOf { channel, count } => {
            OkFields { count: Some(*count), ..of(channel, None) }
        }
        OkReply::Banned { channel, target, term } => {
            OkFields { address: address(target), until: end(*term), ..of(channel, user(target)) }
        }
        OkReply::Unbanned { channel, target, changed } => OkFields {
            address: address(target),
            changed: Some(*changed),
            ..of(channel, user(target))
        },
        OkReply::Muted { channel, user, term } => {
            OkFields { until: end(*term), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Unmuted { channel, user, changed }
        | OkReply::Operator { channel, user, changed, .. } => {
            OkFields { changed: Some(*changed), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Set { channel, name, value } => {
            OkFields { name: Some(name), value: Some(value.as_str()), ..of(channel, None) }
        }
        OkReply::Purged { channel, user, count } => {
            OkFields { count: Some(*count), ..of(channel, Some(user.as_str())) }
        }
        OkReply::Dropped { channel, current } => {
            OkFields { current: Some(current.as_ref().map(AsDisplayed)), ..of(channel, None) }
        }
        _ => OkFields::default(),
    }
}
