//! What a scenario finds out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::subject::SubjectKind;

/// What a figure tells, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Processor time of the server for each arrival, in microseconds.
    CpuPerDelivery,
    /// Arrivals a second, in thousands.
    DeliveriesPerSecond,
    /// Times a second.
    PerSecond,
    /// Processor time of the server for each, in microseconds.
    CpuEach,
    /// Half of all were as fast, in milliseconds.
    Median,
    /// 99 of 100 were as fast, in milliseconds.
    P99,
    /// 999 of 1000 were as fast, in milliseconds.
    P999,
    /// The slowest, in milliseconds.
    Slowest,
    /// Lines that were to arrive and didn't.
    Lost,
    /// Connections that the server closed.
    Dropped,
    /// The server's memory, in mebibytes.
    Memory,
    /// Its memory for each person, in kilobytes of 1024 bytes.
    MemoryEach,
    /// How much its memory grew, in mebibytes.
    Growth,
    /// Descriptors that are open more than before.
    Descriptors,
    /// Of a core, with nothing to do, in percent.
    IdleCpu,
    /// The processor time of the load against that which passed, in percent. Near 100 the load is
    /// what was measured.
    LoadBusy,
    /// The processor time of the server against that which passed, in percent.
    ServerBusy,
    /// How long it took, in milliseconds.
    Took,
    /// How many times as much.
    Ratio,
}

impl Measure {
    /// What it is called in tables.
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
    /// What it was measured with: "100 people, 16 in flight".
    pub(crate) with: String,
    /// The number that plots are drawn over: people, or lines a second.
    pub(crate) size: u64,
    pub(crate) figures: Figures,
}

/// A finding and where it comes from.
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

/// As a number of a figure; what is lost by it no figure shows.
#[expect(clippy::cast_precision_loss, reason = "a figure has few digits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Bytes in mebibytes.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / f64::from(1 << 20)
}

/// What a load tells of how long lines were under way and how many there were.
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
