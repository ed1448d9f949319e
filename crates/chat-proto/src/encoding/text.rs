//! The text format: the first characters of a line show its kind.
//!
//! `*` is a line of the server, `!` a refusal, `[#channel]` or `[@user]` a message. The types of
//! names and texts exclude line endings, so no user can inject a line.

mod moderation;

use std::fmt::{self, Display, Write as _};

use bytes::BytesMut;

use crate::command_table::EVERYWHERE;
use crate::conversation::Conversation;
use crate::event::{
    Away, CloseReason, Event, MessageStamp, OkReply, PasswordPurpose, SelfInfo, ServerBan, Stat,
    StatLine, WhoisInfo,
};
use crate::id::MessageId;
use crate::limits::{MAX_HISTORY_LINES, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
use crate::name::{ChannelName, UserName};
use crate::secret::INVITE_SIGN;
use crate::text::Text;
use crate::time::HumanDuration;

pub(super) fn render(event: &Event, out: &mut BytesMut) {
    let before = out.len();
    // Writing to a growing buffer doesn't fail.
    let _ = line(event, out);
    if out.len() > before {
        out.extend_from_slice(b"\r\n");
    }
}

fn line(event: &Event, out: &mut BytesMut) -> fmt::Result {
    match event {
        Event::Message { stamp, channel, from, text, action, past } => {
            said(out, ["#", channel.bare()], *stamp, from, text, *action, *past);
            Ok(())
        }
        Event::Private { stamp, with, from, text, action, past, .. } => {
            said(out, ["@", with.as_str()], *stamp, from, text, *action, *past);
            Ok(())
        }
        Event::Opened { with } => {
            write!(out, "* {with} opened a private chat with you. /private {with} to answer.")
        }
        Event::Entered { channel, user, .. } => write!(out, "* {user} entered {channel}"),
        Event::Left { channel, user, reason, .. } => {
            write!(out, "* {user} left {channel}{}", because(reason.as_ref()))
        }
        Event::YouLeft { channel, current, .. } => {
            write!(
                out,
                "* You left {channel} on another device. {}",
                CurrentNotice(current.as_ref())
            )
        }
        Event::Presence { channel, entered, left, members } => {
            write!(out, "* {entered} entered, {left} left {channel} ({members} here)")
        }
        Event::Gone { user, reason } => {
            write!(out, "* {user} left the system{}", because(reason.as_ref()))
        }
        Event::Renamed { from, to } => write!(out, "* {from} is now {to}"),
        Event::Topic { channel, topic: Some(topic), by } => {
            write!(out, "* {by} set the topic of {channel}: {topic}")
        }
        Event::Topic { channel, topic: None, by } => {
            write!(out, "* {by} removed the topic of {channel}")
        }
        Event::ChannelsHead { count: 0, part: None } => {
            write!(out, "* No channels are open. /create NAME makes one.")
        }
        Event::ChannelsHead { count: 0, part: Some(part) } => {
            write!(out, "* No channel has {part} in its name. /channels lists them all.")
        }
        Event::ChannelsHead { count: 1, .. } => write!(out, "* 1 channel:"),
        Event::ChannelsHead { count, .. } => write!(out, "* {count} channels:"),
        Event::Channel { name, members, topic } => {
            write!(out, "*   {name}  {members} here")?;
            topic.as_ref().map_or(Ok(()), |topic| write!(out, "  {topic}"))
        }
        Event::UsersHead { channel: Some(channel), count: 0, .. } => {
            write!(out, "* Nobody is in {channel}.")
        }
        Event::UsersHead { channel: Some(channel), count, names } => {
            write!(out, "* {count} in {channel}: {}", Listed(names))
        }
        Event::UsersHead { channel: None, count, names } => {
            write!(out, "* {count} online: {}", Listed(names))
        }
        Event::UsersMore { names } => write!(out, "*   {}", Listed(names)),
        Event::Whois(person) => whois(out, person),
        Event::Info(own) => info(out, own),
        Event::LastSeen { name, seen, away } => {
            write!(out, "* {name} was last seen {}", seen.date_and_time())?;
            if let Some(Away { reason }) = away {
                write!(out, ", away{}", aside(reason.as_ref()))?;
            }
            write!(out, ".")
        }
        Event::PasswordAsked { what, name } => ask(out, *what, name),
        Event::SignedOut { name, by } => write!(
            out,
            "* You are signed out of {name}: {}. Type a name, or /login NAME, to go on.",
            by.reason()
        ),
        Event::Reentered { channel, members, topic, .. } => {
            write!(out, "* You are back in {channel} ({members} here).{}", Topic(topic.as_ref()))
        }
        Event::Unread { channel, count, mentions, after } => {
            unread(out, channel, *count, *mentions, *after)
        }
        Event::UnreadPrivate { count, told } => {
            let messages = if *count == 1 { "message" } else { "messages" };
            write!(out, "* {count} {messages} while you were away")?;
            if told < count { write!(out, "; the newest {told}:") } else { write!(out, ":") }
        }
        Event::Announcement { from: Some(from), text, .. } => {
            write!(out, "* Announcement from {from}: {text}")
        }
        Event::Announcement { from: None, text, .. } => write!(out, "* Announcement: {text}"),
        Event::Killed { by, reason, ban } => {
            match by {
                Some(by) => write!(out, "* {by}, an operator of the server,")?,
                None => write!(out, "* The server's operator")?,
            }
            write!(out, " ended your connection")?;
            ban.map_or(Ok(()), |term| write!(out, " and banned you{term}"))?;
            write!(out, "{}", because(reason.as_ref()))
        }
        Event::ServerBansHead { count: 0 } => write!(out, "* Nobody is banned from this server."),
        Event::ServerBansHead { count: 1 } => write!(out, "* 1 ban from this server:"),
        Event::ServerBansHead { count } => write!(out, "* {count} bans from this server:"),
        Event::ServerBan(ban) => {
            let ServerBan { target, by, time, term, reason } = &**ban;
            let by = by.as_ref().map_or("the shell", UserName::as_str);
            write!(out, "*   {target}{term}, by {by} {}", time.date_and_time())?;
            write!(out, "{}", because(reason.as_ref()))
        }
        Event::Stat(Stat { name, value }) => write!(out, "*   {}", StatLine(name, *value)),
        Event::Missed { channel, count, .. } => write!(
            out,
            "* You missed {count} {} in {channel}. /history {channel} {count} shows them.",
            if *count == 1 { "line" } else { "lines" }
        ),
        Event::Notice(sentence) => write!(out, "* {}", sentence.as_str()),
        Event::Bye(CloseReason::Quit | CloseReason::EndOfInput) => write!(out, "* Bye."),
        Event::Bye(farewell) => write!(out, "* Bye: {}.", farewell.reason()),
        Event::Ok { reply, .. } => ok(out, reply),
        Event::Refused { refusal, .. } => {
            write!(out, "! {}: {}", refusal.code(), refusal.text())
        }
        Event::User { .. } => Ok(()),
        Event::Kicked { .. }
        | Event::YouWereKicked { .. }
        | Event::Muted { .. }
        | Event::Unmuted { .. }
        | Event::Operator { .. }
        | Event::Set { .. }
        | Event::Purged { .. }
        | Event::Invited { .. }
        | Event::Dropped { .. }
        | Event::ModListHead { .. }
        | Event::Restriction { .. }
        | Event::Setting { .. }
        | Event::LogEntry { .. } => moderation::line(event, out),
    }
}

/// Messages are by far the most frequent lines, so they are written without a formatter.
fn said(
    out: &mut BytesMut,
    place: [&str; 2],
    stamp: MessageStamp,
    from: &UserName,
    text: &Text,
    action: bool,
    past: bool,
) {
    let mut add = |parts: &[&str]| {
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    };
    let [sign, name] = place;
    add(&["[", sign, name]);
    if past {
        add(&[" ", &stamp.time.date_and_time().to_string()]);
    }
    let (before, between) = if action { ("] * ", " ") } else { ("] ", ": ") };
    add(&[before, from.as_str(), between, text.as_str()]);
}

fn whois(out: &mut BytesMut, person: &WhoisInfo) -> fmt::Result {
    let WhoisInfo { name, account, away, shared, idle_secs, online_secs, address, .. } = person;
    let with = if account.is_some() { "with" } else { "without" };
    write!(out, "* {name} is here {with} an account, online for {}", HumanDuration(*online_secs))?;
    write!(out, ", idle for {}", HumanDuration(*idle_secs))?;
    if let Some(Away { reason }) = away {
        write!(out, ", away{}", aside(reason.as_ref()))?;
    }
    match shared.as_slice() {
        [] => write!(out, ". You share no channel.")?,
        shared => write!(out, ". You share {}.", Listed(shared))?,
    }
    match address {
        Some(address) => write!(out, " Connected from {address}."),
        None => Ok(()),
    }
}

fn info(out: &mut BytesMut, own: &SelfInfo) -> fmt::Result {
    let SelfInfo { name, account, current, channels, address, connected_secs, away, .. } = own;
    let account = if account.is_some() { "signed in" } else { "without an account" };
    write!(out, "* You are {name}, {account}")?;
    if let Some(Away { reason }) = away {
        write!(out, ", away{}", aside(reason.as_ref()))?;
    }
    match current {
        Some(current) => write!(out, ". You are in {current}.")?,
        None => write!(out, ". You are in no conversation.")?,
    }
    match channels.as_slice() {
        [] => write!(out, " You are in no channel.")?,
        channels => write!(out, " Your channels: {}.", Listed(channels))?,
    }
    write!(out, " Connected from {address} for {}.", HumanDuration(*connected_secs))
}

fn unread(
    out: &mut BytesMut,
    channel: &ChannelName,
    count: u64,
    mentions: u64,
    after: MessageId,
) -> fmt::Result {
    write!(out, "* {count} new {} in {channel}", if count == 1 { "line" } else { "lines" })?;
    match mentions {
        0 => {}
        1 => write!(out, " (1 names you)")?,
        mentions => write!(out, " ({mentions} name you)")?,
    }
    if count > u64::from(MAX_HISTORY_LINES) {
        write!(
            out,
            ". /history {channel} {MAX_HISTORY_LINES} after {after} begins with the oldest."
        )
    } else {
        let them = if count == 1 { "it" } else { "them" };
        write!(out, ". /history {channel} after {after} shows {them}.")
    }
}

fn ask(out: &mut BytesMut, what: PasswordPurpose, name: &UserName) -> fmt::Result {
    match what {
        PasswordPurpose::New => write!(
            out,
            "* Type a new password for {name} and press Enter. It has {MIN_PASSWORD_CHARS} to \
             {MAX_PASSWORD_CHARS} characters."
        ),
        PasswordPurpose::Old => {
            write!(out, "* Type the present password of {name} and press Enter.")
        }
        PasswordPurpose::Login => write!(out, "* Type the password of {name} and press Enter."),
        PasswordPurpose::Forget => write!(
            out,
            "* Type the password of {name} and press Enter to erase the account and all that it \
             wrote. A blank and Enter keep it."
        ),
    }
}

fn ok(out: &mut BytesMut, reply: &OkReply) -> fmt::Result {
    match reply {
        OkReply::Told
        | OkReply::Listed { .. }
        | OkReply::ListedOf { .. }
        | OkReply::Welcomed { .. }
        | OkReply::Said { .. }
        | OkReply::Mentions { count: 1.., next: None }
        | OkReply::History { count: 1.., .. } => Ok(()),
        OkReply::Page { next, .. } => write!(out, "* There are more. {next} shows them."),
        OkReply::Named { name } => write!(out, "* You are now {name}."),
        OkReply::Created { channel, .. } => {
            write!(out, "* You made {channel} and entered it as its operator.")
        }
        OkReply::Entered { channel, members, topic, .. } => {
            write!(out, "* You entered {channel} ({members} here).{}", Topic(topic.as_ref()))
        }
        OkReply::Current { channel, members, topic, .. } => {
            write!(out, "* You are now in {channel} ({members} here).{}", Topic(topic.as_ref()))
        }
        OkReply::Left { conversation: Conversation::Channel(channel), current } => {
            write!(out, "* You left {channel}. {}", CurrentNotice(current.as_ref()))
        }
        OkReply::Left { conversation: Conversation::Private(user), current } => {
            write!(
                out,
                "* You left the private chat with {user}. {}",
                CurrentNotice(current.as_ref())
            )
        }
        OkReply::PrivateOpened { with, .. } => {
            write!(out, "* You are in a private chat with {with}. /leave ends it.")
        }
        OkReply::History { conversation, count: 0 } => match conversation {
            Conversation::Channel(channel) => {
                write!(out, "* There are no such lines in {channel}.")
            }
            Conversation::Private(user) => {
                write!(out, "* There are no such lines in the private chat with {user}.")
            }
        },
        OkReply::Found { count: 0, .. } => {
            write!(out, "* Nothing found. Try fewer words, or only the beginning of one: word*")
        }
        OkReply::Found { count, next: Some(next) } => write!(
            out,
            "* These are the newest {count}; there are more. before:DATE, from:USER or in:#CHANNEL \
             narrow it. {next} shows older ones."
        ),
        OkReply::Found { count, next: None } => write!(out, "* {count} found."),
        OkReply::Mentions { count: 0, .. } => write!(out, "* No line in your channels names you."),
        OkReply::Mentions { next: Some(next), .. } => {
            write!(out, "* There are more. {next} shows older ones.")
        }
        OkReply::TopicShown { channel, topic: Some(topic) } => {
            write!(out, "* The topic of {channel} is: {topic}")
        }
        OkReply::TopicShown { channel, topic: None } => {
            write!(out, "* {channel} has no topic. /topic TEXT sets one.")
        }
        OkReply::TopicSet { channel, topic } => {
            write!(out, "* You set the topic of {channel}: {topic}")
        }
        OkReply::Away { away: Some(Away { reason }), .. } => {
            write!(out, "* You are away{}. /back when you are here again.", aside(reason.as_ref()))
        }
        OkReply::Away { away: None, changed: true } => write!(out, "* You are back."),
        OkReply::Away { away: None, changed: false } => write!(out, "* You were not away."),
        OkReply::Ignoring { user, changed: true } => {
            write!(out, "* You ignore {user} now. /unignore {user} ends it.")
        }
        OkReply::Ignoring { user, changed: false } => {
            write!(out, "* You ignore {user} already. /unignore {user} ends it.")
        }
        OkReply::NotIgnoring { user, changed: true } => {
            write!(out, "* You don't ignore {user} any more.")
        }
        OkReply::NotIgnoring { user, changed: false } => {
            write!(out, "* You were not ignoring {user}.")
        }
        OkReply::Killed { user, count: 1 } => write!(out, "* You ended 1 connection of {user}."),
        OkReply::Killed { user, count } => {
            write!(out, "* You ended {count} connections of {user}.")
        }
        OkReply::ServerBanned { target, term, count } => {
            write!(out, "* You banned {target} from this server{term}; ")?;
            match count {
                0 => write!(out, "nobody of them was here.")?,
                1 => write!(out, "1 connection was ended.")?,
                count => write!(out, "{count} connections were ended.")?,
            }
            write!(out, " /unban {EVERYWHERE} {target} ends it.")
        }
        OkReply::ServerUnbanned { target, changed: true } => {
            write!(out, "* {target} may enter this server again.")
        }
        OkReply::ServerUnbanned { target, changed: false } => write!(
            out,
            "* {target} was not banned from this server. /ban {EVERYWHERE} lists the bans."
        ),
        OkReply::Announced { count: 1 } => write!(out, "* It was told on 1 connection."),
        OkReply::Announced { count } => write!(out, "* It was told on {count} connections."),
        OkReply::Invitation { invite, until } => write!(
            out,
            "* {INVITE_SIGN}{} is good for one account until {}. Somebody types /register \
             {INVITE_SIGN}{} with it.",
            invite.expose(),
            until.date_and_time(),
            invite.expose()
        ),
        OkReply::Kicked { .. }
        | OkReply::Banned { .. }
        | OkReply::Unbanned { .. }
        | OkReply::Muted { .. }
        | OkReply::Unmuted { .. }
        | OkReply::Invited { .. }
        | OkReply::Operator { .. }
        | OkReply::Set { .. }
        | OkReply::Purged { .. }
        | OkReply::Dropped { .. } => moderation::ok(out, reply),
        OkReply::Registered { name, .. } => write!(
            out,
            "* {name} is an account now, and you are signed in. /login {name} signs in next time."
        ),
        OkReply::SignedIn { name, .. } => {
            write!(out, "* You are signed in as {name}. /logout signs out.")
        }
        OkReply::SignedOut { name } => {
            write!(out, "* You are signed out of {name}. Type a name, or /login NAME, to go on.")
        }
        OkReply::PasswordChanged { .. } => {
            write!(out, "* Your password is changed, and you are signed out everywhere else.")
        }
        OkReply::Forgotten { name } => write!(
            out,
            "* The account {name} is erased, with all that it wrote. Type a name to go on."
        ),
        OkReply::Format { format } => write!(out, "* Output is in the {format} form now."),
        OkReply::Pong { token: Some(token) } => write!(out, "* pong {token}"),
        OkReply::Pong { token: None } => write!(out, "* pong"),
    }
}

fn because(reason: Option<&Text>) -> impl Display {
    fmt::from_fn(move |f| reason.map_or(Ok(()), |reason| write!(f, ": {reason}")))
}

/// A reason in parentheses, in the middle of a sentence.
fn aside(reason: Option<&Text>) -> impl Display {
    fmt::from_fn(move |f| reason.map_or(Ok(()), |reason| write!(f, " ({reason})")))
}

struct CurrentNotice<'a>(Option<&'a Conversation>);

impl Display for CurrentNotice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(current) => write!(f, "You are now in {current}."),
            None => f.write_str("You are in no conversation."),
        }
    }
}

struct Topic<'a>(Option<&'a Text>);

impl Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |topic| write!(f, " Topic: {topic}"))
    }
}

struct Listed<'a, T>(&'a [T]);

impl<T: Display> Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().enumerate() {
            write!(f, "{}{one}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
