//! The sentences of running a channel.

use std::fmt::{self, Display, Write as _};

use bytes::BytesMut;

use super::{NowIn, aside, because};
use crate::conversation::Conversation;
use crate::event::{Done, Event, Logged, Restricted, Term};
use crate::name::{ChannelName, UserName};
use crate::target::Target;
use crate::verb::Kind;

/// An event of a channel that is run; nothing for others.
pub(super) fn line(event: &Event, out: &mut BytesMut) -> fmt::Result {
    match event {
        Event::Kicked { channel, user, by, reason, ban } => {
            let banned = and_banned("them", *ban);
            write!(out, "* {by} kicked {user} from {channel}{banned}{}", because(reason.as_ref()))
        }
        Event::YouWereKicked { channel, by, reason, ban, current, .. } => {
            write!(out, "* {by} kicked you from {channel}{}", and_banned("you", *ban))?;
            write!(out, "{}. {}", aside(reason.as_ref()), NowIn(current.as_ref()))
        }
        Event::Dropped { channel, by, reason, current } => {
            write!(out, "* {by} dropped {channel}{}. ", aside(reason.as_ref()))?;
            write!(out, "{}", NowIn(current.as_ref()))
        }
        Event::Muted { channel, user, by, term, reason } => {
            let reason = because(reason.as_ref());
            write!(out, "* {by} muted {user} in {channel}{term}{reason}")
        }
        Event::Unmuted { channel, user, by } => {
            write!(out, "* {by} lets {user} speak again in {channel}")
        }
        Event::Operator { channel, user, by, is_one: true } => {
            write!(out, "* {by} made {user} an operator of {channel}")
        }
        Event::Operator { channel, user, by, is_one: false } => {
            write!(out, "* {by} took the operator's right in {channel} from {user}")
        }
        Event::Set { channel, name, value, by } => {
            write!(out, "* {by} set {name} of {channel} to {}", value.as_str())
        }
        Event::Purged { channel, user, by } => {
            write!(out, "* {by} hid what {user} said in {channel}")
        }
        Event::Invited { channel, by } => {
            write!(out, "* {by} invites you to {channel}. /enter {} accepts.", channel.bare())
        }
        Event::RunningHead { kind, channel, count } => head(out, *kind, channel, *count),
        Event::Restricted { restricted, .. } => row(out, restricted),
        Event::Setting { name, value, .. } => write!(out, "*   {name:11}  {}", value.as_str()),
        Event::Logged { logged, .. } => act(out, logged),
        _ => Ok(()),
    }
}

/// The answer to a command that runs a channel; nothing for others.
pub(super) fn ok(out: &mut BytesMut, done: &Done) -> fmt::Result {
    match done {
        Done::Kicked { channel, user } => write!(out, "* You kicked {user} from {channel}."),
        Done::Banned { channel, target, term } => {
            write!(out, "* You banned {target} from {channel}{term}.")?;
            write!(out, " /unban {target} ends it.")
        }
        Done::Unbanned { channel, target, changed: true } => {
            write!(out, "* {target} may enter {channel} again.")
        }
        Done::Unbanned { channel, target, changed: false } => {
            write!(out, "* {target} was not banned from {channel}. /ban lists the bans.")
        }
        Done::Muted { channel, user, term } => {
            write!(out, "* You muted {user} in {channel}{term}.")?;
            write!(out, " /unmute {user} ends it.")
        }
        Done::Unmuted { channel, user, changed: true } => {
            write!(out, "* {user} may speak again in {channel}.")
        }
        Done::Unmuted { channel, user, changed: false } => {
            write!(out, "* {user} was not muted in {channel}. /mute lists the mutes.")
        }
        Done::Invited { channel, user } => write!(out, "* You invited {user} to {channel}."),
        Done::Operator { channel, user, is_one, changed } => {
            operator(out, channel, user, *is_one, *changed)
        }
        Done::Set { channel, name, value } => {
            write!(out, "* You set {name} of {channel} to {}.", value.as_str())
        }
        Done::Purged { channel, user, count: 1 } => {
            write!(out, "* You hid 1 line of {user} in {channel}.")
        }
        Done::Purged { channel, user, count } => {
            write!(out, "* You hid {count} lines of {user} in {channel}.")
        }
        Done::Dropped { channel, current } => dropped(out, channel, current.as_ref()),
        _ => Ok(()),
    }
}

