//! Plots in SVG.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Circle, EmptyElement, IntoDrawingArea as _, IntoLogRange as _, LineSeries,
    PathElement, RGBColor, SVGBackend, Text, WHITE,
};
use plotters::style::Color as _;

use super::summary::Summary;
use crate::outcome::{Measure, float};
use crate::subject::SubjectKind;

/// A plot of a figure over [`Finding::size`](crate::outcome::Finding::size).
pub(crate) struct Plot {
    /// The file's name without its extension.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    scenario: &'static str,
    /// The suffix of [`Finding::with`](crate::outcome::Finding::with) that selects the rows.
    with: &'static str,
    across: &'static str,
    up: Measure,
    /// Whether both axes are logarithmic.
    is_log: bool,
}

/// The plots of a report.
pub(crate) const PLOTS: [Plot; 3] = [
    Plot {
        file: "latency",
        title: "Latency against load: one room of 100 people",
        scenario: "load",
        with: "",
        across: "lines a second",
        up: Measure::P99,
        is_log: true,
    },
    Plot {
        file: "cost",
        title: "Cost against people: one room, 16 lines in flight",
        scenario: "fanout",
        with: "people, 16 in flight",
        across: "people in the room",
        up: Measure::CpuPerDelivery,
        is_log: true,
    },
    Plot {
        file: "memory",
        title: "Memory against people: each in one room, doing nothing",
        scenario: "idle",
        with: "",
        across: "people",
        up: Measure::Memory,
        is_log: false,
    },
];

const SIZE: (u32, u32) = (860, 460);
/// Width of the legend, which is part of it.
const LEGEND: u32 = 170;

/// Colours that people with colour blindness can distinguish (Okabe and Ito).
fn colour(kind: SubjectKind) -> RGBColor {
    match kind {
        SubjectKind::Chat => RGBColor(213, 94, 0),
        SubjectKind::ChatJson => RGBColor(230, 159, 0),
        SubjectKind::Floor => RGBColor(153, 153, 153),
        SubjectKind::FloorBatch => RGBColor(0, 0, 0),
        SubjectKind::Ngircd => RGBColor(0, 158, 115),
        SubjectKind::Inspircd => RGBColor(0, 114, 178),
        SubjectKind::Other => RGBColor(204, 121, 167),
    }
}

type PlotLine = (SubjectKind, Vec<(f64, f64)>);

impl Plot {
    /// Draws the plot into a folder. Returns false, and draws nothing, if nothing was measured for
    /// it.
    pub(crate) fn draw(&self, summary: &Summary, folder: &Path) -> anyhow::Result<bool> {
        let lines = self.lines(summary);
        let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
        if points().next().is_none() {
            return Ok(false);
        }
        let ends = |values: Vec<f64>| {
            values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(*value), most.max(*value))
            })
        };
        let (left, right) = ends(points().map(|(across, _)| across).collect());
        let (low, high) = ends(points().map(|(_, up)| up).collect());
        let path = folder.join(format!("{}.svg", self.file));
        let drawn = if self.is_log {
            let across = (left * 0.8..right * 1.25).log_scale();
            // Whole powers of ten, so that at least two of them have labels.
            let up = 10_f64.powf(low.log10().floor())..10_f64.powf(high.log10().ceil());
            self.draw_over(&path, across, up.log_scale(), &lines)
        } else {
            self.draw_over(&path, 0.0..right * 1.05, 0.0..high * 1.1, &lines)
        };
        drawn.with_context(|| format!("drawing {}", path.display()))?;
        Ok(true)
    }

    fn lines(&self, summary: &Summary) -> Vec<PlotLine> {
        let mut lines: Vec<PlotLine> = Vec::new();
        for row in &summary.0 {
            let is_shown = row.scenario == self.scenario && row.with.ends_with(self.with);
            let Some(figure) = row.figures.get(&self.up).filter(|_| is_shown) else { continue };
            // A logarithmic axis has no zero.
            let up = if self.is_log { figure.median().max(1e-4) } else { figure.median() };
            let point = (float(row.size), up);
            match lines.iter_mut().find(|(kind, _)| *kind == row.server) {
                Some((_, points)) => points.push(point),
                None => lines.push((row.server, vec![point])),
            }
        }
        for (_, points) in &mut lines {
            points.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        lines
    }

    fn draw_over<X, Y>(
        &self,
        path: &Path,
        across: X,
        up: Y,
        lines: &[PlotLine],
    ) -> anyhow::Result<()>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let wrong = |error: &dyn std::fmt::Display| anyhow!("{error}");
        let whole = SVGBackend::new(path, SIZE).into_drawing_area();
        whole.fill(&WHITE).map_err(|error| wrong(&error))?;
        // The legend is beside the plot, where it covers no line.
        let (area, legend) = whole.split_horizontally(SIZE.0 - LEGEND);
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(across, up)
            .map_err(|error| wrong(&error))?;
        chart
            .configure_mesh()
            .x_desc(self.across)
            .y_desc(self.up.title())
            .x_labels(6)
            .y_labels(8)
            .x_label_formatter(&|value| label(*value))
            .y_label_formatter(&|value| label(*value))
            .max_light_lines(0)
            .draw()
            .map_err(|error| wrong(&error))?;
        for ((kind, points), down) in lines.iter().zip((60..).step_by(24)) {
            let colour = colour(*kind);
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line).map_err(|error| wrong(&error))?;
            let dots = points
                .iter()
                .map(|point| EmptyElement::at(*point) + Circle::new((0, 0), 3, colour.filled()));
            chart.draw_series(dots).map_err(|error| wrong(&error))?;
            let sample = PathElement::new([(4, down), (26, down)], colour.stroke_width(3));
            legend.draw(&sample).map_err(|error| wrong(&error))?;
            let name = Text::new(kind.title(), (34, down - 6), ("sans-serif", 14));
            legend.draw(&name).map_err(|error| wrong(&error))?;
        }
        whole.present().map_err(|error| wrong(&error))
    }
}

/// A number at an axis, with few digits.
fn label(value: f64) -> String {
    if value >= 1000.0 { format!("{}k", value / 1000.0) } else { format!("{value}") }
}
