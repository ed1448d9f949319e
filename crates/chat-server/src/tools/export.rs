//! `chat-server export --channel NAME [FILE]`: one channel as JSON Lines, oldest first.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use chat_proto::name::ChannelName;
use chat_proto::time::Timestamp;
use serde::Serialize;

use super::row::ExportRow;
use crate::store::channel_key;
use crate::store::{Store, StoreKey};

/// Lines and bytes read at once.
pub(super) const LINES_A_PAGE: usize = 1000;
pub(super) const BYTES_A_PAGE: usize = 1024 * 1024;

pub(super) fn run(directory: &Path, channel: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let name = ChannelName::new(channel).with_context(|| {
        format!("\"{channel}\" is no channel's name; write it as general or \"#general\"")
    })?;
    let mut out = out(file)?;
    let reader = Store::open_to_read(directory)?;
    let same = |shown: &str| ChannelName::new(shown).is_ok_and(|other| other == name);
    let row =
        reader.conversations()?.into_iter().find(|row| row.parties.is_none() && same(&row.shown));
    let Some(row) = row else {
        bail!(
            "no lines of {name} are stored; chat-server check tells which directory is looked at"
        );
    };
    let shown = format!("#{}", row.shown);
    write(&mut out, &ExportRow::Channel { name: shown.clone(), topic: row.topic, last: row.last })?;
    let key = channel_key(&name);
    let mut after = row.floor;
    loop {
        let page = reader.all_lines(
            StoreKey::Channel(&key),
            after,
            row.last,
            LINES_A_PAGE,
            BYTES_A_PAGE,
        )?;
        let Some(last) = page.lines.last() else { break };
        after = last.id;
        for line in page.lines {
            let time = Timestamp(line.time).rfc3339().to_string();
            let (id, from, text, action) = (line.id, line.author, line.text, line.action);
            let channel = shown.clone();
            let row = if line.redacted {
                ExportRow::Erased { id, time, channel }
            } else {
                ExportRow::Message { id, time, channel, from, text, action }
            };
            write(&mut out, &row)?;
        }
    }
    out.flush().context("the output can't be written")
}

/// Opens a new file, or standard output. Readable by its owner alone: it may hold private chats.
pub(super) fn out(file: Option<&Path>) -> anyhow::Result<impl Write> {
    let out: Box<dyn Write> = match file {
        Some(file) => {
            let made = File::options().write(true).create_new(true).mode(0o600).open(file);
            Box::new(made.with_context(|| format!("{} can't be made anew", file.display()))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    Ok(BufWriter::new(out))
}

pub(super) fn write(out: &mut impl Write, row: &impl Serialize) -> anyhow::Result<()> {
    let written = serde_json::to_writer(&mut *out, row).map_err(io::Error::from);
    written.context("the output can't be written")?;
    out.write_all(b"\n").context("the output can't be written")
}
