//! Errors in a settings file: the line, the key, and what would be right.

use std::ops::Range;

use chat_proto::suggest::suggestions;
use toml::de::{DeTable, Error};

/// Maximum length of a displayed value.
const MAX_SHOWN_CHARS: usize = 40;

/// The requirement of a table, for the error.
const A_TABLE: &str = "a table, whose settings stand below its name in brackets";

const TABLES: [&str; 4] = ["history", "accounts", "channels", "limits"];

/// Marks the key of a list if one of its values is wrong.
const LISTED: &str = "a value of ";

pub(super) fn describe(text: &str, error: &Error) -> String {
    let message = error.message();
    let Some(span) = error.span() else { return message.to_owned() };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let description = match unknown_key(message) {
        Some((unknown, Some(nearest))) => {
            format!("there is no setting \"{unknown}\"; did you mean \"{nearest}\"?")
        }
        Some((unknown, None)) => {
            format!("there is no setting \"{unknown}\"; the example config has all there are")
        }
        None => match DeTable::parse(text) {
            Ok(table) => wrong_value(text, table.get_ref(), span.start, message),
            Err(_) => no_toml(text, before.len(), message),
        },
    };
    format!("line {line}: {description}")
}

/// The error if a list stands in place of a table. serde would take its values as those of the
/// table, in order.
pub(super) fn list_for_table(text: &str) -> Option<String> {
    let file = DeTable::parse(text).ok()?;
    let (key, span) = TABLES.iter().find_map(|key| {
        let value = file.get_ref().get(*key)?;
        value.get_ref().as_array().map(|_| (key, value.span()))
    })?;
    let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
    let value = shown(text.get(span).unwrap_or_default());
    Some(format!("line {line}: {key} must be {A_TABLE}, and is {value}"))
}

/// The unknown key in serde's message, which names it and then the known ones, each in backticks;
/// and the nearest of those.
fn unknown_key(message: &str) -> Option<(&str, Option<&str>)> {
    let mut quoted = in_backticks(message);
    let unknown = message.starts_with("unknown field").then(|| quoted.next()).flatten()?;
    let known: Vec<_> = quoted.map(|key| (key, key)).collect();
    Some((unknown, suggestions(unknown, known, 1).first().copied()))
}

fn in_backticks(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

fn wrong_value(text: &str, table: &DeTable<'_>, at: usize, message: &str) -> String {
    let Some((key, span)) = find(table, at) else { return message.to_owned() };
    let wanted = wanted(message);
    format!("{key} must be {wanted}, and is {}", shown(text.get(span).unwrap_or_default()))
}

/// The key whose value is at an offset of the text, and the offset of the value.
fn find(table: &DeTable<'_>, at: usize) -> Option<(String, Range<usize>)> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = if name.chars().all(is_bare) { name.to_string() } else { format!("\"{name}\"") };
        if let Some((rest, span)) = value.get_ref().as_table().and_then(|table| find(table, at)) {
            let key = match rest.strip_prefix(LISTED) {
                Some(rest) => format!("{LISTED}{name}.{rest}"),
                None => format!("{name}.{rest}"),
            };
            return Some((key, span));
        }
        let mut listed = value.get_ref().as_array().into_iter().flatten();
        if let Some(one) = listed.find(|one| one.span().contains(&at)) {
            return Some((format!("{LISTED}{name}"), one.span()));
        }
        value.span().contains(&at).then(|| (name, value.span()))
    })
}

/// What would be right, according to serde's message.
fn wanted(message: &str) -> String {
    if message.starts_with("unknown variant") {
        let choices: Vec<_> = in_backticks(message).skip(1).map(|c| format!("\"{c}\"")).collect();
        return match choices.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => message.to_owned(),
        };
    }
    match message.rsplit_once("expected ").map(|(_, expected)| expected) {
        Some("u64") => "a whole number from 0 up",
        Some("a boolean") => "true or false",
        Some("a string" | "path string") => "a text in double quotes",
        Some("a sequence") => "a list in brackets",
        Some(expected) if expected.starts_with("struct ") || expected == "a map" => A_TABLE,
        Some(expected) => expected,
        // One of several words, which toml suggests itself.
        None if message.starts_with("wanted string") => "a text in double quotes",
        None => message,
    }
    .to_owned()
}

/// A value as written, shortened.
fn shown(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MAX_SHOWN_CHARS).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

/// Text that isn't TOML; toml describes the error.
fn no_toml(text: &str, at: usize, message: &str) -> String {
    let begin = text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(begin..).unwrap_or_default().lines().next().unwrap_or_default();
    let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
    if message.starts_with("duplicate key") {
        return format!("{} is there already; leave one out", shown(key));
    }
    if key.is_empty() {
        return format!("this can't be read: {message}");
    }
    format!(
        "{} can't be read: {message}; write it as key = value, a text in double quotes",
        shown(key)
    )
}
