//! The lines of channel moderation.

use std::fmt::{self, Display, Write as _};

use bytes::BytesMut;

use super::{CurrentNotice, aside, because};
use crate::command_table::CommandKind;
use crate::conversation::Conversation;
use crate::event::{Event, ModLogEntry, OkReply, Restriction, Term};
use crate::mod_target::ModTarget;
use crate::name::{ChannelName, UserName};

/// Writes a moderation event; nothing for other events.
pub(super) fn line(event: &Event, out: &mut BytesMut) -> fmt::Result {
    match event {
        Event::Kicked { channel, user, by, reason, ban } => {
            let banned = and_banned("them", *ban);
            write!(out, "* {by} kicked {user} from {channel}{banned}{}", because(reason.as_ref()))
        }
        Event::YouWereKicked { channel, by, reason, ban, current, .. } => {
            write!(out, "* {by} kicked you from {channel}{}", and_banned("you", *ban))?;
            write!(out, "{}. {}", aside(reason.as_ref()), CurrentNotice(current.as_ref()))
        }
        Event::Dropped { channel, by, reason, current } => {
            write!(out, "* {by} dropped {channel}{}. ", aside(reason.as_ref()))?;
            write!(out, "{}", CurrentNotice(current.as_ref()))
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
        Event::ModListHead { kind, channel, count } => head(out, *kind, channel, *count),
        Event::Restriction { restricted, .. } => row(out, restricted),
        Event::Setting { name, value, .. } => write!(out, "*   {name:11}  {}", value.as_str()),
        Event::LogEntry { logged, .. } => act(out, logged),
        _ => Ok(()),
    }
}

/// Writes the answer to a moderation command; nothing for other commands.
pub(super) fn ok(out: &mut BytesMut, reply: &OkReply) -> fmt::Result {
    match reply {
        OkReply::Kicked { channel, user } => write!(out, "* You kicked {user} from {channel}."),
        OkReply::Banned { channel, target, term } => {
            write!(out, "* You banned {target} from {channel}{term}.")?;
            write!(out, " /unban {target} ends it.")
        }
        OkReply::Unbanned { channel, target, changed: true } => {
            write!(out, "* {target} may enter {channel} again.")
        }
        OkReply::Unbanned { channel, target, changed: false } => {
            write!(out, "* {target} was not banned from {channel}. /ban lists the bans.")
        }
        OkReply::Muted { channel, user, term } => {
            write!(out, "* You muted {user} in {channel}{term}.")?;
            write!(out, " /unmute {user} ends it.")
        }
        OkReply::Unmuted { channel, user, changed: true } => {
            write!(out, "* {user} may speak again in {channel}.")
        }
        OkReply::Unmuted { channel, user, changed: false } => {
            write!(out, "* {user} was not muted in {channel}. /mute lists the mutes.")
        }
        OkReply::Invited { channel, user } => write!(out, "* You invited {user} to {channel}."),
        OkReply::Operator { channel, user, is_one, changed } => {
            operator(out, channel, user, *is_one, *changed)
        }
        OkReply::Set { channel, name, value } => {
            write!(out, "* You set {name} of {channel} to {}.", value.as_str())
        }
        OkReply::Purged { channel, user, count: 1 } => {
            write!(out, "* You hid 1 line of {user} in {channel}.")
        }
        OkReply::Purged { channel, user, count } => {
            write!(out, "* You hid {count} lines of {user} in {channel}.")
        }
        OkReply::Dropped { channel, current } => dropped(out, channel, current.as_ref()),
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
    write!(out, "* You dropped {channel} with all that was said in it. {}", CurrentNotice(now))
}

fn head(out: &mut BytesMut, kind: CommandKind, channel: &ChannelName, count: usize) -> fmt::Result {
    match (kind, count) {
        (CommandKind::Ban, 0) => write!(out, "* Nobody is banned from {channel}."),
        (CommandKind::Ban, 1) => write!(out, "* 1 ban from {channel}:"),
        (CommandKind::Ban, _) => write!(out, "* {count} bans from {channel}:"),
        (CommandKind::Mute, 0) => write!(out, "* Nobody is muted in {channel}."),
        (CommandKind::Mute, 1) => write!(out, "* 1 mute in {channel}:"),
        (CommandKind::Mute, _) => write!(out, "* {count} mutes in {channel}:"),
        (CommandKind::Set, _) => write!(out, "* Settings of {channel}:"),
        (_, 0) => write!(out, "* Nobody did anything about {channel} yet."),
        (_, 1) => write!(out, "* The last act in {channel}:"),
        _ => write!(out, "* The last {count} acts in {channel}:"),
    }
}

fn row(out: &mut BytesMut, restricted: &Restriction) -> fmt::Result {
    let Restriction { target, by, time, term, reason } = restricted;
    write!(out, "*   {target}{}, by {by} {}", term, time.date_and_time())?;
    write!(out, "{}", because(reason.as_ref()))
}

fn act(out: &mut BytesMut, logged: &ModLogEntry) -> fmt::Result {
    let ModLogEntry { time, by, did, target, term, setting, reason } = logged;
    write!(out, "*   {}  {by} ", time.date_and_time())?;
    let whom = whom(target.as_ref());
    match did {
        CommandKind::Kick => write!(out, "kicked {whom}")?,
        CommandKind::Ban => write!(out, "banned {whom}")?,
        CommandKind::Unban => write!(out, "ended the ban of {whom}")?,
        CommandKind::Mute => write!(out, "muted {whom}")?,
        CommandKind::Unmute => write!(out, "ended the mute of {whom}")?,
        CommandKind::Invite => write!(out, "invited {whom}")?,
        CommandKind::Op => write!(out, "made {whom} an operator")?,
        CommandKind::Deop => write!(out, "took the operator's right from {whom}")?,
        CommandKind::Purge => write!(out, "hid what {whom} said")?,
        CommandKind::Set => {
            write!(out, "set {}", setting.as_ref().map_or("", |setting| setting.as_str()))?;
        }
        _ => write!(out, "dropped the channel")?,
    }
    write!(out, "{}{}", term.unwrap_or(Term::Permanent), because(reason.as_ref()))
}

fn whom(target: Option<&ModTarget>) -> impl Display {
    fmt::from_fn(move |f| target.map_or(Ok(()), |target| write!(f, "{target}")))
}

fn and_banned(whom: &'static str, ban: Option<Term>) -> impl Display {
    fmt::from_fn(move |f| ban.map_or(Ok(()), |term| write!(f, " and banned {whom}{term}")))
}
