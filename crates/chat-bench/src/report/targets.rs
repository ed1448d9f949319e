//! What was meant to be reached, and whether it is.
//!
//! Most targets compare with another server of the same run, because times drift from machine to machine.

use super::summary::{Row, Summary};
use super::table::number;
use crate::outcome::What;
use crate::subject::Kind;

/// A target of which everything was measured.
struct Target {
    what: String,
    measured: f64,
    /// What it may be at most, or must be at least.
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A table of all targets of which everything was measured; empty if there are none.
pub(super) fn table(summary: &Summary) -> String {
    let mut lines =
        vec!["| target | bound | measured | |".to_owned(), "|---|---|---|---|".to_owned()];
    for Target { what, measured, bound } in targets(summary) {
        let (bound, is_met) = match bound {
            Bound::AtMost(most) => (format!("≤ {}", number(most)), measured <= most),
            Bound::AtLeast(least) => (format!("≥ {}", number(least)), measured >= least),
        };
        let met = if is_met { "met" } else { "**missed**" };
        lines.push(format!("| {what} | {bound} | {} | {met} |", number(measured)));
    }
    if lines.len() > 2 { lines.join("\n") } else { String::new() }
}

fn targets(summary: &Summary) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, measured: Option<f64>, bound| {
        targets.extend(measured.map(|measured| Target { what, measured, bound }));
    };
    let ours = |scenario: &str| {
        let rows = summary.0.iter().filter(move |row| row.scenario == scenario);
        rows.filter(|row| row.server == Kind::Chat).collect::<Vec<_>>()
    };
    // The same of another server.
    let other = |row: &Row, kind: Kind, what: What| {
        let same = |other: &&Row| {
            other.scenario == row.scenario && other.with == row.with && other.server == kind
        };
        figure(summary.0.iter().find(same)?, what)
    };
    let ratio =
        |row: &Row, kind: Kind, what: What| Some(figure(row, what)? / other(row, kind, what)?);
    let cpu = What::CpuPerDelivery;
    for row in ours("fanout") {
        let with = &row.with;
        if with.ends_with("people, 16 in flight") {
            let floor = ratio(row, Kind::FloorBatch, cpu);
            add(format!("{with}: CPU against floor-batch"), floor, Bound::AtMost(1.25));
            let peers = [Kind::Ngircd, Kind::Inspircd];
            let best = peers.iter().filter_map(|kind| other(row, *kind, What::P99));
            if let Some(best) = best.reduce(f64::min) {
                let what = format!("{with}: 99 % in ms, below the best peer's");
                add(what, figure(row, What::P99), Bound::AtMost(best));
            }
        } else if with.ends_with("people, 1 in flight") {
            let floor = ratio(row, Kind::Floor, cpu);
            add(format!("{with}: CPU against floor"), floor, Bound::AtMost(1.15));
        }
    }
    let batches: Vec<&Row> = ours("fanout")
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
        let peer = ratio(row, Kind::Inspircd, cpu);
        add(format!("{with}: CPU against InspIRCd"), peer, Bound::AtMost(0.5));
        add(format!("{with}: 99 % in ms"), figure(row, What::P99), Bound::AtMost(20.0));
        add(format!("{with}: lost"), figure(row, What::Lost), Bound::AtMost(0.0));
    }
    if let [one, many] = &rooms[..] {
        add(
            "CPU in many rooms against in one".to_owned(),
            grown(one, many, cpu),
            Bound::AtMost(1.1),
        );
    }
    for (scenario, what, bound) in [
        ("idle", What::MemoryEach, Bound::AtMost(2.0)),
        ("idle", What::IdleCpu, Bound::AtMost(0.0)),
        ("connect", What::PerSecond, Bound::AtLeast(20_000.0)),
        ("storm", What::PerSecond, Bound::AtLeast(15_000.0)),
        ("storm", What::Descriptors, Bound::AtMost(0.0)),
        ("pingpong", What::PerSecond, Bound::AtLeast(110_000.0)),
        ("pingpong", What::P99, Bound::AtMost(3.0)),
        ("login", What::Took, Bound::AtMost(10_000.0)),
        ("passwords", What::P99, Bound::AtMost(50.0)),
    ] {
        if let Some(row) = ours(scenario).last() {
            let told = format!("{scenario}, {}: {}", row.with, what.title());
            add(told, figure(row, what), bound);
        }
    }
    for row in ours("slow").iter().filter(|row| row.size > 0) {
        let with = &row.with;
        add(
            format!("{with}: the others' 99 %, times"),
            figure(row, What::Ratio),
            Bound::AtMost(1.05),
        );
        if row.size >= 100 {
            let each = figure(row, What::Growth)
                .map(|growth| growth * 100.0 / crate::outcome::float(row.size));
            add(format!("{with}: growth in MiB for each 100"), each, Bound::AtMost(1.0));
        }
    }
    for row in summary.0.iter().filter(|row| row.scenario == "durable") {
        let (with, rate, times) =
            (&row.with, figure(row, What::PerSecond), figure(row, What::Ratio));
        add(format!("durable, {with}: per s"), rate, Bound::AtLeast(50_000.0));
        add(format!("durable, {with}: against a bare commit"), times, Bound::AtMost(1.5));
    }
    targets
}

fn figure(row: &Row, what: What) -> Option<f64> {
    Some(row.figures.get(&what)?.median())
}

fn grown(from: &Row, to: &Row, what: What) -> Option<f64> {
    Some(figure(to, what)? / figure(from, what)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Figures, Finding, Outcome};

    #[test]
    fn a_target_is_met_or_missed_and_left_out_if_it_was_not_measured() {
        let outcome = |server, scenario: &str, with: &str, what, value| Outcome {
            scenario: scenario.to_owned(),
            server,
            finding: Finding::new(with, 100, Figures::from([(what, value)])),
        };
        let flight = "100 people, 16 in flight";
        let text = table(&Summary::of(&[
            outcome(Kind::Chat, "fanout", flight, What::CpuPerDelivery, 0.5),
            outcome(Kind::FloorBatch, "fanout", flight, What::CpuPerDelivery, 0.25),
            outcome(Kind::Chat, "connect", "100 people", What::PerSecond, 30_000.0),
            outcome(Kind::Chat, "rooms", "2 rooms", What::CpuPerDelivery, 1.0),
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
