//! The flags.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// A chat daemon: people reach it with telnet, nc or chat-cli.
#[derive(Debug, Default, Parser)]
#[command(
    name = "chat-server",
    version,
    after_help = "Examples:\n  chat-server\n  chat-server --listen '[::]:5002' --name chat.example.org\n  \
                  chat-server --config /etc/chat-server/config.toml\n\nThen: telnet 127.0.0.1 5002"
)]
pub struct Args {
    /// Listen for plain TCP there; port 0 takes a free one; may be given more than once [default:
    /// 127.0.0.1:5002]
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,

    /// Listen on a Unix socket there, too
    #[arg(long, value_name = "PATH")]
    pub unix: Option<PathBuf>,

    /// The server's name, for greetings [default: the machine's name]
    #[arg(long)]
    pub name: Option<String>,

    /// Show the lines of this file to whoever connects
    #[arg(long, value_name = "FILE")]
    pub motd: Option<PathBuf>,

    /// Read settings from this TOML file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The directory for what is kept [default: the service manager's, else the XDG state directory]
    #[arg(long, value_name = "PATH", conflicts_with = "ephemeral")]
    pub data: Option<PathBuf>,

    /// Keep nothing on disk
    #[arg(long)]
    pub ephemeral: bool,

    /// No pacing and no limits for each address: for benchmarks
    #[arg(long)]
    pub no_limits: bool,

    /// The form of the log on standard error [default: text]
    #[arg(long, value_name = "FORM")]
    pub log: Option<LogForm>,

    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
}
