//! The report: each scenario with each server that supports it, several times, as JSON and as a
//! page with tables and plots.
//!
//! * [`summary`]: repeated outcomes, combined.
//! * [`table`]: tables in Markdown.
//! * [`targets`]: the performance targets.
//! * [`plot`]: plots in SVG.
//! * [`page`]: the page that holds the report.
//! * [`machine`]: the machine and the versions of the programs.

mod machine;
mod page;
mod plot;
pub(crate) mod summary;
pub(crate) mod table;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use self::machine::MachineInfo;
use self::plot::PLOTS;
use self::summary::Summary;
use crate::outcome::BenchOutcome;
use crate::plan::{self, Scale};
use crate::scenario::{Bench, Scenario};
use crate::subject::SubjectKind;

/// Run all scenarios with all installed servers, and write a page with tables and plots
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BenchReport {
    /// The page; its plots go into the folder of the same name beside it [default:
    /// docs/benchmarks.md; with --quick and --smoke report.md in the folder of the data]
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Number of measurements of each scenario [default: 3; with --quick and --smoke 1]
    #[arg(long)]
    repeats: Option<usize>,
    /// Run these scenarios only
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure nothing: write the page from these results
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// The stored results of a report.
#[derive(Serialize, Deserialize)]
struct Results {
    machine: MachineInfo,
    outcomes: Vec<BenchOutcome>,
    failures: Vec<FailedScenario>,
}

/// A scenario that failed with a server.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
struct FailedScenario {
    scenario: String,
    server: SubjectKind,
    why: String,
}

impl BenchReport {
    /// Measures, and writes the page.
    pub(crate) fn run(
        &self,
        bench: &Bench,
        scale: Scale,
        kinds: &[SubjectKind],
    ) -> anyhow::Result<()> {
        let page = self.page.clone().unwrap_or_else(|| match scale {
            Scale::Full => PathBuf::from("docs/benchmarks.md"),
            Scale::Quick | Scale::Smoke => bench.folder.join("report.md"),
        });
        let results = if let Some(from) = &self.from {
            let read =
                fs::read_to_string(from).with_context(|| format!("reading {}", from.display()))?;
            serde_json::from_str(&read)?
        } else {
            self.measure(bench, scale, kinds)?
        };
        write(&results, &page)?;
        let ours = results.failures.iter().filter(|failure| failure.server.is_ours());
        let ours: Vec<String> =
            ours.map(|failure| format!("{}: {}", failure.scenario, failure.why)).collect();
        ensure!(ours.is_empty(), "chat-server failed:\n{}", ours.join("\n"));
        Ok(())
    }

    fn measure(
        &self,
        bench: &Bench,
        scale: Scale,
        kinds: &[SubjectKind],
    ) -> anyhow::Result<Results> {
        build_the_server()?;
        let kinds = present(kinds);
        let mut scenarios = plan::scenarios(scale);
        scenarios.retain(|scenario| {
            self.only.is_empty() || self.only.iter().any(|only| only == scenario.name())
        });
        let repeats = self.repeats.unwrap_or(if scale == Scale::Full { 3 } else { 1 });
        let all =
            scenarios.iter().flat_map(|scenario| kinds.iter().map(move |kind| (scenario, *kind)));
        let sentence = all.filter(|(scenario, kind)| is_measured(scenario.as_ref(), *kind));
        let runs: Vec<_> =
            (0..).zip(sentence).map(|(at, (scenario, kind))| (at, scenario, kind)).collect();
        let mut failed = vec![false; runs.len()];
        let bar = ProgressBar::new((runs.len() * repeats) as u64).with_style(
            ProgressStyle::with_template(
                "{elapsed_precise} {bar:32} {pos}/{len}, {eta} left: {msg}",
            )?,
        );
        let mut results = Results {
            machine: MachineInfo::this(&kinds)?,
            outcomes: Vec::new(),
            failures: Vec::new(),
        };
        for repeat in 0..repeats {
            // Every second repeat runs in reverse order, so that no server always runs first.
            let turns: Vec<_> =
                if repeat % 2 == 0 { runs.clone() } else { runs.iter().rev().copied().collect() };
            for (at, scenario, kind) in turns {
                bar.set_message(format!("{} {}", scenario.name(), kind.title()));
                // A scenario that failed once isn't repeated: a failure takes long.
                if !failed[at] {
                    failed[at] = !results.add(scenario.as_ref(), kind, bench);
                }
                bar.inc(1);
            }
            // Written after each repeat, so that an interrupted report leaves its results.
            let path = bench.folder.join("results.json");
            fs::write(path, serde_json::to_string_pretty(&results)?)?;
        }
        bar.finish_with_message("done");
        Ok(results)
    }
}

impl Results {
    /// Runs a scenario; returns whether it succeeded.
    fn add(&mut self, scenario: &dyn Scenario, server: SubjectKind, bench: &Bench) -> bool {
        let name = scenario.name().to_owned();
        let ran = scenario.run(bench, server);
        let could = ran.is_ok();
        match ran {
            Ok(findings) => {
                self.outcomes.extend(findings.into_iter().map(|finding| BenchOutcome {
                    scenario: name.clone(),
                    server,
                    finding,
                }));
            }
            Err(error) => {
                let failure = FailedScenario {
                    scenario: name,
                    server,
                    why: format!("{error:#}; {scenario:?}"),
                };
                if !self.failures.contains(&failure) {
                    self.failures.push(failure);
                }
            }
        }
        could
    }
}

/// The JSON format is measured where it makes a difference.
fn is_measured(scenario: &dyn Scenario, kind: SubjectKind) -> bool {
    let in_json = ["fanout", "durable", "history"].contains(&scenario.name());
    scenario.suits(kind) && (kind != SubjectKind::ChatJson || in_json)
}

/// The requested servers that are installed.
#[expect(clippy::print_stderr, reason = "progress at the terminal")]
fn present(asked: &[SubjectKind]) -> Vec<SubjectKind> {
    let asked = if asked.is_empty() { &SubjectKind::STARTED[..] } else { asked };
    let (there, missing): (Vec<_>, Vec<_>) =
        asked.iter().copied().partition(|kind| kind.program().is_some());
    for kind in missing {
        eprintln!("{} is not measured: {}", kind.title(), kind.how_to_get());
    }
    there
}

/// Under cargo, builds the server in the profile of this program, so that both have the same
/// source.
fn build_the_server() -> anyhow::Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let own = std::env::current_exe()?;
    let is_release = own.ancestors().any(|folder| folder.ends_with("release"));
    if !is_release {
        return Ok(());
    }
    let built = Command::new(cargo).args(["build", "--release", "-p", "chat-server"]).status()?;
    ensure!(built.success(), "chat-server can't be built");
    Ok(())
}

fn write(results: &Results, path: &Path) -> anyhow::Result<()> {
    let summary = Summary::of(&results.outcomes);
    let name = path.file_stem().context("the page needs a name")?;
    let plots = path.with_file_name(name);
    fs::create_dir_all(&plots)?;
    let mut parts = vec![results.machine.sentence(), targets::table(&summary)];
    for plot in &PLOTS {
        if plot.draw(&summary, &plots)? {
            let name = name.to_string_lossy();
            parts.push(format!("![{}]({name}/{}.svg)", plot.title, plot.file));
        }
    }
    parts.push(table::of(&summary));
    if !results.failures.is_empty() {
        parts.push("### Not done".to_owned());
        parts.push(
            results.failures.iter().map(FailedScenario::sentence).collect::<Vec<_>>().join("\n"),
        );
    }
    parts.retain(|part| !part.is_empty());
    page::write(path, &parts.join("\n\n"))
}

impl FailedScenario {
    fn sentence(&self) -> String {
        let why = self.why.replace(['\r', '\n'], " ");
        format!("- {}, {}: {why}", self.scenario, self.server.title())
    }
}
