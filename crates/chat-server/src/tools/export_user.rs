//! `chat-server export-user NAME [FILE]`: all data of one account, as JSON Lines, while the server
//! runs.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use chat_proto::name::UserName;
use chat_proto::time::Timestamp;
use serde::Serialize;

use super::export::{LINES_A_PAGE, out, write};
use crate::store::{AccountRow, ConversationRow, Reader, Store};

/// A row of the file. Neither the password nor a token is among them, not even as a hash.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum UserExportRow<'a> {
    /// The first row.
    Account {
        name: &'a str,
        created: String,
        seen: String,
        away: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        admin: bool,
    },
    /// An entry of the ignore list.
    Ignored { name: &'a str },
    /// A membership in a channel.
    Member { channel: &'a str, entered: String, read: u64 },
    /// A private chat with its read marker.
    Chat { with: &'a str, read: u64 },
    /// An operator right.
    Operator { channel: &'a str },
    /// A line in a channel.
    Message {
        id: u64,
        time: String,
        channel: &'a str,
        from: &'a str,
        text: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
    /// A line in a private chat.
    Private {
        id: u64,
        time: String,
        from: &'a str,
        to: &'a str,
        text: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
}

/// A conversation as the rows name it.
enum ExportedConversation {
    Channel(String),
    With(String),
}

pub(super) fn run(directory: &Path, name: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let name = UserName::new(name).with_context(|| format!("\"{name}\" is nobody's name"))?;
    let reader = Store::open_to_read(directory)?;
    let Some(account) = reader.account(name.key())? else {
        bail!("there is no account {name}; chat-server check tells which directory is looked at");
    };
    let places: HashMap<u32, ExportedConversation> = reader
        .conversations()?
        .into_iter()
        .map(|row| (row.number, place(row, account.user_id)))
        .collect();
    let mut out = out(file)?;
    about(&mut out, &reader, &account, &places)?;
    let mut after = (0, 0);
    loop {
        let page = reader.lines_of(account.user_id, after, LINES_A_PAGE)?;
        let Some(last) = page.last() else { break };
        after = (last.number, last.line.id);
        for written in &page {
            let line = &written.line;
            let (id, time, action) = (line.id, shown(line.time), line.action);
            let (from, text) = (line.author.as_str(), line.text.as_str());
            let row = match places.get(&written.number) {
                Some(ExportedConversation::Channel(channel)) => {
                    UserExportRow::Message { id, time, channel, from, text, action }
                }
                Some(ExportedConversation::With(to)) => {
                    UserExportRow::Private { id, time, from, to, text, action }
                }
                // A conversation started since they were read.
                None => continue,
            };
            write(&mut out, &row)?;
        }
    }
    out.flush().context("the output can't be written")
}

/// Writes the rows before the lines.
fn about(
    out: &mut impl Write,
    reader: &Reader,
    account: &AccountRow,
    places: &HashMap<u32, ExportedConversation>,
) -> anyhow::Result<()> {
    let AccountRow { user_id, shown: name, created, seen, is_away, away, admin, .. } = account;
    let (created, seen) = (shown(*created), shown(*seen));
    let (away, reason, admin) = (*is_away, away.as_deref(), *admin);
    write(out, &UserExportRow::Account { name, created, seen, away, reason, admin })?;
    for ignored in reader.ignored_by(*user_id)? {
        write(out, &UserExportRow::Ignored { name: &ignored.shown })?;
    }
    for member in reader.member_of(*user_id)? {
        let read = member.marker;
        match places.get(&member.number) {
            Some(ExportedConversation::Channel(channel)) => {
                write(
                    out,
                    &UserExportRow::Member { channel, entered: shown(member.entered), read },
                )?;
            }
            Some(ExportedConversation::With(with)) => {
                write(out, &UserExportRow::Chat { with, read })?;
            }
            None => {}
        }
    }
    for number in reader.operator_of(*user_id)? {
        if let Some(ExportedConversation::Channel(channel)) = places.get(&number) {
            write(out, &UserExportRow::Operator { channel })?;
        }
    }
    Ok(())
}

fn place(row: ConversationRow, user_id: u64) -> ExportedConversation {
    match row.parties {
        None => ExportedConversation::Channel(format!("#{}", row.shown)),
        Some((one, _)) if one == user_id => ExportedConversation::With(row.other_name),
        Some(_) => ExportedConversation::With(row.one_name),
    }
}

fn shown(time: i64) -> String {
    Timestamp(time).rfc3339().to_string()
}
