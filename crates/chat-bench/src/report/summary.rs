//! Repeated outcomes, combined.

use std::collections::BTreeMap;

use crate::outcome::{BenchOutcome, Measure};
use crate::subject::SubjectKind;

/// One row of a table.
pub(crate) struct SummaryRow {
    pub(crate) scenario: String,
    pub(crate) with: String,
    pub(crate) size: u64,
    pub(crate) server: SubjectKind,
    pub(crate) figures: BTreeMap<Measure, Spread>,
}

/// All rows, ordered by scenario, then by parameters, so that the servers are adjacent.
pub(crate) struct Summary(pub(crate) Vec<SummaryRow>);

/// The values of a figure that was measured several times, in order.
#[derive(Clone, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn median(&self) -> f64 {
        let (half, is_odd) = (self.0.len() / 2, self.0.len() % 2 == 1);
        match self.0.get(half) {
            None => 0.0,
            Some(middle) if is_odd => *middle,
            Some(middle) => f64::midpoint(self.0[half - 1], *middle),
        }
    }

    /// The minimum and the maximum.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|other| *other < value);
        self.0.insert(at, value);
    }
}

impl Summary {
    /// Combines outcomes.
    pub(crate) fn of(outcomes: &[BenchOutcome]) -> Self {
        let mut rows: Vec<SummaryRow> = Vec::new();
        // In order of first occurrence, so that tables have the order of measurement.
        let mut scenarios: Vec<&str> = Vec::new();
        let mut withs: Vec<(&str, &str)> = Vec::new();
        for outcome in outcomes {
            let (scenario, finding) = (outcome.scenario.as_str(), &outcome.finding);
            if !scenarios.contains(&scenario) {
                scenarios.push(scenario);
            }
            if !withs.contains(&(scenario, &finding.with)) {
                withs.push((scenario, &finding.with));
            }
            let same = |row: &&mut SummaryRow| {
                row.scenario == scenario && row.with == finding.with && row.server == outcome.server
            };
            let row = if let Some(row) = rows.iter_mut().find(same) {
                row
            } else {
                rows.push(SummaryRow {
                    scenario: scenario.to_owned(),
                    with: finding.with.clone(),
                    size: finding.size,
                    server: outcome.server,
                    figures: BTreeMap::new(),
                });
                let last = rows.len() - 1;
                &mut rows[last]
            };
            for (what, value) in &finding.figures {
                row.figures.entry(*what).or_default().add(*value);
            }
        }
        rows.sort_by_key(|row| {
            let scenario = scenarios.iter().position(|other| *other == row.scenario);
            let with = withs.iter().position(|other| *other == (&row.scenario, &row.with));
            (scenario, with, row.server)
        });
        Self(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Figures, Finding};

    fn outcome(scenario: &str, with: &str, server: SubjectKind, value: f64) -> BenchOutcome {
        let figures = Figures::from([(Measure::P99, value)]);
        let finding = Finding::new(with, 1, figures);
        BenchOutcome { scenario: scenario.to_owned(), server, finding }
    }

    #[test]
    fn outcomes_of_all_servers_are_combined_with_their_median() {
        let summary = Summary::of(&[
            outcome("b", "x", SubjectKind::Floor, 3.0),
            outcome("a", "x", SubjectKind::Chat, 1.0),
            outcome("b", "x", SubjectKind::Chat, 9.0),
            outcome("b", "x", SubjectKind::Floor, 1.0),
            outcome("b", "x", SubjectKind::Floor, 2.0),
            outcome("b", "x", SubjectKind::Chat, 7.0),
        ]);
        let rows: Vec<_> = summary
            .0
            .iter()
            .map(|row| {
                let spread = &row.figures[&Measure::P99];
                (row.scenario.as_str(), row.server, spread.median(), spread.ends())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("b", SubjectKind::Chat, 8.0, Some((7.0, 9.0))),
                ("b", SubjectKind::Floor, 2.0, Some((1.0, 3.0))),
                ("a", SubjectKind::Chat, 1.0, Some((1.0, 1.0))),
            ]
        );
    }
}
