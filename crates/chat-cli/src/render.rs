//! Renders events of the server as sentences, if they have one.
//!
//! The sentences are those of the server's text format, so a user of `telnet` recognizes them.

mod moderation;
mod server_moderation;

use std::fmt::{self, Display};
use std::mem;

use chat_proto::limits::MAX_HISTORY_LINES;

use crate::input_line::command;
use crate::mention::same_name;
use crate::proto::HumanDuration;
use crate::server_event::{CurrentChange, JsonRow, OkAnswer, ServerEvent, UserEntry, WhoisDetails};
use crate::show::{DisplayItem, Tone};
use moderation::{ModerationRenderer, and_banned};
use server_moderation::ServerModerationRenderer;

/// Rows of one list that are stored until its `ok`. Rows beyond it are counted only by the server.
const MAX_ROWS: usize = 5_000;

/// Renders events. It stores the rows of a list until its `ok` has come, since their number is part
/// of the heading.
#[derive(Debug, Default)]
pub(crate) struct Renderer {
    people: Vec<UserEntry>,
    channels: Vec<String>,
    channel_moderation: ModerationRenderer,
    operators: ServerModerationRenderer,
}

/// The state of the client that the sentences depend on.
#[derive(Clone, Copy)]
pub(crate) struct OwnState<'a> {
    /// The client's name, once it has one.
    pub(crate) me: Option<&'a str>,
    /// The client's channels, from before the line.
    pub(crate) channels: &'a [String],
    /// Whether operators and absence are marked in lists.
    pub(crate) marks: bool,
}

impl OwnState<'_> {
    fn is_me(self, name: &str) -> bool {
        self.me.is_some_and(|me| same_name(me, name))
    }

    fn is_in(self, channel: &str) -> bool {
        self.channels.iter().any(|own| same_name(own, channel))
    }
}

