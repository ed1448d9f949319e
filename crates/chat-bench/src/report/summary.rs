//! Many outcomes of the same thing, put together.

use std::collections::BTreeMap;

use crate::outcome::{Outcome, What};
use crate::subject::Kind;

/// One line of a table.
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) with: String,
    pub(crate) size: u64,
    pub(crate) server: Kind,
    pub(crate) figures: BTreeMap<What, Spread>,
}

/// All rows, scenario by scenario, and in each the same thing of all servers side by side.
pub(crate) struct Summary(pub(crate) Vec<Row>);

/// A figure that was measured several times.
#[derive(Clone, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        let (half, is_odd) = (self.0.len() / 2, self.0.len() % 2 == 1);
        match self.0.get(half) {
            None => 0.0,
            Some(middle) if is_odd => *middle,
            Some(middle) => f64::midpoint(self.0[half - 1], *middle),
        }
    }

    /// The least and the greatest.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|other| *other < value);
        self.0.insert(at, value);
    }
}

impl Summary {
    /// Puts outcomes together.
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        // Where each first occurred, so that tables have the order in which things were measured.
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
            let same = |row: &&mut Row| {
                row.scenario == scenario && row.with == finding.with && row.server == outcome.server
            };
            let row = if let Some(row) = rows.iter_mut().find(same) {
                row
            } else {
                rows.push(Row {
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

    fn outcome(scenario: &str, with: &str, server: Kind, value: f64) -> Outcome {
        let figures = Figures::from([(What::P99, value)]);
        let finding = Finding::new(with, 1, figures);
        Outcome { scenario: scenario.to_owned(), server, finding }
    }

    #[test]
    fn the_same_of_all_servers_stands_together_with_its_median() {
        let summary = Summary::of(&[
            outcome("b", "x", Kind::Floor, 3.0),
            outcome("a", "x", Kind::Chat, 1.0),
            outcome("b", "x", Kind::Chat, 9.0),
            outcome("b", "x", Kind::Floor, 1.0),
            outcome("b", "x", Kind::Floor, 2.0),
            outcome("b", "x", Kind::Chat, 7.0),
        ]);
        let rows: Vec<_> = summary
            .0
            .iter()
            .map(|row| {
                let spread = &row.figures[&What::P99];
                (row.scenario.as_str(), row.server, spread.median(), spread.ends())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("b", Kind::Chat, 8.0, Some((7.0, 9.0))),
                ("b", Kind::Floor, 2.0, Some((1.0, 3.0))),
                ("a", Kind::Chat, 1.0, Some((1.0, 1.0))),
            ]
        );
    }
}
