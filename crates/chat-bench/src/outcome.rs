//! The results of a scenario.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::subject::SubjectKind;

/// What a figure measures, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Processor time of the server per delivery, in microseconds.
    CpuPerDelivery,
    /// Deliveries a second, in thousands.
    DeliveriesPerSecond,
    /// Operations a second.
    PerSecond,
    /// Processor time of the server per operation, in microseconds.
    CpuEach,
    /// Median latency, in milliseconds.
    Median,
    /// 99th percentile of the latency, in milliseconds.
    P99,
    /// 99.9th percentile of the latency, in milliseconds.
    P999,
    /// Maximum latency, in milliseconds.
    Slowest,
    /// Expected deliveries that didn't arrive.
    Lost,
    /// Connections that the server closed.
    Dropped,
    /// The server's memory, in mebibytes.
    Memory,
    /// Its memory per client, in kilobytes of 1024 bytes.
    MemoryEach,
    /// Growth of its memory, in mebibytes.
    Growth,
    /// Growth of the number of open descriptors.
    Descriptors,
    /// Processor time of an idle server, in percent of a core.
    IdleCpu,
    /// Processor time of the load generator, in percent of the elapsed time. Near 100 the load
    /// generator is the bottleneck.
    LoadBusy,
    /// Processor time of the server, in percent of the elapsed time.
    ServerBusy,
    /// Duration, in milliseconds.
    Took,
    /// A ratio of two figures.
    Ratio,
}

impl Measure {
    /// Its column head in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::CpuPerDelivery => "CPU-µs per delivery",
            Self::DeliveriesPerSecond => "thousand deliveries/s",
            Self::PerSecond => "per s",
            Self::CpuEach => "CPU-µs each",
            Self::Median => "50 %, ms",
            Self::P99 => "99 %, ms",
            Self::P999 => "99.9 %, ms",
            Self::Slowest => "slowest, ms",
            Self::Lost => "lost",
            Self::Dropped => "dropped",
            Self::Memory => "memory, MiB",
            Self::MemoryEach => "memory each, KB",
            Self::Growth => "growth, MiB",
            Self::Descriptors => "descriptors left",
            Self::IdleCpu => "idle CPU, %",
            Self::LoadBusy => "load busy, %",
            Self::ServerBusy => "server busy, %",
            Self::Took => "took, ms",
            Self::Ratio => "times",
        }
    }
}

/// Figures of one measurement.
pub(crate) type Figures = BTreeMap<Measure, f64>;

/// One measurement of a scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The parameters: "100 people, 16 in flight".
    pub(crate) with: String,
    /// The x value in plots: clients, or messages a second.
    pub(crate) size: u64,
    pub(crate) figures: Figures,
}

/// A finding with its scenario and server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BenchOutcome {
    pub(crate) scenario: String,
    pub(crate) server: SubjectKind,
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

impl Finding {
    pub(crate) fn new(with: impl Into<String>, size: usize, figures: Figures) -> Self {
        Self { with: with.into(), size: size as u64, figures }
    }
}

/// A count as the value of a figure. The lost precision is below the digits that are shown.
#[expect(clippy::cast_precision_loss, reason = "a figure has few digits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Bytes in mebibytes.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / f64::from(1 << 20)
}

/// The figures of a load: deliveries and latencies.
pub(crate) fn of_load(load: &Load) -> Figures {
    let millis = |quantile| float(load.latency.value_at_quantile(quantile)) / 1e6;
    Figures::from([
        (Measure::DeliveriesPerSecond, float(load.deliveries) / load.lasted.as_secs_f64() / 1e3),
        (Measure::Median, millis(0.5)),
        (Measure::P99, millis(0.99)),
        (Measure::P999, millis(0.999)),
        (Measure::Slowest, float(load.latency.max()) / 1e6),
        (Measure::Lost, float(load.lost)),
        (Measure::Dropped, float(load.dropped as u64)),
    ])
}