impl Renderer {
    /// Renders an event that isn't the answer to a line of this client.
    pub(crate) fn render(&mut self, line: &ServerEvent, own: OwnState<'_>) -> Option<DisplayItem> {
        Some(match line {
            ServerEvent::Message { channel, said } => DisplayItem::Said {
                place: channel.clone(),
                own: own.is_me(&said.from),
                said: said.clone(),
            },
            ServerEvent::Private { to, said } => {
                let mine = own.is_me(&said.from);
                let other = if mine { to } else { &said.from };
                DisplayItem::Said { place: format!("@{other}"), own: mine, said: said.clone() }
            }
            ServerEvent::Opened { with } => DisplayItem::Sentence {
                tone: Tone::Calling,
                text: format!("{with} opened a private chat with you. /private {with} to answer."),
            },
            ServerEvent::Entered { channel, user } => {
                DisplayItem::quiet(format!("{user} entered {channel}"))
            }
            ServerEvent::Left { channel, user, reason } => {
                DisplayItem::quiet(format!("{user} left {channel}{}", because(reason.as_ref())))
            }
            ServerEvent::Presence { channel, entered, left, members } => DisplayItem::quiet(
                format!("{entered} entered, {left} left {channel} ({members} here)"),
            ),
            ServerEvent::Gone { user, reason } => {
                DisplayItem::quiet(format!("{user} left the system{}", because(reason.as_ref())))
            }
            ServerEvent::Renamed { from, to } => DisplayItem::quiet(format!("{from} is now {to}")),
            ServerEvent::Topic { channel, topic: Some(topic), by } => {
                DisplayItem::sentence(format!("{by} set the topic of {channel}: {topic}"))
            }
            ServerEvent::Topic { channel, topic: None, by } => {
                DisplayItem::sentence(format!("{by} removed the topic of {channel}"))
            }
            ServerEvent::Moderation(row) => return self.channel_moderation.render(row),
            ServerEvent::ServerModeration(row) => return self.operators.render(row),
            ServerEvent::Kicked { channel, user, by, reason, ban, current } => {
                if own.is_me(user) {
                    let banned = and_banned(*ban, "you");
                    let reason = aside(reason.as_ref());
                    let now = match current {
                        CurrentChange::Now(current) => {
                            format!(". {}", NowIn(current.as_deref()))
                        }
                        CurrentChange::Unchanged => String::new(),
                    };
                    DisplayItem::Sentence {
                        tone: Tone::Calling,
                        text: format!("{by} kicked you from {channel}{banned}{reason}{now}"),
                    }
                } else {
                    let banned = and_banned(*ban, "them");
                    let reason = because(reason.as_ref());
                    DisplayItem::sentence(format!(
                        "{by} kicked {user} from {channel}{banned}{reason}"
                    ))
                }
            }
            ServerEvent::Channel { name, members, topic } => {
                if self.channels.len() < MAX_ROWS {
                    let topic = topic.as_ref().map(|topic| format!("  {topic}"));
                    let topic = topic.unwrap_or_default();
                    self.channels.push(format!("  {name}  {members} here{topic}"));
                }
                return None;
            }
            ServerEvent::User(UserEntry { more: Some(more), .. }) => whois(line, more)?,
            ServerEvent::User(UserEntry { name, seen: Some(seen), away, reason, .. }) => {
                let away =
                    if *away { format!(", away{}", aside(reason.as_ref())) } else { String::new() };
                let seen = seen.strftime("%Y-%m-%d %H:%M:%S");
                DisplayItem::sentence(format!("{name} was last seen {seen}{away}."))
            }
            ServerEvent::User(person) => {
                if self.people.len() < MAX_ROWS {
                    self.people.push(person.clone());
                }
                return None;
            }
            ServerEvent::Info(row) => DisplayItem::sentence(info(row)),
            ServerEvent::SignedOut { name, reason } => DisplayItem::warning(format!(
                "You are signed out of {name}: {reason}. Type a name, or /login NAME, to go on."
            )),
            ServerEvent::Missed { channel, count, .. } => DisplayItem::warning(format!(
                "You missed {count} {} in {channel}. /history {channel} {count} shows them.",
                if *count == 1 { "line" } else { "lines" }
            )),
            ServerEvent::Reentered { channel, members, topic, .. } => {
                let topic = topic.as_ref().map(|topic| format!(" Topic: {topic}"));
                let topic = topic.unwrap_or_default();
                DisplayItem::sentence(format!("You are back in {channel} ({members} here).{topic}"))
            }
            ServerEvent::Unread { channel, count, mentions, after } => {
                DisplayItem::sentence(unread(channel, *count, *mentions, *after))
            }
            ServerEvent::Waiting { count, newest } => {
                let messages = if *count == 1 { "message" } else { "messages" };
                let newest =
                    if newest < count { format!("; the newest {newest}") } else { String::new() };
                DisplayItem::sentence(format!("{count} {messages} while you were away{newest}:"))
            }
            ServerEvent::Notice { text } => DisplayItem::sentence(text),
            ServerEvent::Bye { reason } => DisplayItem::sentence(format!("Bye: {reason}.")),
            ServerEvent::Error { code, text, .. } => {
                DisplayItem::Refused { code: code.clone(), text: text.clone() }
            }
            ServerEvent::Ok(_) | ServerEvent::Password | ServerEvent::Unknown => return None,
        })
    }

