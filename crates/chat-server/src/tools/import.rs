//! `chat-server import [FILE]`: imports an export into the store of a stopped server.

use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::print;
use super::row::ExportRow;
use crate::store::channel_key;
use crate::store::{Durability, NewLine, Reader, Store, StoreKey, StoreLocation, WriteOp, Writer};
use crate::util::input;

/// The highest line id.
const MAX_ID: u64 = (1 << 36) - 1;

/// Longer than a row with the longest line, each character escaped.
const MAX_ROW_BYTES: u64 = 64 * 1024;

/// Lines per commit.
const BATCH: usize = 5000;

pub(super) fn run(directory: &Path, file: Option<&Path>) -> anyhow::Result<()> {
    let mut input: Box<dyn BufRead> = match file {
        Some(file) => {
            let opened =
                input::open(file).with_context(|| format!("{} can't be read", file.display()))?;
            Box::new(BufReader::new(opened))
        }
        None => Box::new(io::stdin().lock()),
    };
    let into = directory.display();
    if file.is_none() && io::stdin().is_terminal() {
        print(format_args!("reading rows from the terminal into {into}; Ctrl-D ends them"))?;
    }
    let store = Store::open(&StoreLocation::Directory(directory.to_owned()), Durability::Machine)?;
    let (writer, lookups) = store.into_parts();
    let mut import = Import {
        writer,
        reader: lookups.reader()?,
        channel: None,
        batch: Vec::new(),
        added: 0,
        there: 0,
    };
    for at in 1_u64.. {
        match next_line(&mut input).and_then(|line| line.map(|line| import.row(&line)).transpose())
        {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(error) => {
                import.commit()?;
                let added = import.added;
                return Err(error.context(format!(
                    "line {at}; {added} lines before it were imported into {into}"
                )));
            }
        }
    }
    import.end_channel()?;
    // The next server finds everything indexed.
    import.writer.flush()?;
    import.writer.checkpoint()?;
    let Import { added, there, .. } = import;
    print(format_args!("{added} lines imported into {into}, {there} were there already"))?;
    Ok(())
}

/// Returns the next line, without a byte order mark.
fn next_line(input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    let count = input.take(MAX_ROW_BYTES).read_until(b'\n', &mut line);
    if count.context("it can't be read")? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == MAX_ROW_BYTES {
        bail!("it is longer than any row of an export");
    }
    let line = String::from_utf8(line).context("it is no text in UTF-8")?;
    Ok(Some(line.trim_start_matches('\u{FEFF}').to_owned()))
}

struct Import {
    writer: Writer,
    reader: Reader,
    channel: Option<ImportedChannel>,
    batch: Vec<ImportedLine>,
    added: u64,
    /// Lines that the store has already.
    there: u64,
}

/// The channel that receives lines.
struct ImportedChannel {
    name: ChannelName,
    number: u32,
    last: u64,
    /// The time of the last line.
    time: i64,
    floor: u64,
    /// Ids assigned at the source.
    end: u64,
}

struct ImportedLine {
    id: u64,
    time: i64,
    said: Option<ImportedMessage>,
}

/// The parts that a redacted line lacks.
struct ImportedMessage {
    from: String,
    text: String,
    action: bool,
}

