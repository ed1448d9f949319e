//! Renders actions of the server's operators with the sentences of the server's text format.

use std::mem;

use super::because;
use super::moderation::{and_banned, shown, until};
use crate::proto::{EVERYWHERE, INVITE_SIGN, StatLine};
use crate::server_event::JsonRow;
use crate::show::{DisplayItem, Tone};

/// Rows of one list that are stored until its `ok`. A server has no more bans than this.
const MAX_ROWS: usize = 10_000;

/// Renders events about the whole server, and stores the rows of a list until its `ok`.
#[derive(Debug, Default)]
pub(crate) struct ServerModerationRenderer {
    rows: Vec<String>,
}

impl ServerModerationRenderer {
    /// Renders an event that isn't the answer to a line of this client.
    pub(crate) fn render(&mut self, row: &JsonRow) -> Option<DisplayItem> {
        let text = |name: &str| row.text(name).unwrap_or_default();
        let reason = because(row.text("reason").as_ref());
        let rendered = match text("type").as_str() {
            "announcement" => {
                let from = row.text("from").map(|from| format!(" from {from}"));
                format!("Announcement{}: {}", from.unwrap_or_default(), text("text"))
            }
            "killed" => {
                let by = row.text("by").map(|by| format!("{by}, an operator of the server,"));
                let by = by.unwrap_or_else(|| "The server's operator".to_owned());
                let banned = and_banned(row.ban(), "you");
                format!("{by} ended your connection{banned}{reason}")
            }
            "stats" => {
                let (name, value) = (text("name"), row.number("value").unwrap_or(0));
                return self.keep(format!("  {}", StatLine(&name, value)));
            }
            _ => {
                let by = row.text("by").unwrap_or_else(|| "the shell".to_owned());
                let time = row.time().map(shown).unwrap_or_default();
                let (target, until) = (text("target"), until(row.moment("until")));
                return self.keep(format!("  {target}{until}, by {by} {time}{reason}"));
            }
        };
        Some(DisplayItem::Sentence { tone: Tone::Calling, text: rendered })
    }

    fn keep(&mut self, row: String) -> Option<DisplayItem> {
        if self.rows.len() < MAX_ROWS {
            self.rows.push(row);
        }
        None
    }

    /// Renders the `ok` to one of these commands; `None` for others.
    pub(crate) fn answered(&mut self, re: &str, fields: &JsonRow) -> Option<Vec<DisplayItem>> {
        let rows = mem::take(&mut self.rows);
        let text = |name: &str| fields.text(name).unwrap_or_default();
        let count = fields.number("count").unwrap_or(0);
        let target = fields.text("target");
        let rendered = match (re, target) {
            ("kill", _) => {
                let connections = if count == 1 { "connection" } else { "connections" };
                format!("You ended {count} {connections} of {}.", text("user"))
            }
            ("announce", _) => {
                let connections = if count == 1 { "connection" } else { "connections" };
                format!("It was told on {count} {connections}.")
            }
            ("stats", _) => return Some(rows.into_iter().map(DisplayItem::sentence).collect()),
            ("invitation", _) => {
                let invite = format!("{INVITE_SIGN}{}", text("invite"));
                format!(
                    "{invite} is good for one account{}. Somebody types /register {invite} with it.",
                    until(fields.moment("until"))
                )
            }
            ("ban", Some(target)) => {
                let until = until(fields.moment("until"));
                let ended = match count {
                    0 => "nobody of them was here".to_owned(),
                    1 => "1 connection was ended".to_owned(),
                    count => format!("{count} connections were ended"),
                };
                format!(
                    "You banned {target} from this server{until}; {ended}. /unban {EVERYWHERE} {target} \
                     ends it."
                )
            }
            ("ban", None) if !fields.has("channel") => {
                let head = match count {
                    0 => "Nobody is banned from this server.".to_owned(),
                    1 => "1 ban from this server:".to_owned(),
                    count => format!("{count} bans from this server:"),
                };
                return Some(
                    std::iter::once(head).chain(rows).map(DisplayItem::sentence).collect(),
                );
            }
            ("unban", Some(target)) if fields.flag("changed") == Some(false) => format!(
                "{target} was not banned from this server. /ban {EVERYWHERE} lists the bans."
            ),
            ("unban", Some(target)) => format!("{target} may enter this server again."),
            _ => return None,
        };
        Some(vec![DisplayItem::sentence(rendered)])
    }
}
