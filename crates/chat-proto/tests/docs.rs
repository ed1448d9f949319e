//! Compares docs/protocol.md with the code.
//!
//! Tables between `<!-- table: … -->` and `<!-- end -->` are generated: `UPDATE=1 cargo test -p
//! chat-proto --test docs` regenerates them. The others are compared with the golden files and with
//! the daemon's source.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chat_proto::command_table::COMMANDS;
use chat_proto::encoding::TYPES;
use chat_proto::limits;
use chat_proto::refusal::Code;
use serde_json::Value;

fn in_workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(in_workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    read("docs/protocol.md")
}

fn coded<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}

fn specs() -> String {
    let mut table =
        "| command | aliases | arguments | effect | before a name |\n|---|---|---|---|---|\n"
            .to_owned();
    for spec in COMMANDS {
        let slashed: Vec<String> = spec.words().map(|word| format!("/{word}")).collect();
        let (own, also) = slashed.split_first().unwrap();
        let also = coded(also.iter().map(String::as_str));
        let arguments = coded((!spec.arguments.is_empty()).then_some(spec.arguments));
        let nameless = if spec.nameless { "yes" } else { "" };
        writeln!(table, "| `{own}` | {also} | {arguments} | {} | {nameless} |", spec.summary)
            .unwrap();
    }
    table
}

fn codes() -> String {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for code in Code::ALL {
        writeln!(table, "| `{code}` | {} |", code.meaning()).unwrap();
    }
    table
}

/// Every limit: its name in the code, its description, and its value.
const LIMITS: &[(&str, &str, usize)] = &[
    ("MAX_LINE_BYTES", "bytes of a line, without its ending", limits::MAX_LINE_BYTES),
    ("MAX_USER_NAME_CHARS", "characters of a user's name", limits::MAX_USER_NAME_CHARS),
    (
        "MAX_CHANNEL_NAME_CHARS",
        "characters of a channel's name, without its `#`",
        limits::MAX_CHANNEL_NAME_CHARS,
    ),
    ("MAX_TOPIC_CHARS", "characters of a topic", limits::MAX_TOPIC_CHARS),
    (
        "LISTED_TOPIC_CHARS",
        "characters of a topic in a row of `/channels`, before a `…`",
        limits::LISTED_TOPIC_CHARS,
    ),
    ("LIST_ROWS", "rows of one answer to `/channels` or `/users`", limits::LIST_ROWS),
    (
        "NAMELESS_LIST_ROWS",
        "rows of one answer to `/channels` before a name is given",
        limits::NAMELESS_LIST_ROWS,
    ),
    (
        "MAX_REASON_CHARS",
        "characters of a reason (`/quit`, `/leave`, `/away`, `/kick`, `/ban`, …)",
        limits::MAX_REASON_CHARS,
    ),
    ("MIN_PASSWORD_CHARS", "characters of a password, minimum", limits::MIN_PASSWORD_CHARS),
    ("MAX_PASSWORD_CHARS", "characters of a password", limits::MAX_PASSWORD_CHARS),
    ("MAX_INVITE_CHARS", "characters of an invitation's code", limits::MAX_INVITE_CHARS),
    ("INVITATION_DAYS", "days until an invitation expires", limits::INVITATION_DAYS),
    ("MAX_INVITATIONS", "unused invitations of one server", limits::MAX_INVITATIONS),
    ("MAX_SERVER_BANS", "bans of one server", limits::MAX_SERVER_BANS),
    ("MAX_TOKENS", "tokens of one account", limits::MAX_TOKENS),
    ("TOKEN_DAYS", "days until a token expires, from its last use", limits::TOKEN_DAYS),
    ("MAX_DEVICES", "connections signed in to one account at once", limits::MAX_DEVICES),
    (
        "MAX_WAITING_LINES",
        "unread private messages sent after signing in",
        limits::MAX_WAITING_LINES,
    ),
    ("MAX_HISTORY_LINES", "messages of one `/history`", limits::MAX_HISTORY_LINES as usize),
    ("HISTORY_LINES", "messages of `/history` without a count", limits::HISTORY_LINES as usize),
    ("MAX_SEARCH_WORDS", "words and quoted phrases of one `/search`", limits::MAX_SEARCH_WORDS),
    ("MAX_SEARCH_BEGINNINGS", "of these, prefixes (`deploy*`)", limits::MAX_SEARCH_BEGINNINGS),
    ("MAX_KEY_CHARS", "characters of the key of `/once`", limits::MAX_KEY_CHARS),
    ("MAX_PERIOD_SECS", "seconds of a timed ban or mute", limits::MAX_PERIOD_SECS as usize),
    ("MAX_SLOW_SECS", "seconds of `/set slow`", limits::MAX_SLOW_SECS as usize),
    (
        "MAX_LOGGED_ACTS",
        "actions in the log of a channel (`/log`)",
        limits::MAX_LOGGED_ACTS as usize,
    ),
    ("LOGGED_ACTS", "actions of `/log` without a count", limits::LOGGED_ACTS as usize),
    ("MAX_PATTERN_CHARS", "characters of one word of `/set words`", limits::MAX_PATTERN_CHARS),
    ("MAX_PATTERNS", "words of `/set words` in one channel", limits::MAX_PATTERNS),
    ("MAX_NEAREST", "near words or names suggested by a refusal", limits::MAX_NEAREST),
    (
        "MAX_SHOWN_WORD_CHARS",
        "characters of a typed word repeated by a refusal",
        limits::MAX_SHOWN_WORD_CHARS,
    ),
];