impl Import {
    fn row(&mut self, line: &str) -> anyhow::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let row = serde_json::from_str(line)
            .context("this is no row of an export; a file is what chat-server export wrote")?;
        match row {
            ExportRow::Channel { name, topic, last } => self.channel(&name, topic.as_deref(), last),
            ExportRow::Message { id, time, channel, from, text, action } => {
                let time = moment(&time)?;
                let from = UserName::new(&from).map_err(anyhow::Error::from)?.as_str().to_owned();
                let text =
                    Text::new(&text).context("its text has nothing in it")?.as_str().to_owned();
                self.message(
                    &channel,
                    ImportedLine { id, time, said: Some(ImportedMessage { from, text, action }) },
                )
            }
            ExportRow::Erased { id, time, channel } => {
                self.message(&channel, ImportedLine { id, time: moment(&time)?, said: None })
            }
        }
    }

    fn channel(&mut self, name: &str, topic: Option<&str>, end: u64) -> anyhow::Result<()> {
        self.end_channel()?;
        if end > MAX_ID {
            bail!("{end} can't be the id of a line; the highest is {MAX_ID}");
        }
        let name = ChannelName::new(name)?;
        let rows = self.writer.conversations()?;
        let same = |shown: &str| ChannelName::new(shown).is_ok_and(|other| other == name);
        let there = rows.iter().find(|row| row.parties.is_none() && same(&row.shown));
        let (number, last, time, floor) = if let Some(row) = there {
            {
                let time = self.writer.last_times()?.get(&row.number).copied();
                (row.number, row.last, time.unwrap_or(i64::MIN), row.floor)
            }
        } else {
            let number = rows.iter().map(|row| row.number).max().unwrap_or_default() + 1;
            let topic = topic.and_then(Text::new);
            let topic = topic.as_ref().map(Text::as_str);
            let (key, shown) = (channel_key(&name), name.bare());
            self.writer.commit(&[WriteOp::Channel {
                number,
                name: &key,
                shown,
                topic,
                open: true,
            }])?;
            (number, 0, i64::MIN, 0)
        };
        self.channel = Some(ImportedChannel { name, number, last, time, floor, end });
        Ok(())
    }

    fn message(&mut self, channel: &str, line: ImportedLine) -> anyhow::Result<()> {
        let same = |name: &ChannelName| ChannelName::new(channel).is_ok_and(|other| other == *name);
        let Some(into) = self.channel.as_mut().filter(|into| same(&into.name)) else {
            bail!(
                "{channel} was not begun; a row of the type channel with its name comes before its lines"
            );
        };
        if line.id == 0 {
            bail!("ids begin with 1");
        }
        if into.last == 0 && line.id > 1 {
            // The export of a channel with limited retention.
            self.writer.raise_floor(into.number, line.id - 1)?;
            (into.last, into.floor) = (line.id - 1, line.id - 1);
        }
        let (number, last) = (into.number, into.last);
        if line.id <= last {
            let floor = into.floor;
            return self.compare(number, floor, &line);
        }
        if line.id > last + 1 {
            bail!(
                "{channel} has lines up to {last} and this one is {}; import what lies between first",
                line.id
            );
        }
        into.last = line.id;
        self.batch.push(line);
        if self.batch.len() >= BATCH { self.commit() } else { Ok(()) }
    }

    /// Ids are never reused for a name, even if a line was removed.
    fn end_channel(&mut self) -> anyhow::Result<()> {
        self.commit()?;
        if let Some(into) = self.channel.take()
            && into.end > into.last
        {
            self.writer.raise_floor(into.number, into.end)?;
        }
        Ok(())
    }

    /// Compares a line with the stored one, which must be the same.
    fn compare(&mut self, number: u32, floor: u64, line: &ImportedLine) -> anyhow::Result<()> {
        self.commit()?;
        let Some(into) = self.channel.as_ref().filter(|into| into.number == number) else {
            return Ok(());
        };
        let key = channel_key(&into.name);
        let page = self.reader.all_lines(StoreKey::Channel(&key), line.id - 1, line.id, 1, 1)?;
        let same = page.lines.first().is_none_or(|there| {
            let words =
                |said: &ImportedMessage| there.text == said.text && there.author == said.from;
            // A line that is redacted on one of the two sides stays as it is here.
            there.time == line.time && (there.redacted || line.said.as_ref().is_none_or(words))
        });
        if line.id > floor && !same {
            bail!(
                "{} has another line with the id {}; import into an empty directory (--data) instead",
                into.name,
                line.id
            );
        }
        self.there += 1;
        Ok(())
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        let Some(into) = &mut self.channel else { return Ok(()) };
        let number = into.number;
        let mut entries: Vec<WriteOp<'_>> = self
            .batch
            .iter()
            .map(|ImportedLine { id, time, said }| match said {
                Some(ImportedMessage { from, text, action }) => WriteOp::Line(NewLine {
                    number,
                    id: *id,
                    time: *time,
                    author: from,
                    action: *action,
                    text,
                    ..NewLine::default()
                }),
                None => WriteOp::RedactedLine { number, id: *id, time: *time },
            })
            .collect();
        for ImportedLine { id, time, .. } in &self.batch {
            // An export has the times of the clock as it was.
            if *time < into.time {
                entries.push(WriteOp::OutOfOrder { number, id: *id });
            }
            into.time = *time;
        }
        if !entries.is_empty() {
            self.writer.commit(&entries)?;
            self.added += self.batch.len() as u64;
        }
        self.batch.clear();
        Ok(())
    }
}

/// Returns milliseconds since 1970.
fn moment(time: &str) -> anyhow::Result<i64> {
    let moment = Timestamp::from_rfc3339(time)
        .with_context(|| format!("\"{time}\" is no time such as 2026-11-22T07:44:05.120Z"))?;
    Ok(moment.0)
}