fn operator(
    out: &mut BytesMut,
    channel: &ChannelName,
    user: &UserName,
    is_one: bool,
    changed: bool,
) -> fmt::Result {
    match (is_one, changed) {
        (true, true) => write!(out, "* You made {user} an operator of {channel}."),
        (true, false) => write!(out, "* {user} is an operator of {channel} already."),
        (false, true) => write!(out, "* {user} is no operator of {channel} any more."),
        (false, false) => write!(out, "* {user} was no operator of {channel}."),
    }
}

fn dropped(out: &mut BytesMut, channel: &ChannelName, now: Option<&Conversation>) -> fmt::Result {
    write!(out, "* You dropped {channel} with all that was said in it. {}", NowIn(now))
}

fn head(out: &mut BytesMut, kind: Kind, channel: &ChannelName, count: usize) -> fmt::Result {
    match (kind, count) {
        (Kind::Ban, 0) => write!(out, "* Nobody is banned from {channel}."),
        (Kind::Ban, 1) => write!(out, "* 1 ban from {channel}:"),
        (Kind::Ban, _) => write!(out, "* {count} bans from {channel}:"),
        (Kind::Mute, 0) => write!(out, "* Nobody is muted in {channel}."),
        (Kind::Mute, 1) => write!(out, "* 1 mute in {channel}:"),
        (Kind::Mute, _) => write!(out, "* {count} mutes in {channel}:"),
        (Kind::Set, _) => write!(out, "* Settings of {channel}:"),
        (_, 0) => write!(out, "* Nobody did anything about {channel} yet."),
        (_, 1) => write!(out, "* The last act in {channel}:"),
        _ => write!(out, "* The last {count} acts in {channel}:"),
    }
}

fn row(out: &mut BytesMut, restricted: &Restricted) -> fmt::Result {
    let Restricted { target, by, time, term, reason } = restricted;
    write!(out, "*   {target}{}, by {by} {}", term, time.date_and_time())?;
    write!(out, "{}", because(reason.as_ref()))
}

fn act(out: &mut BytesMut, logged: &Logged) -> fmt::Result {
    let Logged { time, by, did, target, term, setting, reason } = logged;
    write!(out, "*   {}  {by} ", time.date_and_time())?;
    let whom = whom(target.as_ref());
    match did {
        Kind::Kick => write!(out, "kicked {whom}")?,
        Kind::Ban => write!(out, "banned {whom}")?,
        Kind::Unban => write!(out, "ended the ban of {whom}")?,
        Kind::Mute => write!(out, "muted {whom}")?,
        Kind::Unmute => write!(out, "ended the mute of {whom}")?,
        Kind::Invite => write!(out, "invited {whom}")?,
        Kind::Op => write!(out, "made {whom} an operator")?,
        Kind::Deop => write!(out, "took the operator's right from {whom}")?,
        Kind::Purge => write!(out, "hid what {whom} said")?,
        Kind::Set => {
            write!(out, "set {}", setting.as_ref().map_or("", |setting| setting.as_str()))?;
        }
        _ => write!(out, "dropped the channel")?,
    }
    write!(out, "{}{}", term.unwrap_or(Term::Lasting), because(reason.as_ref()))
}

fn whom(target: Option<&Target>) -> impl Display {
    fmt::from_fn(move |f| target.map_or(Ok(()), |target| write!(f, "{target}")))
}

fn and_banned(whom: &'static str, ban: Option<Term>) -> impl Display {
    fmt::from_fn(move |f| ban.map_or(Ok(()), |term| write!(f, " and banned {whom}{term}")))
}