    /// Renders the `ok` to `line`. A message isn't rendered here; its sender shows it.
    pub(crate) fn answered(
        &mut self,
        line: &str,
        answer: &OkAnswer,
        own: OwnState<'_>,
    ) -> Vec<DisplayItem> {
        let people = mem::take(&mut self.people);
        let channels = mem::take(&mut self.channels);
        let fields = answer.fields();
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let channel = || text("channel");
        let sentence = |text: String| vec![DisplayItem::sentence(text)];
        if let Some(shown) = self.operators.answered(&answer.re, fields) {
            return shown;
        }
        if let Some(shown) = self.channel_moderation.answered(&answer.re, fields) {
            return shown;
        }
        match answer.re.as_str() {
            "say" | "me" | "msg" | "reply" | "once" | "help" | "info" | "whois" | "quit" => {
                Vec::new()
            }
            "name" if own.me.is_none() => Vec::new(),
            "name" => sentence(format!("You are now {}.", text("name"))),
            // Without a name, or a token, the `ok` only reports that the server asks for a
            // password.
            "register" | "login" | "forget" if !fields.has("name") => Vec::new(),
            "password" if !fields.has("token") => Vec::new(),
            "register" => sentence(format!(
                "{name} is an account now, and you are signed in. /login {name} signs in next time.",
                name = text("name")
            )),
            "login" => {
                sentence(format!("You are signed in as {}. /logout signs out.", text("name")))
            }
            "logout" => sentence(format!(
                "You are signed out of {}. Type a name, or /login NAME, to go on.",
                text("name")
            )),
            "password" => {
                sentence("Your password is changed, and you are signed out everywhere else.".into())
            }
            "forget" => sentence(format!(
                "The account {} is erased, with all that it wrote. Type a name to go on.",
                text("name")
            )),
            "create" => sentence(format!("You made {} and entered it as its operator.", channel())),
            "enter" => {
                let spec = if own.is_in(&channel()) { "are now in" } else { "entered" };
                let members = fields.number("members").unwrap_or(1);
                let topic = fields.text("topic").map(|topic| format!(" Topic: {topic}"));
                let topic = topic.unwrap_or_default();
                sentence(format!("You {spec} {} ({members} here).{topic}", channel()))
            }
            "leave" => {
                let left = fields.text("with").map(|user| format!("the private chat with {user}"));
                let left = left.unwrap_or_else(channel);
                sentence(format!("You left {left}. {}", NowIn(fields.text("current").as_deref())))
            }
            "private" => sentence(format!(
                "You are in a private chat with {}. /leave ends it.",
                text("with")
            )),
            "topic" => sentence(match fields.text("topic") {
                Some(topic) if command(line).is_some_and(|(_, words)| !words.is_empty()) => {
                    format!("You set the topic of {}: {topic}", channel())
                }
                Some(topic) => format!("The topic of {} is: {topic}", channel()),
                None => format!("{} has no topic. /topic TEXT sets one.", channel()),
            }),
            "away" | "back" => sentence(if fields.flag("away") == Some(true) {
                let reason = aside(fields.text("reason").as_ref());
                format!("You are away{reason}. /back when you are here again.")
            } else if fields.flag("changed") == Some(false) {
                "You were not away.".into()
            } else {
                "You are back.".into()
            }),
            "ignore" if fields.has("user") => sentence(format!(
                "You ignore {user} {when}. /unignore {user} ends it.",
                user = text("user"),
                when = if fields.flag("changed") == Some(false) { "already" } else { "now" }
            )),
            "ignore" if people.is_empty() => Vec::new(),
            "ignore" => sentence(format!("You ignore {}: {}", people.len(), names(&people, false))),
            "unignore" if fields.flag("changed") == Some(false) => {
                sentence(format!("You were not ignoring {}.", text("user")))
            }
            "unignore" => sentence(format!("You don't ignore {} any more.", text("user"))),
            "kick" => sentence(format!("You kicked {} from {}.", text("user"), channel())),
            "ping" => sentence(format!("pong {}", text("token")).trim_end().into()),
            "channels" => {
                let part = command(line).map(|(_, words)| words.trim_start_matches(['#', ' ']));
                let count = fields.number("count");
                let mut shown = listed_channels(part.unwrap_or_default(), count, channels);
                shown.extend(more(fields));
                shown
            }
            "history" if fields.number("count") == Some(0) => {
                let chat = || format!("the private chat with {}", text("with"));
                let place = fields.text("channel").unwrap_or_else(chat);
                sentence(format!("There are no such lines in {place}."))
            }
            "history" => Vec::new(),
            "search" => {
                sentence(match (fields.number("count").unwrap_or(0), fields.flag("more")) {
                    (0, _) => {
                        "Nothing found. Try fewer words, or only the beginning of one: word*".into()
                    }
                    (count, Some(true)) => {
                        let narrow = "before:DATE, from:USER or in:#CHANNEL narrow it.";
                        let older =
                            fields.text("next").map(|next| format!(" {next} shows older ones."));
                        format!(
                            "These are the newest {count}; there are more. {narrow}{}",
                            older.unwrap_or_default()
                        )
                    }
                    (count, _) => format!("{count} found."),
                })
            }
            "mentions" if fields.number("count") == Some(0) => {
                sentence("No line in your channels names you.".into())
            }
            "mentions" => fields.text("next").map_or_else(Vec::new, |next| {
                sentence(format!("There are more. {next} shows older ones."))
            }),
            "users" => {
                let mut shown = sentence(listed_people(fields.number("count"), &people, own.marks));
                shown.extend(more(fields));
                shown
            }
            _ if fields.number("count") == Some(0) => sentence("Nothing was found.".into()),
            _ if fields.has("count") => Vec::new(),
            other => sentence(format!("/{other}: done.")),
        }
    }