fn limits_table() -> String {
    let mut table = "| maximum | of |\n|---|---|\n".to_owned();
    for (_, what, value) in LIMITS {
        writeln!(table, "| {value} | {what} |").unwrap();
    }
    table
}

#[test]
fn the_generated_tables_are_those_of_the_code() {
    let mut page = page();
    for (name, table) in [("verbs", specs()), ("codes", codes()), ("limits", limits_table())] {
        let begin = format!("<!-- table: {name} -->\n");
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
        let (there, after) = rest.split_once("<!-- end -->").unwrap();
        if std::env::var_os("UPDATE").is_some() {
            page = format!("{before}{begin}{table}<!-- end -->{after}");
            // The rename is atomic, because other tests read the page concurrently.
            fs::write(in_workspace("docs/protocol.md.new"), &page).unwrap();
            fs::rename(in_workspace("docs/protocol.md.new"), in_workspace("docs/protocol.md"))
                .unwrap();
        } else {
            assert_eq!(there, table, "table of {name}; UPDATE=1 writes it anew");
        }
    }
}

#[test]
fn every_limit_is_in_the_table() {
    let source = include_str!("../src/limits.rs");
    let names: Vec<&str> =
        source.split("pub const ").skip(1).filter_map(|rest| rest.split(':').next()).collect();
    let output: Vec<&str> = LIMITS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, output);
}

/// The rows of the table under this head, as cells.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, table) = page.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// The words of a cell that are set as code.
fn in_code(cell: &str) -> BTreeSet<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// The golden files with output lines, without their extensions.
const GOLDEN: &[&str] =
    &["events", "rows", "answers", "account", "offline", "operator", "refusals"];

/// Every line of the golden files, parsed.
fn golden() -> Vec<Value> {
    GOLDEN
        .iter()
        .flat_map(|file| {
            let file = read(&format!("crates/chat-proto/tests/golden/{file}.json"));
            let cases: BTreeMap<String, Value> = serde_json::from_str(&file).unwrap();
            cases.into_values()
        })
        .filter(|line| !line.is_null())
        .collect()
}

fn keys(line: &Value) -> BTreeSet<String> {
    line.as_object().unwrap().keys().filter(|key| *key != "type").cloned().collect()
}

#[test]
fn every_type_is_documented_with_its_fields() {
    let table = rows(&page(), "| type | fields | if |");
    let output: Vec<String> = table.iter().flat_map(|row| in_code(&row[0])).collect();
    assert_eq!(output, TYPES);
    for row in table.iter().filter(|row| row[0] != "`ok`") {
        let kind = in_code(&row[0]).pop_first().unwrap();
        let lines: Vec<BTreeSet<String>> =
            golden().iter().filter(|line| line["type"] == kind).map(keys).collect();
        let always = lines.iter().cloned().reduce(|all, keys| &all & &keys).unwrap();
        let ever = lines.iter().cloned().reduce(|all, keys| &all | &keys).unwrap();
        assert_eq!(in_code(&row[1]), always, "fields of {kind}");
        let optional = row.get(2).map(|cell| in_code(cell)).unwrap_or_default();
        assert_eq!(optional, &ever - &always, "fields of {kind} that may be there");
    }
}

