//! The JSON format: one object per line, with a `type`. The only module with serialisable structs.

mod moderation;

use bytes::{BufMut as _, BytesMut};
use serde::{Serialize, Serializer};

use crate::ban_mask::ServerBanMask;
use crate::conversation::Conversation;
use crate::event::{Away, Event, MessageStamp, OkReply, SelfInfo, Stat, WhoisInfo};
use crate::mod_target::ModTarget;
use crate::name::{ChannelName, UserName};
use crate::secret::Secret;
use crate::text::Text;
use crate::time::Timestamp;

/// Every `type` of an output line, in the order of the protocol page.
pub const TYPES: &[&str] = &[
    "ok",
    "error",
    "message",
    "private",
    "opened",
    "entered",
    "left",
    "presence",
    "gone",
    "renamed",
    "topic",
    "kicked",
    "muted",
    "unmuted",
    "op",
    "deop",
    "set",
    "purged",
    "invited",
    "dropped",
    "channel",
    "user",
    "ban",
    "mute",
    "setting",
    "log",
    "info",
    "password",
    "signedout",
    "reentered",
    "unread",
    "waiting",
    "announcement",
    "killed",
    "serverban",
    "stats",
    "missed",
    "notice",
    "bye",
];

pub(super) fn render(event: &Event, out: &mut BytesMut) {
    let Some(line) = line(event) else { return };
    let before = out.len();
    // Neither the structs nor a growing buffer can fail.
    match serde_json::to_writer(out.writer(), &line) {
        Ok(()) => out.put_u8(b'\n'),
        Err(_) => out.truncate(before),
    }
}

/// Serialised as its `Display`.
#[derive(Clone, Copy)]
struct AsDisplayed<T>(T);

impl<T: std::fmt::Display> Serialize for AsDisplayed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A field that can be `null`, as distinct from a missing one.
type Nullable<T> = Option<T>;