    /// Drops the rows of a list whose answer will not come.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Another device of the account has entered the channel.
pub(crate) fn followed_in(channel: &str, members: u64, topic: Option<&String>) -> DisplayItem {
    let topic = topic.map(|topic| format!(" Topic: {topic}")).unwrap_or_default();
    DisplayItem::sentence(format!(
        "You entered {channel} on another device ({members} here).{topic}"
    ))
}

/// Another device of the account has left the channel. If it was the current one here, the new
/// current conversation follows.
pub(crate) fn followed_out(channel: &str, now_in: &CurrentChange) -> DisplayItem {
    let now_in = match now_in {
        CurrentChange::Now(current) => format!(" {}", NowIn(current.as_deref())),
        CurrentChange::Unchanged => String::new(),
    };
    DisplayItem::sentence(format!("You left {channel} on another device.{now_in}"))
}

/// The client was in the channel before the connection was lost, and is no longer.
pub(crate) fn left_behind(channel: &str) -> DisplayItem {
    DisplayItem::warning(format!(
        "You are not in {channel} any more. /enter {channel} goes back there."
    ))
}

/// The line that offers the next page of a list.
fn more(fields: &JsonRow) -> Option<DisplayItem> {
    let next = fields.text("next")?;
    Some(DisplayItem::sentence(format!("There are more. {next} shows them.")))
}

fn listed_channels(part: &str, count: Option<u64>, rows: Vec<String>) -> Vec<DisplayItem> {
    let count = count.unwrap_or(rows.len() as u64);
    let head = match count {
        0 if part.is_empty() => "No channels are open. /create NAME makes one.".into(),
        0 => format!("No channel has {part} in its name. /channels lists them all."),
        1 => "1 channel:".into(),
        count => format!("{count} channels:"),
    };
    std::iter::once(head).chain(rows).map(DisplayItem::sentence).collect()
}

fn listed_people(count: Option<u64>, people: &[UserEntry], marks: bool) -> String {
    let count = count.unwrap_or(people.len() as u64);
    match people.first().and_then(|person| person.channel.as_deref()) {
        Some(channel) => format!("{count} in {channel}: {}", names(people, marks)),
        None => format!("{count} online: {}", names(people, marks)),
    }
}

fn names(people: &[UserEntry], marks: bool) -> String {
    let marked = |person: &UserEntry| match (person.operator && marks, person.away && marks) {
        (true, true) => format!("{} (operator, away)", person.name),
        (true, false) => format!("{} (operator)", person.name),
        (false, true) => format!("{} (away)", person.name),
        (false, false) => person.name.clone(),
    };
    people.iter().map(marked).collect::<Vec<_>>().join(", ")
}

fn whois(line: &ServerEvent, more: &WhoisDetails) -> Option<DisplayItem> {
    let ServerEvent::User(UserEntry { name, away, reason, .. }) = line else { return None };
    let account = match &more.account {
        Some(_) => "with an account",
        None => "without an account",
    };
    let away = if *away { format!(", away{}", aside(reason.as_ref())) } else { String::new() };
    let shared = match more.channels.as_slice() {
        [] => "You share no channel.".into(),
        channels => format!("You share {}.", channels.join(", ")),
    };
    let address = more.address.as_ref();
    let address = address.map(|address| format!(" Connected from {address}.")).unwrap_or_default();
    Some(DisplayItem::sentence(format!(
        "{name} is here {account}, online for {}, idle for {}{away}. {shared}{address}",
        HumanDuration(more.online_secs),
        HumanDuration(more.idle_secs),
    )))
}

fn info(row: &JsonRow) -> String {
    let account = if row.text("account").is_some() { "signed in" } else { "without an account" };
    let away = if row.flag("away") == Some(true) {
        format!(", away{}", aside(row.text("reason").as_ref()))
    } else {
        String::new()
    };
    let current = match row.text("current") {
        Some(current) => format!("You are in {current}."),
        None => "You are in no conversation.".into(),
    };
    let channels = match row.texts("channels").as_slice() {
        [] => "You are in no channel.".into(),
        channels => format!("Your channels: {}.", channels.join(", ")),
    };
    format!(
        "You are {}, {account}{away}. {current} {channels} Connected from {} for {}.",
        row.text("name").unwrap_or_default(),
        row.text("address").unwrap_or_default(),
        HumanDuration(row.number("connected").unwrap_or(0)),
    )
}

fn unread(channel: &str, count: u64, mentions: u64, after: u64) -> String {
    let lines = if count == 1 { "line" } else { "lines" };
    let named = match mentions {
        0 => String::new(),
        1 => " (1 names you)".into(),
        mentions => format!(" ({mentions} name you)"),
    };
    let most = u64::from(MAX_HISTORY_LINES);
    let how = if count > most {
        format!("/history {channel} {most} after {after} begins with the oldest")
    } else {
        let them = if count == 1 { "it" } else { "them" };
        format!("/history {channel} after {after} shows {them}")
    };
    format!("{count} new {lines} in {channel}{named}. {how}.")
}

pub(crate) fn because(reason: Option<&String>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// A reason inside a sentence.
pub(crate) fn aside(reason: Option<&String>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

pub(crate) struct NowIn<'a>(pub(crate) Option<&'a str>);

impl Display for NowIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(current) => write!(f, "You are now in {current}."),
            None => f.write_str("You are in no conversation."),
        }
    }
}