#[test]
fn every_ok_is_documented_with_its_fields() {
    let table = rows(&page(), "| re | fields |");
    let output: BTreeSet<String> = table.iter().flat_map(|row| in_code(&row[0])).collect();
    let all: BTreeSet<String> = COMMANDS.iter().map(|spec| spec.name.to_owned()).collect();
    assert_eq!(output, all);
    let golden = golden();
    for row in &table {
        let commands = in_code(&row[0]);
        let seen: BTreeSet<String> = golden
            .iter()
            .filter(|line| line["type"] == "ok")
            .filter(|line| commands.contains(line["re"].as_str().unwrap()))
            .flat_map(keys)
            .filter(|key| key != "re")
            .collect();
        let output = row.get(1).map(|cell| in_code(cell)).unwrap_or_default();
        assert_eq!(output, seen, "fields of ok to {commands:?}");
    }
}

/// The page lists the daemon's settings and their defaults as they are in its source.
#[test]
fn every_setting_is_documented_with_its_default() {
    let source = read("crates/chat-server/src/config.rs");
    let mut usual: BTreeMap<String, u64> = BTreeMap::new();
    for rest in source.split("\"limits.").skip(1) {
        let (key, rest) = rest.split_once('"').unwrap();
        let number = rest.split(')').next().unwrap();
        let number = number.trim().trim_end_matches(',').rsplit(',').next().unwrap().trim();
        if let Ok(number) = number.replace('_', "").parse() {
            usual.insert(format!("limits.{key}"), number);
        }
    }
    assert_eq!(usual.len(), 30, "{usual:?}");
    let output: BTreeMap<String, u64> = rows(&page(), "| setting | default | meaning |")
        .iter()
        .map(|row| (in_code(&row[0]).pop_first().unwrap(), row[1].parse().unwrap()))
        .collect();
    assert_eq!(output, usual);
}

/// The sources of the daemon, wherever its modules are.
fn daemon(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| {
        if path.is_dir() { daemon(&path) } else { fs::read_to_string(path).unwrap() }
    };
    entries.map(text).collect()
}

#[test]
fn the_bounds_in_the_prose_are_those_of_the_daemon() {
    let source = daemon(&in_workspace("crates/chat-server/src"));
    for (bound, prose) in [
        ("RING: usize = 256;", "keeps the last 256 events"),
        ("MAX_WAITING_LINES: usize = 256;", "256 lines may wait for one reader"),
        ("\"127.0.0.1:5002\"", "`127.0.0.1:5002`"),
    ] {
        assert!(source.contains(bound), "{bound} is no longer in the daemon");
        assert!(page().contains(prose), "{prose}");
    }
}

#[test]
fn the_bounds_in_the_prose_are_those_of_the_protocol() {
    use limits::{
        MAX_DEVICES, MAX_PASSWORD_CHARS, MAX_TOKENS, MAX_WAITING_LINES, MIN_PASSWORD_CHARS,
        TOKEN_DAYS,
    };
    let page: String = page().split_whitespace().collect::<Vec<_>>().join(" ");
    let secret: Vec<String> = COMMANDS
        .iter()
        .filter(|spec| spec.secret)
        .map(|spec| format!("`/{}`", spec.name))
        .collect();
    let (last, others) = secret.split_last().unwrap();
    for prose in [
        format!("have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters"),
        format!("on up to {MAX_DEVICES} devices at once"),
        format!("is good for {TOKEN_DAYS} days from its last use"),
        format!("An account has at most {MAX_TOKENS}"),
        format!("the newest `told` (at most {MAX_WAITING_LINES})"),
        format!("keep what follows {} and {last} out", others.join(", ")),
    ] {
        assert!(page.contains(&prose), "{prose}");
    }
}

/// The example lines of the page are in the golden files, and the words that it lists as reserved
/// are reserved.
#[test]
fn the_examples_of_the_page_are_real() {
    let golden: String = GOLDEN
        .iter()
        .map(|file| read(&format!("crates/chat-proto/tests/golden/{file}.txt")))
        .collect();
    for row in rows(&page(), "| line | meaning |") {
        let line = row[0].trim_matches('`').replace("foo", "general");
        assert!(golden.lines().any(|real| real == line), "{line}");
    }
    for reserved in ["server", "system", "admin", "root", "guest"] {
        assert!(chat_proto::name::UserName::new(reserved).is_err());
        assert!(page().contains(&format!("`{reserved}`")));
    }
}
