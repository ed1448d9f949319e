//! Tables in Markdown.

use std::collections::BTreeSet;

use super::summary::{Spread, Summary, SummaryRow};
use crate::outcome::Measure;

/// One table for each scenario, under its name.
pub(crate) fn of(summary: &Summary) -> String {
    let scenarios = summary.0.chunk_by(|one, other| one.scenario == other.scenario);
    let tables = scenarios.map(|rows| format!("### {}\n\n{}\n", rows[0].scenario, table(rows)));
    tables.collect::<Vec<_>>().join("\n")
}

fn table(rows: &[SummaryRow]) -> String {
    let columns: BTreeSet<Measure> =
        rows.iter().flat_map(|row| row.figures.keys().copied()).collect();
    let line = |with: &str, server: &str, cells: Vec<String>| {
        format!("| {with} | {server} | {} |", cells.join(" | "))
    };
    let titles = columns.iter().map(|what| what.title().to_owned()).collect();
    let mut lines = vec![line("with", "server", titles)];
    lines.push(format!("|---|---|{}", "---|".repeat(columns.len())));
    for row in rows {
        let cell = |what| row.figures.get(what).map_or_else(|| "–".to_owned(), cell);
        lines.push(line(&row.with, row.server.title(), columns.iter().map(cell).collect()));
    }
    lines.join("\n")
}

/// The median, with the minimum and the maximum if they differ.
fn cell(spread: &Spread) -> String {
    let median = number(spread.median());
    match spread.ends().map(|(least, most)| (number(least), number(most))) {
        Some((least, most)) if least != most => format!("{median} ({least}–{most})"),
        _ => median,
    }
}

/// A number with up to three significant digits and thousands separators.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 0.095 => 3,
        small if small < 9.95 => 2,
        small if small < 99.5 => 1,
        _ => 0,
    };
    let plain = format!("{value:.digits$}");
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut apart = String::new();
    for (at, digit) in whole.char_indices() {
        let left = whole.len() - at;
        if at > 0 && left.is_multiple_of(3) && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(digit);
    }
    if rest.is_empty() { apart } else { format!("{apart}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_significant_digits() {
        for (value, shown) in [
            (0.0, "0"),
            (0.0321, "0.032"),
            (0.32, "0.32"),
            (5.123, "5.12"),
            (17.24, "17.2"),
            (213.7, "214"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
            (-123.0, "-123"),
        ] {
            assert_eq!(number(value), shown);
        }
    }
}
