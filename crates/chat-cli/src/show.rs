//! Output for the user: each item becomes one line of text. No IO, no clock.

mod paint;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use paint::Paint;

use crate::highlight::Highlight;
use crate::mention;
use crate::server_event::ChatMessage;

/// An item to show; always one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DisplayItem {
    /// A message in `place` (`#general` or `@bob`); `own` if the user sent it.
    Said { place: String, said: ChatMessage, own: bool },
    /// A search result; the matched words are highlighted.
    Found { place: String, said: ChatMessage, words: Vec<Highlight> },
    /// A heading above a list, or a note below it.
    Heading(String),
    /// A sentence of the server or the client.
    Sentence { tone: Tone, text: String },
    /// The server refused something.
    Refused { code: String, text: String },
    /// A typed command, shown above its answer.
    Typed { line: String },
}

/// How prominent a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Users who enter and leave.
    Quiet,
    /// Answers.
    Normal,
    /// As normal, and the bell is rung.
    Calling,
    /// The connection is in trouble, or a line was not sent.
    Warning,
}

impl DisplayItem {
    pub(crate) fn sentence(text: impl Into<String>) -> Self {
        Self::Sentence { tone: Tone::Normal, text: text.into() }
    }

    pub(crate) fn quiet(text: impl Into<String>) -> Self {
        Self::Sentence { tone: Tone::Quiet, text: text.into() }
    }

    pub(crate) fn warning(text: impl Into<String>) -> Self {
        Self::Sentence { tone: Tone::Warning, text: text.into() }
    }
}

/// The style of lines.
#[derive(Clone, Debug)]
pub(crate) enum DisplayStyle {
    /// The text format of the protocol, for pipes.
    Plain,
    /// With local times, for a terminal.
    Terminal { colours: bool, zone: TimeZone },
}

/// A line for the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DisplayLine {
    /// Without its ending.
    pub(crate) text: String,
    /// Whether the bell rings.
    pub(crate) bell: bool,
}

/// Formats the line. `me` is the client's name, `now` the time of receipt.
pub(crate) fn line(
    shown: &DisplayItem,
    look: &DisplayStyle,
    me: Option<&str>,
    now: Timestamp,
) -> DisplayLine {
    match look {
        DisplayStyle::Plain => DisplayLine { text: plain(shown), bell: false },
        DisplayStyle::Terminal { colours, zone } => {
            let paint = Paint { colours: *colours };
            DisplayLine { text: terminal(shown, paint, zone, me, now), bell: rings(shown, me) }
        }
    }
}

/// Whether a message is addressed to the user, privately or by a mention.
pub(crate) fn calls(place: &str, text: &str, me: Option<&str>) -> bool {
    place.starts_with('@') || me.is_some_and(|me| mention::first(text, me).is_some())
}

fn rings(shown: &DisplayItem, me: Option<&str>) -> bool {
    match shown {
        DisplayItem::Said { place, said, own } => {
            !own && !said.past && calls(place, &said.text, me)
        }
        DisplayItem::Sentence { tone, .. } => *tone == Tone::Calling,
        DisplayItem::Found { .. }
        | DisplayItem::Heading(_)
        | DisplayItem::Refused { .. }
        | DisplayItem::Typed { .. } => false,
    }
}

fn plain(shown: &DisplayItem) -> String {
    match shown {
        DisplayItem::Said { place, said, .. } | DisplayItem::Found { place, said, .. } => {
            let past = match said.time {
                Some(time) if said.past => format!(" {}", time.strftime("%Y-%m-%d %H:%M:%S")),
                _ => String::new(),
            };
            let ChatMessage { from, text, .. } = said;
            if said.action {
                format!("[{place}{past}] * {from} {text}")
            } else {
                format!("[{place}{past}] {from}: {text}")
            }
        }
        DisplayItem::Sentence { text, .. } => format!("* {text}"),
        DisplayItem::Heading(text) => format!("* — {text} —"),
        DisplayItem::Refused { code, text } => format!("! {code}: {text}"),
        DisplayItem::Typed { line } => format!("> {line}"),
    }
}

fn terminal(
    shown: &DisplayItem,
    paint: Paint,
    zone: &TimeZone,
    me: Option<&str>,
    now: Timestamp,
) -> String {
    let clock = |time: Timestamp, format: &str| {
        time.to_zoned_datetime(zone.clone()).strftime(format).to_string()
    };
    match shown {
        DisplayItem::Said { place, said, .. } if said.past => {
            let ChatMessage { from, text, .. } = said;
            let when = said.time.map(|time| clock(time, "%Y-%m-%d %H:%M ")).unwrap_or_default();
            let line = if said.action {
                format!("{when}[{place}] * {from} {text}")
            } else {
                format!("{when}[{place}] {from}: {text}")
            };
            paint.faint(&line)
        }
        DisplayItem::Said { place, said, own } => {
            let when = paint.faint(&clock(said.time.unwrap_or(now), "%H:%M"));
            let (place_name, place) = (place, paint.place(place));
            let from = paint.speaker(&said.from, *own);
            let text = match me {
                _ if *own => said.text.clone(),
                _ if calls(place_name, &said.text, me) => paint.calling(&said.text, me),
                _ => said.text.clone(),
            };
            if said.action {
                format!("{when} {place} * {from} {text}")
            } else {
                format!("{when} {place} {from}: {text}")
            }
        }
        DisplayItem::Found { place, said, words } => {
            let when = said.time.map(|time| clock(time, "%Y-%m-%d %H:%M ")).unwrap_or_default();
            let text = paint.sought(&said.text, words);
            let colon = if said.action { "" } else { ":" };
            let star = if said.action { "* " } else { "" };
            let from = paint.speaker(&said.from, false);
            format!("{}{} {star}{from}{colon} {text}", paint.faint(&when), paint.place(place))
        }
        DisplayItem::Heading(text) => paint.faint(&format!("— {text} —")),
        DisplayItem::Sentence { tone, text } => {
            let when = paint.faint(&clock(now, "%H:%M"));
            format!("{when} {}", paint.sentence(*tone, text))
        }
        DisplayItem::Refused { code, text } => {
            let when = paint.faint(&clock(now, "%H:%M"));
            format!("{when} {}", paint.refused(&format!("! {code}: {text}")))
        }
        DisplayItem::Typed { line } => paint.faint(&format!("{} > {line}", clock(now, "%H:%M"))),
    }
}

#[cfg(test)]
mod tests;
