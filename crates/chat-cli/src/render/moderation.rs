//! Renders moderation of channels with the sentences of the server's text format.

use std::mem;

use jiff::Timestamp;

use super::{NowIn, aside, because};
use crate::server_event::{JsonRow, KickBan};
use crate::show::{DisplayItem, Tone};

/// Rows of one list that are stored until its `ok`.
const MAX_ROWS: usize = 5_000;

/// Commands that moderate a channel, other than `kick`.
const COMMANDS: &[&str] =
    &["ban", "unban", "mute", "unmute", "invite", "op", "deop", "set", "purge", "log", "drop"];

/// Renders events of channel moderation, and stores the rows of a list until its `ok`.
#[derive(Debug, Default)]
pub(crate) struct ModerationRenderer {
    rows: Vec<String>,
}

impl ModerationRenderer {
    /// Renders an event that isn't the answer to a line of this client.
    pub(crate) fn render(&mut self, row: &JsonRow) -> Option<DisplayItem> {
        let text = |name: &str| row.text(name).unwrap_or_default();
        let (by, user, channel) = (text("by"), text("user"), text("channel"));
        let reason = row.text("reason");
        let kind = text("type");
        let rendered = match kind.as_str() {
            "muted" => {
                let reason = because(reason.as_ref());
                format!("{by} muted {user} in {channel}{}{reason}", until(row.moment("until")))
            }
            "unmuted" => format!("{by} lets {user} speak again in {channel}"),
            "op" => format!("{by} made {user} an operator of {channel}"),
            "deop" => format!("{by} took the operator's right in {channel} from {user}"),
            "set" => format!("{by} set {} of {channel} to {}", text("name"), text("value")),
            "purged" => format!("{by} hid what {user} said in {channel}"),
            "invited" => {
                let bare = channel.trim_start_matches('#');
                let text = format!("{by} invites you to {channel}. /enter {bare} accepts.");
                return Some(DisplayItem::Sentence { tone: Tone::Calling, text });
            }
            "dropped" => {
                let now = NowIn(row.text("current").as_deref()).to_string();
                let text = format!("{by} dropped {channel}{}. {now}", aside(reason.as_ref()));
                return Some(DisplayItem::Sentence { tone: Tone::Calling, text });
            }
            _ => {
                if self.rows.len() < MAX_ROWS {
                    self.rows.push(listed(&kind, row));
                }
                return None;
            }
        };
        Some(DisplayItem::sentence(rendered))
    }

    /// Renders the `ok` to one of these commands; `None` for others.
    pub(crate) fn answered(&mut self, re: &str, fields: &JsonRow) -> Option<Vec<DisplayItem>> {
        let rows = mem::take(&mut self.rows);
        if !COMMANDS.contains(&re) {
            return None;
        }
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let channel = text("channel");
        let target = fields.text("user").map(|user| typed(&user)).unwrap_or(text("address"));
        let changed = fields.flag("changed") != Some(false);
        if let Some(count) = fields.number("count").filter(|_| re != "purge") {
            let head = head(re, count, &channel);
            return Some(std::iter::once(head).chain(rows).map(DisplayItem::sentence).collect());
        }
        let rendered = match (re, changed) {
            ("ban", _) => {
                format!(
                    "You banned {target} from {channel}{}. /unban {target} ends it.",
                    until(fields.moment("until"))
                )
            }
            ("unban", true) => format!("{target} may enter {channel} again."),
            ("unban", false) => {
                format!("{target} was not banned from {channel}. /ban lists the bans.")
            }
            ("mute", _) => {
                format!(
                    "You muted {target} in {channel}{}. /unmute {target} ends it.",
                    until(fields.moment("until"))
                )
            }
            ("unmute", true) => format!("{target} may speak again in {channel}."),
            ("unmute", false) => {
                format!("{target} was not muted in {channel}. /mute lists the mutes.")
            }
            ("invite", _) => format!("You invited {target} to {channel}."),
            ("op", true) => format!("You made {target} an operator of {channel}."),
            ("op", false) => format!("{target} is an operator of {channel} already."),
            ("deop", true) => format!("{target} is no operator of {channel} any more."),
            ("deop", false) => format!("{target} was no operator of {channel}."),
            ("set", _) => {
                format!("You set {} of {channel} to {}.", text("name"), text("value"))
            }
            ("purge", _) => {
                let count = fields.number("count").unwrap_or(0);
                let lines = if count == 1 { "line" } else { "lines" };
                format!("You hid {count} {lines} of {target} in {channel}.")
            }
            _ => {
                let now = NowIn(fields.text("current").as_deref()).to_string();
                format!("You dropped {channel} with all that was said in it. {now}")
            }
        };
        Some(vec![DisplayItem::sentence(rendered)])
    }
}

/// The end of the sentence of a kick that is a ban as well.
pub(super) fn and_banned(ban: Option<KickBan>, whom: &str) -> String {
    ban.map_or_else(String::new, |ban| format!(" and banned {whom}{}", until(ban.until)))
}

/// A row of a list.
fn listed(kind: &str, row: &JsonRow) -> String {
    let text = |name: &str| row.text(name).unwrap_or_default();
    let by = text("by");
    let target = row.text("user").map(|user| typed(&user)).unwrap_or(text("address"));
    let reason = because(row.text("reason").as_ref());
    let time = row.time().map(shown).unwrap_or_default();
    match kind {
        "setting" => format!("  {:11}  {}", text("name"), text("value")),
        "log" => {
            format!("  {time}  {by} {}{}{reason}", did(row, &target), until(row.moment("until")))
        }
        _ => format!("  {target}{}, by {by} {time}{reason}", until(row.moment("until"))),
    }
}

fn did(row: &JsonRow, target: &str) -> String {
    match row.text("did").unwrap_or_default().as_str() {
        "kick" => format!("kicked {target}"),
        "ban" => format!("banned {target}"),
        "unban" => format!("ended the ban of {target}"),
        "mute" => format!("muted {target}"),
        "unmute" => format!("ended the mute of {target}"),
        "invite" => format!("invited {target}"),
        "op" => format!("made {target} an operator"),
        "deop" => format!("took the operator's right from {target}"),
        "purge" => format!("hid what {target} said"),
        "set" => format!("set {}", row.text("setting").unwrap_or_default()),
        _ => "dropped the channel".to_owned(),
    }
}

fn head(re: &str, count: u64, channel: &str) -> String {
    match (re, count) {
        ("ban", 0) => format!("Nobody is banned from {channel}."),
        ("ban", 1) => format!("1 ban from {channel}:"),
        ("ban", _) => format!("{count} bans from {channel}:"),
        ("mute", 0) => format!("Nobody is muted in {channel}."),
        ("mute", 1) => format!("1 mute in {channel}:"),
        ("mute", _) => format!("{count} mutes in {channel}:"),
        ("set", _) => format!("Settings of {channel}:"),
        (_, 0) => format!("Nobody did anything about {channel} yet."),
        (_, 1) => format!("The last act in {channel}:"),
        _ => format!("The last {count} acts in {channel}:"),
    }
}

pub(super) fn until(end: Option<Timestamp>) -> String {
    end.map(|end| format!(" until {}", shown(end))).unwrap_or_default()
}

/// In UTC, as in the server's text format.
pub(super) fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A user as a command takes it: a name that looks like an address gets an `@`.
fn typed(user: &str) -> String {
    let is_like_an_address = user.parse::<std::net::IpAddr>().is_ok();
    if is_like_an_address { format!("@{user}") } else { user.to_owned() }
}