#[cfg(test)]
mod text_parity;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::{DisplayStyle, line};

    /// Each line of the server with what a pipe shows for it; an `ok` follows its rows.
    fn transcript(own: OwnState<'_>, lines: &[&str]) -> Vec<String> {
        let mut renderer = Renderer::default();
        let mut shown = Vec::new();
        for text in lines {
            let incoming = ServerEvent::read(text).unwrap();
            match &incoming {
                ServerEvent::Ok(answer) => shown.extend(renderer.answered("", answer, own)),
                other => shown.extend(renderer.render(other, own)),
            }
        }
        let now = "2026-11-22T07:44:05Z".parse().unwrap();
        shown.iter().map(|shown| line(shown, &DisplayStyle::Plain, own.me, now).text).collect()
    }

    #[test]
    fn every_line_has_its_sentence() {
        let channels = ["#dev".to_owned()];
        let own = OwnState { me: Some("alice"), channels: &channels, marks: false };
        for (line, expected) in [
            (r##"{"type":"entered","channel":"#dev","user":"bob"}"##, "* bob entered #dev"),
            (
                r##"{"type":"left","channel":"#dev","user":"bob","reason":"tea"}"##,
                "* bob left #dev: tea",
            ),
            (r##"{"type":"left","channel":"#dev","user":"bob"}"##, "* bob left #dev"),
            (
                r##"{"type":"presence","channel":"#dev","entered":2,"left":1,"members":40}"##,
                "* 2 entered, 1 left #dev (40 here)",
            ),
            (r#"{"type":"gone","user":"bob"}"#, "* bob left the system"),
            (r#"{"type":"renamed","from":"bob","to":"rob"}"#, "* bob is now rob"),
            (
                r##"{"type":"topic","channel":"#dev","topic":"x","by":"bob"}"##,
                "* bob set the topic of #dev: x",
            ),
            (
                r##"{"type":"topic","channel":"#dev","topic":null,"by":"bob"}"##,
                "* bob removed the topic of #dev",
            ),
            (
                r##"{"type":"kicked","channel":"#dev","user":"bob","by":"carol"}"##,
                "* carol kicked bob from #dev",
            ),
            (
                r##"{"type":"kicked","channel":"#dev","user":"Alice","by":"carol","reason":"x","current":null}"##,
                "* carol kicked you from #dev (x). You are in no conversation.",
            ),
            (
                r#"{"type":"opened","with":"bob"}"#,
                "* bob opened a private chat with you. /private bob to answer.",
            ),
            (
                r##"{"type":"missed","channel":"#dev","count":37,"after":4}"##,
                "* You missed 37 lines in #dev. /history #dev 37 shows them.",
            ),
            (r#"{"type":"private","from":"bob","to":"alice","text":"psst"}"#, "[@bob] bob: psst"),
            (r#"{"type":"private","from":"alice","to":"bob","text":"psst"}"#, "[@bob] alice: psst"),
            (r#"{"type":"error","re":"say","code":"muted","text":"No."}"#, "! muted: No."),
            (r#"{"type":"ok","re":"name","name":"al"}"#, "* You are now al."),
            (
                r##"{"type":"ok","re":"create","channel":"#new"}"##,
                "* You made #new and entered it as its operator.",
            ),
            (
                r##"{"type":"ok","re":"enter","channel":"#new","members":3,"topic":"Say hello"}"##,
                "* You entered #new (3 here). Topic: Say hello",
            ),
            (
                r##"{"type":"ok","re":"enter","channel":"#dev","members":3,"topic":null}"##,
                "* You are now in #dev (3 here).",
            ),
            (
                r##"{"type":"ok","re":"leave","channel":"#dev","current":"@bob"}"##,
                "* You left #dev. You are now in @bob.",
            ),
            (
                r#"{"type":"ok","re":"leave","with":"bob","current":null}"#,
                "* You left the private chat with bob. You are in no conversation.",
            ),
            (
                r#"{"type":"ok","re":"private","with":"bob"}"#,
                "* You are in a private chat with bob. /leave ends it.",
            ),
            (
                r##"{"type":"ok","re":"topic","channel":"#dev","topic":"x"}"##,
                "* The topic of #dev is: x",
            ),
            (
                r#"{"type":"ok","re":"away","away":true,"reason":"tea"}"#,
                "* You are away (tea). /back when you are here again.",
            ),
            (r#"{"type":"ok","re":"ping","token":"42"}"#, "* pong 42"),
            (r#"{"type":"ok","re":"ping"}"#, "* pong"),
            (r#"{"type":"ok","re":"fanfare"}"#, "* /fanfare: done."),
            (
                r##"{"type":"user","name":"bob","away":false,"account":null,"channels":["#dev"],"since":"x","idle":30,"online":7500}"##,
                "* bob is here without an account, online for 2 h 5 min, idle for 30 s. You share #dev.",
            ),
            (
                r##"{"type":"info","name":"alice","account":null,"current":"#dev","channels":["#dev"],"address":"::1","connected":61}"##,
                "* You are alice, without an account. You are in #dev. Your channels: #dev. Connected from ::1 for 1 min.",
            ),
        ] {
            assert_eq!(transcript(own, &[line]), [expected], "{line}");
        }
    }

    #[test]
    fn rows_follow_a_heading_with_their_number() {
        let own = OwnState { me: Some("alice"), channels: &[], marks: true };
        let channels = transcript(
            own,
            &[
                r##"{"type":"channel","name":"#dev","members":1,"topic":null}"##,
                r##"{"type":"channel","name":"#general","members":3,"topic":"Say hello"}"##,
                r#"{"type":"ok","re":"channels","count":2}"#,
            ],
        );
        assert_eq!(
            channels,
            ["* 2 channels:", "*   #dev  1 here", "*   #general  3 here  Say hello"]
        );
        let users = transcript(
            own,
            &[
                r##"{"type":"user","name":"alice","channel":"#dev","operator":true,"away":false}"##,
                r##"{"type":"user","name":"bob","channel":"#dev","operator":false,"away":true}"##,
                r#"{"type":"ok","re":"users","count":2}"#,
                r#"{"type":"ok","re":"users","count":0}"#,
            ],
        );
        assert_eq!(users, ["* 2 in #dev: alice (operator), bob (away)", "* 0 online: "]);
    }

    #[test]
    fn a_first_name_and_sent_messages_have_no_sentence() {
        let own = OwnState { me: None, channels: &[], marks: true };
        assert!(transcript(own, &[r#"{"type":"ok","re":"name","name":"al"}"#]).is_empty());
        assert!(transcript(own, &[r#"{"type":"ok","re":"say","id":1}"#]).is_empty());
    }
}
