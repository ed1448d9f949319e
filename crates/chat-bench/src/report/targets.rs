//! Performance targets, and whether they are met.
//!
//! Most targets are relative to another server of the same run, because absolute times differ
//! between machines.

use super::summary::{Summary, SummaryRow};
use super::table::number;
use crate::outcome::Measure;
use crate::subject::SubjectKind;

/// A target whose figures were all measured.
struct TargetFigure {
    what: String,
    measured: f64,
    /// The upper or lower bound.
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A table of all targets whose figures were measured; empty if there are none.
pub(super) fn table(summary: &Summary) -> String {
    let mut lines =
        vec!["| target | bound | measured | |".to_owned(), "|---|---|---|---|".to_owned()];
    for TargetFigure { what, measured, bound } in targets(summary) {
        let (bound, is_met) = match bound {
            Bound::AtMost(most) => (format!("≤ {}", number(most)), measured <= most),
            Bound::AtLeast(least) => (format!("≥ {}", number(least)), measured >= least),
        };
        let met = if is_met { "met" } else { "**missed**" };
        lines.push(format!("| {what} | {bound} | {} | {met} |", number(measured)));
    }
    if lines.len() > 2 { lines.join("\n") } else { String::new() }
}

fn targets(summary: &Summary) -> Vec<TargetFigure> {
    let mut targets = Vec::new();
    let mut add = |what: String, measured: Option<f64>, bound| {
        targets.extend(measured.map(|measured| TargetFigure { what, measured, bound }));
    };
    let ours = |scenario: &str| {
        let rows = summary.0.iter().filter(move |row| row.scenario == scenario);
        rows.filter(|row| row.server == SubjectKind::Chat).collect::<Vec<_>>()
    };
    // The same figure of another server.
    let other = |row: &SummaryRow, kind: SubjectKind, what: Measure| {
        let same = |other: &&SummaryRow| {
            other.scenario == row.scenario && other.with == row.with && other.server == kind
        };
        figure(summary.0.iter().find(same)?, what)
    };
    let ratio = |row: &SummaryRow, kind: SubjectKind, what: Measure| {
        Some(figure(row, what)? / other(row, kind, what)?)
    };
    let cpu = Measure::CpuPerDelivery;
    for row in ours("fanout") {
        let with = &row.with;
        if with.ends_with("people, 16 in flight") {
            let floor = ratio(row, SubjectKind::FloorBatch, cpu);
            add(format!("{with}: CPU against floor-batch"), floor, Bound::AtMost(1.25));
            let peers = [SubjectKind::Ngircd, SubjectKind::Inspircd];
            let best = peers.iter().filter_map(|kind| other(row, *kind, Measure::P99));
            if let Some(best) = best.reduce(f64::min) {
                let what = format!("{with}: 99 % in ms, below the best peer's");
                add(what, figure(row, Measure::P99), Bound::AtMost(best));
            }
        } else if with.ends_with("people, 1 in flight") {
            let floor = ratio(row, SubjectKind::Floor, cpu);
            add(format!("{with}: CPU against floor"), floor, Bound::AtMost(1.15));
        }
    }
    let batches: Vec<&SummaryRow> = ours("fanout")
        .into_iter()
        .filter(|row| row.with.ends_with("people, 16 in flight"))
        .collect();
    if let [first, .., last] = &batches[..] {
        let growth = grown(first, last, cpu);
        let what = format!("CPU at {} people against {}", last.size, first.size);
        add(what, growth, Bound::AtMost(1.2));
    }
    let rooms = ours("rooms");
    for row in &rooms {
        let with = &row.with;
        let peer = ratio(row, SubjectKind::Inspircd, cpu);
        add(format!("{with}: CPU against InspIRCd"), peer, Bound::AtMost(0.5));
        add(format!("{with}: 99 % in ms"), figure(row, Measure::P99), Bound::AtMost(20.0));
        add(format!("{with}: lost"), figure(row, Measure::Lost), Bound::AtMost(0.0));
    }
    if let [one, many] = &rooms[..] {
        add(
            "CPU in many rooms against in one".to_owned(),
            grown(one, many, cpu),
            Bound::AtMost(1.1),
        );
    }
    for (scenario, what, bound) in [
        ("idle", Measure::MemoryEach, Bound::AtMost(2.0)),
        ("idle", Measure::IdleCpu, Bound::AtMost(0.0)),
        ("connect", Measure::PerSecond, Bound::AtLeast(20_000.0)),
        ("storm", Measure::PerSecond, Bound::AtLeast(15_000.0)),
        ("storm", Measure::Descriptors, Bound::AtMost(0.0)),
        ("pingpong", Measure::PerSecond, Bound::AtLeast(110_000.0)),
        ("pingpong", Measure::P99, Bound::AtMost(3.0)),
        ("login", Measure::Took, Bound::AtMost(10_000.0)),
        ("passwords", Measure::P99, Bound::AtMost(50.0)),
    ] {
        if let Some(row) = ours(scenario).last() {
            let label = format!("{scenario}, {}: {}", row.with, what.title());
            add(label, figure(row, what), bound);
        }
    }
    for row in ours("slow").iter().filter(|row| row.size > 0) {
        let with = &row.with;
        add(
            format!("{with}: the others' 99 %, times"),
            figure(row, Measure::Ratio),
            Bound::AtMost(1.05),
        );
        if row.size >= 100 {
            let each = figure(row, Measure::Growth)
                .map(|growth| growth * 100.0 / crate::outcome::float(row.size));
            add(format!("{with}: growth in MiB for each 100"), each, Bound::AtMost(1.0));
        }
    }
    for row in summary.0.iter().filter(|row| row.scenario == "durable") {
        let (with, rate, times) =
            (&row.with, figure(row, Measure::PerSecond), figure(row, Measure::Ratio));
        add(format!("durable, {with}: per s"), rate, Bound::AtLeast(50_000.0));
        add(format!("durable, {with}: against a bare commit"), times, Bound::AtMost(1.5));
    }
    targets
}

fn figure(row: &SummaryRow, what: Measure) -> Option<f64> {
    Some(row.figures.get(&what)?.median())
}

fn grown(from: &SummaryRow, to: &SummaryRow, what: Measure) -> Option<f64> {
    Some(figure(to, what)? / figure(from, what)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{BenchOutcome, Figures, Finding};

    #[test]
    fn a_target_is_met_missed_or_omitted_if_not_measured() {
        let outcome = |server, scenario: &str, with: &str, what, value| BenchOutcome {
            scenario: scenario.to_owned(),
            server,
            finding: Finding::new(with, 100, Figures::from([(what, value)])),
        };
        let flight = "100 people, 16 in flight";
        let text = table(&Summary::of(&[
            outcome(SubjectKind::Chat, "fanout", flight, Measure::CpuPerDelivery, 0.5),
            outcome(SubjectKind::FloorBatch, "fanout", flight, Measure::CpuPerDelivery, 0.25),
            outcome(SubjectKind::Chat, "connect", "100 people", Measure::PerSecond, 30_000.0),
            outcome(SubjectKind::Chat, "rooms", "2 rooms", Measure::CpuPerDelivery, 1.0),
        ]));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| 100 people, 16 in flight: CPU against floor-batch | ≤ 1.25 | 2.00 | **missed** |",
                "| connect, 100 people: per s | ≥ 20,000 | 30,000 | met |",
            ]
        );
        assert_eq!(table(&Summary::of(&[])), "");
    }
}
