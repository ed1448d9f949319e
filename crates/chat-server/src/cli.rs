//! The flags.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A chat daemon: people reach it with telnet, nc or chat-cli.
#[derive(Debug, Default, Parser)]
#[command(
    name = "chat-server",
    version,
    after_help = "Examples:\n  chat-server\n  chat-server --listen '[::]:5002' --name chat.example.org\n  \
                  chat-server --config /etc/chat-server/config.toml\n\nThen: telnet 127.0.0.1 5002"
)]
pub struct Args {
    /// What to do instead of serving
    #[command(subcommand)]
    pub tool: Option<Tool>,

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
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The directory for what is kept [default: the service manager's, else the XDG state directory]
    #[arg(long, value_name = "PATH", conflicts_with = "ephemeral", global = true)]
    pub data: Option<PathBuf>,

    /// Keep nothing on disk
    #[arg(long, global = true)]
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

/// What an operator does with a server's data.
#[derive(Clone, Debug, Subcommand)]
pub enum Tool {
    /// Copy everything that is stored to a file, also while the server runs
    Backup {
        /// A file that isn't there yet
        file: PathBuf,
    },
    /// Look at settings, directory, database and ports; each fault is told with its cure
    Check,
    /// Write the lines of one channel as JSON Lines
    Export {
        /// Which one, with or without its #
        #[arg(long, value_name = "NAME")]
        channel: String,
        /// A file that isn't there yet [default: standard output]
        file: Option<PathBuf>,
    },
    /// Write everything that is kept of one account, and every line that it wrote, as JSON Lines
    ExportUser {
        /// The account's name
        name: String,
        /// A file that isn't there yet [default: standard output]
        file: Option<PathBuf>,
    },
    /// Take in what export wrote; the server must be stopped
    Import {
        /// [default: standard input]
        file: Option<PathBuf>,
    },
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