type Str<'a> = &'a str;
type ChannelStr<'a> = AsDisplayed<&'a ChannelName>;
type ConversationStr<'a> = AsDisplayed<&'a Conversation>;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum JsonLine<'a> {
    Ok {
        re: Str<'a>,
        #[serde(flatten)]
        made: OkFields<'a>,
    },
    Error {
        re: Str<'a>,
        code: Str<'a>,
        text: Str<'a>,
    },
    Message {
        id: u64,
        time: JsonTime,
        channel: ChannelStr<'a>,
        from: Str<'a>,
        text: Str<'a>,
        #[serde(skip_serializing_if = "is_false")]
        action: bool,
        #[serde(skip_serializing_if = "is_false")]
        past: bool,
    },
    Private {
        id: u64,
        time: JsonTime,
        from: Str<'a>,
        to: Str<'a>,
        text: Str<'a>,
        #[serde(skip_serializing_if = "is_false")]
        action: bool,
        #[serde(skip_serializing_if = "is_false")]
        past: bool,
    },
    Opened {
        with: Str<'a>,
    },
    Entered {
        channel: ChannelStr<'a>,
        user: Str<'a>,
        time: JsonTime,
    },
    Left {
        channel: ChannelStr<'a>,
        user: Str<'a>,
        time: JsonTime,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<Nullable<ConversationStr<'a>>>,
    },
    Presence {
        channel: ChannelStr<'a>,
        entered: u64,
        left: u64,
        members: u64,
    },
    Gone {
        user: Str<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
    },
    Renamed {
        from: Str<'a>,
        to: Str<'a>,
    },
    Topic {
        channel: ChannelStr<'a>,
        topic: Option<Str<'a>>,
        by: Str<'a>,
    },
    Kicked(moderation::KickedLine<'a>),
    Muted(moderation::ModActionLine<'a>),
    Unmuted(moderation::ModActionLine<'a>),
    Op(moderation::ModActionLine<'a>),
    Deop(moderation::ModActionLine<'a>),
    Set(moderation::SettingLine<'a>),
    Purged(moderation::ModActionLine<'a>),
    Invited(moderation::ModActionLine<'a>),
    Dropped(moderation::DroppedLine<'a>),
    Ban(moderation::RestrictionLine<'a>),
    Mute(moderation::RestrictionLine<'a>),
    Setting(moderation::SettingLine<'a>),
    Log(moderation::LogLine<'a>),
    Channel {
        name: ChannelStr<'a>,
        members: usize,
        topic: Option<Str<'a>>,
    },
    User {
        name: Str<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelStr<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        operator: Option<bool>,
        away: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
        #[serde(flatten)]
        more: Option<Whois<'a>>,
        #[serde(flatten)]
        absent: Option<Absent<'a>>,
    },
    Info {
        name: Str<'a>,
        account: Option<Str<'a>>,
        current: Option<ConversationStr<'a>>,
        channels: Vec<ChannelStr<'a>>,
        address: Str<'a>,
        since: JsonTime,
        connected: u64,
        away: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
    },
    Password {
        r#for: Str<'a>,
        name: Str<'a>,
    },
    SignedOut {
        name: Str<'a>,
        reason: Str<'a>,
    },
    Reentered {
        channel: ChannelStr<'a>,
        members: usize,
        operator: bool,
        topic: Option<Str<'a>>,
        last: u64,
    },
    Unread {
        channel: ChannelStr<'a>,
        count: u64,
        mentions: u64,
        after: u64,
    },
    Waiting {
        count: u64,
        told: u64,
    },
    Announcement {
        from: Option<Str<'a>>,
        text: Str<'a>,
        time: JsonTime,
    },
    Killed {
        by: Option<Str<'a>>,
        #[serde(skip_serializing_if = "is_false")]
        banned: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<JsonTime>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
    },
    ServerBan {
        target: AsDisplayed<&'a ServerBanMask>,
        by: Option<Str<'a>>,
        time: JsonTime,
        until: Option<JsonTime>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Str<'a>>,
    },
    Stats {
        name: Str<'a>,
        value: u64,
    },
    Missed {
        channel: ChannelStr<'a>,
        count: u64,
        after: u64,
    },
    Notice {
        text: Str<'a>,
    },
    Bye {
        reason: Str<'a>,
    },
}

#[derive(Serialize)]
struct Whois<'a> {
    account: Option<Str<'a>>,
    channels: Vec<ChannelStr<'a>>,
    since: JsonTime,
    idle: u64,
    online: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Str<'a>>,
}

/// The answer of `/whois` for an account that is offline.
#[derive(Serialize)]
struct Absent<'a> {
    account: Str<'a>,
    seen: JsonTime,
}

/// The fields of an `ok`.
#[derive(Default, Serialize)]
struct OkFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelStr<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<AsDisplayed<&'a ModTarget>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Nullable<Str<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Nullable<ConversationStr<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<AsDisplayed<crate::format::Format>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite: Option<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<AsDisplayed<&'a ServerBanMask>>,
}

struct JsonTime(Timestamp);

impl Serialize for JsonTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.rfc3339())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn words(text: Option<&Text>) -> Option<&str> {
    text.map(Text::as_str)
}

fn why(away: Option<&Away>) -> Option<&str> {
    away.and_then(|away| words(away.reason.as_ref()))
}

fn line(event: &Event) -> Option<JsonLine<'_>> {
    Some(match event {
        Event::Message { stamp: MessageStamp { id, time }, channel, from, text, action, past } => {
            JsonLine::Message {
                id: id.0,
                time: JsonTime(*time),
                channel: AsDisplayed(channel),
                from: from.as_str(),
                text: text.as_str(),
                action: *action,
                past: *past,
            }
        }
        Event::Private {
            stamp: MessageStamp { id, time }, from, to, text, action, past, ..
        } => JsonLine::Private {
            id: id.0,
            time: JsonTime(*time),
            from: from.as_str(),
            to: to.as_str(),
            text: text.as_str(),
            action: *action,
            past: *past,
        },
        Event::Opened { with } => JsonLine::Opened { with: with.as_str() },
        Event::Entered { channel, user, time } => JsonLine::Entered {
            channel: AsDisplayed(channel),
            user: user.as_str(),
            time: JsonTime(*time),
        },
        Event::Left { channel, user, time, reason } => JsonLine::Left {
            channel: AsDisplayed(channel),
            user: user.as_str(),
            time: JsonTime(*time),
            reason: words(reason.as_ref()),
            current: None,
        },
        Event::YouLeft { channel, user, time, current } => JsonLine::Left {
            channel: AsDisplayed(channel),
            user: user.as_str(),
            time: JsonTime(*time),
            reason: None,
            current: Some(current.as_ref().map(AsDisplayed)),
        },
        Event::Presence { channel, entered, left, members } => JsonLine::Presence {
            channel: AsDisplayed(channel),
            entered: *entered,
            left: *left,
            members: *members,
        },
        Event::Gone { user, reason } => {
            JsonLine::Gone { user: user.as_str(), reason: words(reason.as_ref()) }
        }
        Event::Renamed { from, to } => JsonLine::Renamed { from: from.as_str(), to: to.as_str() },
        Event::Topic { channel, topic, by } => JsonLine::Topic {
            channel: AsDisplayed(channel),
            topic: words(topic.as_ref()),
            by: by.as_str(),
        },
        Event::Kicked { .. }
        | Event::YouWereKicked { .. }
        | Event::Muted { .. }
        | Event::Unmuted { .. }
        | Event::Operator { .. }
        | Event::Set { .. }
        | Event::Purged { .. }
        | Event::Invited { .. }
        | Event::Dropped { .. }
        | Event::Restriction { .. }
        | Event::Setting { .. }
        | Event::LogEntry { .. } => return moderation::line(event),
        Event::Channel { name, members, topic } => JsonLine::Channel {
            name: AsDisplayed(name),
            members: *members,
            topic: words(topic.as_ref()),
        },
        Event::User { name, channel, operator, away } => JsonLine::User {
            name: name.as_str(),
            channel: channel.as_ref().map(AsDisplayed),
            operator: channel.as_ref().map(|_| *operator),
            away: away.is_some(),
            reason: why(away.as_ref()),
            more: None,
            absent: None,
        },
        Event::Whois(person) => whois(person),
        Event::Info(own) => info(own),
        Event::LastSeen { name, seen, away } => JsonLine::User {
            name: name.as_str(),
            channel: None,
            operator: None,
            away: away.is_some(),
            reason: why(away.as_ref()),
            more: None,
            absent: Some(Absent { account: name.as_str(), seen: JsonTime(*seen) }),
        },
        Event::PasswordAsked { what, name } => {
            JsonLine::Password { r#for: what.word(), name: name.as_str() }
        }
        Event::SignedOut { name, by } => {
            JsonLine::SignedOut { name: name.as_str(), reason: by.reason() }
        }
        Event::Reentered { channel, members, topic, operator, last } => JsonLine::Reentered {
            channel: AsDisplayed(channel),
            members: *members,
            operator: *operator,
            topic: words(topic.as_ref()),
            last: last.0,
        },
        Event::Unread { channel, count, mentions, after } => JsonLine::Unread {
            channel: AsDisplayed(channel),
            count: *count,
            mentions: *mentions,
            after: after.0,
        },
        Event::UnreadPrivate { count, told } => JsonLine::Waiting { count: *count, told: *told },
        Event::Announcement { from, text, time } => JsonLine::Announcement {
            from: from.as_ref().map(UserName::as_str),
            text: text.as_str(),
            time: JsonTime(*time),
        },
        Event::Killed { by, reason, ban } => JsonLine::Killed {
            by: by.as_ref().map(UserName::as_str),
            banned: ban.is_some(),
            until: ban.and_then(moderation::end),
            reason: words(reason.as_ref()),
        },
        Event::ServerBan(ban) => JsonLine::ServerBan {
            target: AsDisplayed(&ban.target),
            by: ban.by.as_ref().map(UserName::as_str),
            time: JsonTime(ban.time),
            until: moderation::end(ban.term),
            reason: words(ban.reason.as_ref()),
        },
        Event::Stat(Stat { name, value }) => JsonLine::Stats { name, value: *value },
        Event::Missed { channel, count, after } => {
            JsonLine::Missed { channel: AsDisplayed(channel), count: *count, after: after.0 }
        }
        Event::Notice(sentence) => JsonLine::Notice { text: sentence.as_str() },
        Event::Bye(farewell) => JsonLine::Bye { reason: farewell.reason() },
        Event::Ok { re, reply } => JsonLine::Ok { re, made: made(reply) },
        Event::Refused { re, refusal } => {
            JsonLine::Error { re, code: refusal.code().name(), text: refusal.text() }
        }
        Event::ChannelsHead { .. }
        | Event::ServerBansHead { .. }
        | Event::UsersHead { .. }
        | Event::UsersMore { .. }
        | Event::ModListHead { .. } => return None,
    })
}

fn whois(person: &WhoisInfo) -> JsonLine<'_> {
    JsonLine::User {
        name: person.name.as_str(),
        channel: None,
        operator: None,
        away: person.away.is_some(),
        reason: why(person.away.as_ref()),
        more: Some(Whois {
            account: person.account.as_ref().map(UserName::as_str),
            channels: person.shared.iter().map(AsDisplayed).collect(),
            since: JsonTime(person.since),
            idle: person.idle_secs,
            online: person.online_secs,
            address: person.address.as_deref(),
        }),
        absent: None,
    }
}

fn info(own: &SelfInfo) -> JsonLine<'_> {
    JsonLine::Info {
        name: own.name.as_str(),
        account: own.account.as_ref().map(UserName::as_str),
        current: own.current.as_ref().map(AsDisplayed),
        channels: own.channels.iter().map(AsDisplayed).collect(),
        address: &own.address,
        since: JsonTime(own.since),
        connected: own.connected_secs,
        away: own.away.is_some(),
        reason: why(own.away.as_ref()),
    }
}

fn made(reply: &OkReply) -> OkFields<'_> {
    let nothing = OkFields::default();
    match reply {
        OkReply::Told => nothing,
        OkReply::Listed { count } | OkReply::Announced { count } => {
            OkFields { count: Some(*count), ..nothing }
        }
        OkReply::Page { count, next } => {
            OkFields { count: Some(*count), more: true, next: Some(next.as_str()), ..nothing }
        }
        OkReply::Killed { user, count } => {
            OkFields { user: Some(user.as_str()), count: Some(*count), ..nothing }
        }
        OkReply::ServerBanned { target, term, count } => OkFields {
            target: Some(AsDisplayed(target)),
            count: Some(*count),
            until: moderation::end(*term),
            ..nothing
        },
        OkReply::ServerUnbanned { target, changed } => {
            OkFields { target: Some(AsDisplayed(target)), changed: Some(*changed), ..nothing }
        }
        OkReply::Invitation { invite, until } => {
            OkFields { invite: Some(invite.expose()), until: Some(JsonTime(*until)), ..nothing }
        }
        OkReply::Welcomed { name }
        | OkReply::Named { name }
        | OkReply::SignedOut { name }
        | OkReply::Forgotten { name } => name_of(name),
        OkReply::Created { channel, topic, last } => OkFields {
            channel: Some(AsDisplayed(channel)),
            last: Some(last.0),
            members: Some(1),
            operator: Some(true),
            topic: Some(words(topic.as_ref())),
            ..nothing
        },
        OkReply::Entered { channel, members, topic, operator, last }
        | OkReply::Current { channel, members, topic, operator, last } => OkFields {
            channel: Some(AsDisplayed(channel)),
            last: Some(last.0),
            members: Some(*members),
            operator: Some(*operator),
            topic: Some(words(topic.as_ref())),
            ..nothing
        },
        OkReply::Left { conversation, current } => {
            OkFields { current: Some(current.as_ref().map(AsDisplayed)), ..of(conversation) }
        }
        OkReply::History { conversation, count } => {
            OkFields { count: Some(*count), ..of(conversation) }
        }
        OkReply::Found { count, next } | OkReply::Mentions { count, next } => OkFields {
            count: Some(*count),
            more: next.is_some(),
            next: next.as_ref().map(Text::as_str),
            ..nothing
        },
        OkReply::PrivateOpened { with, stamp } => OkFields {
            with: Some(with.as_str()),
            id: stamp.map(|stamp| stamp.id.0),
            time: stamp.map(|stamp| JsonTime(stamp.time)),
            ..nothing
        },
        OkReply::Said { to, stamp } => {
            let stamp =
                OkFields { id: Some(stamp.id.0), time: Some(JsonTime(stamp.time)), ..nothing };
            match to {
                Conversation::Channel(channel) => {
                    OkFields { channel: Some(AsDisplayed(channel)), ..stamp }
                }
                Conversation::Private(user) => OkFields { to: Some(user.as_str()), ..stamp },
            }
        }
        OkReply::TopicShown { channel, topic } => OkFields {
            channel: Some(AsDisplayed(channel)),
            topic: Some(words(topic.as_ref())),
            ..nothing
        },
        OkReply::TopicSet { channel, topic } => OkFields {
            channel: Some(AsDisplayed(channel)),
            topic: Some(Some(topic.as_str())),
            ..nothing
        },
        OkReply::Away { away, changed } => OkFields {
            away: Some(away.is_some()),
            reason: why(away.as_ref()),
            changed: Some(*changed),
            ..nothing
        },
        OkReply::Ignoring { user, changed } | OkReply::NotIgnoring { user, changed } => {
            OkFields { user: Some(user.as_str()), changed: Some(*changed), ..nothing }
        }
        OkReply::Kicked { .. }
        | OkReply::ListedOf { .. }
        | OkReply::Banned { .. }
        | OkReply::Unbanned { .. }
        | OkReply::Muted { .. }
        | OkReply::Unmuted { .. }
        | OkReply::Invited { .. }
        | OkReply::Operator { .. }
        | OkReply::Set { .. }
        | OkReply::Purged { .. }
        | OkReply::Dropped { .. } => moderation::made(reply),
        OkReply::Registered { name, token } => with_token(name_of(name), Some(token)),
        OkReply::SignedIn { name, token } => with_token(name_of(name), token.as_ref()),
        OkReply::PasswordChanged { token } => with_token(nothing, Some(token)),
        OkReply::Format { format } => OkFields { format: Some(AsDisplayed(*format)), ..nothing },
        OkReply::Pong { token } => OkFields { token: words(token.as_ref()), ..nothing },
    }
}

fn of(conversation: &Conversation) -> OkFields<'_> {
    match conversation {
        Conversation::Channel(channel) => {
            OkFields { channel: Some(AsDisplayed(channel)), ..OkFields::default() }
        }
        Conversation::Private(user) => {
            OkFields { with: Some(user.as_str()), ..OkFields::default() }
        }
    }
}

fn with_token<'a>(made: OkFields<'a>, token: Option<&'a Secret>) -> OkFields<'a> {
    OkFields { token: token.map(Secret::expose), ..made }
}

fn name_of(name: &UserName) -> OkFields<'_> {
    OkFields { name: Some(name.as_str()), ..OkFields::default() }
}
