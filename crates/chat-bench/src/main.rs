//! Load for chat-server: each figure that is published can be measured again with one command.
//!
//! * [`server`]: the real server as a child, and a client that counts.
//! * [`durable`]: how fast lines become durable.
//! * [`history`]: how fast the past of many lines is read and searched.
//! * [`words`]: texts, and what is measured in words.

mod durable;
mod history;
mod server;
mod words;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "chat-bench", version, about)]
struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Lines a second from many senders; one sender against a bare SQLite commit
    Durable {
        /// Where the data goes; the disk that is measured
        #[arg(long, default_value = "target/bench")]
        data: PathBuf,
        /// Only whether it works
        #[arg(long)]
        smoke: bool,
    },
    /// History, entry and search with many lines stored
    History {
        /// How many
        #[arg(long, default_value_t = 10_000_000)]
        lines: u64,
        /// Where they are; made if they aren't there, and left
        #[arg(long, default_value = "target/bench/history")]
        data: PathBuf,
        /// Only whether it works
        #[arg(long)]
        smoke: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // One thread, so that the server has a core of its own where there are two.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.scenario {
            Scenario::Durable { data, smoke } => durable::run(&data, smoke).await,
            Scenario::History { lines, data, smoke } => history::run(lines, &data, smoke).await,
        }
    })
}
