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
pub struct ServerArgs {
    /// A tool to run instead of the server
    #[command(subcommand)]
    pub tool: Option<Tool>,

    /// Listen for plain TCP on this address; port 0 picks a free port; may be repeated [default:
    /// 127.0.0.1:5002]
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,

    /// Listen on a Unix socket at this path, too
    #[arg(long, value_name = "PATH")]
    pub unix: Option<PathBuf>,

    /// Serve `chat-server admin` on a Unix socket at this path [default: admin.sock in the service
    /// manager's runtime directory, else in the data directory]
    #[arg(long, value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,

    /// The server's name, for greetings [default: the machine's name]
    #[arg(long)]
    pub name: Option<String>,

    /// Show the lines of this file to every new connection
    #[arg(long, value_name = "FILE")]
    pub motd: Option<PathBuf>,

    /// Read settings from this TOML file; flags win over it
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The data directory [default: the service manager's, else the XDG state directory]
    #[arg(long, value_name = "PATH", global = true)]
    pub data: Option<PathBuf>,

    /// Store nothing on disk
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,

    /// No rate limits and no limits for each address: for benchmarks
    #[arg(long)]
    pub no_limits: bool,

    /// The format of the log on standard error [default: text]
    #[arg(long, value_name = "FORM")]
    pub log: Option<LogFormat>,

    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The operator's tools.
#[derive(Clone, Debug, Subcommand)]
pub enum Tool {
    /// Copy the database to a file, also while the server runs
    Backup {
        /// A file that doesn't exist yet
        file: PathBuf,
    },
    /// Check settings, directory, database and ports; each fault comes with its remedy
    Check {
        /// Check as for a server that stores nothing on disk
        #[arg(long, conflicts_with = "data")]
        ephemeral: bool,
    },
    /// Write the messages of one channel as JSON Lines
    Export {
        /// The channel, with or without its #
        #[arg(long, value_name = "NAME")]
        channel: String,
        /// A file that doesn't exist yet [default, and -: standard output]
        file: Option<PathBuf>,
    },
    /// Write everything stored about one account, and its messages, as JSON Lines
    ExportUser {
        /// The account's name
        name: String,
        /// A file that doesn't exist yet [default, and -: standard output]
        file: Option<PathBuf>,
    },
    /// Operate a running server: its operators, bans, invitations. Exits with 0 if the request is
    /// done, 1 if it is refused, 2 if the command line is wrong, 3 if no server can be reached
    Admin(AdminArgs),
    /// Replace the database by a backup, and move the old one aside; the server must be stopped
    Restore {
        /// A file written by backup
        file: PathBuf,
    },
    /// Import a file written by export; the server must be stopped
    Import {
        /// [default, and -: standard input]
        file: Option<PathBuf>,
    },
}

/// Arguments of `chat-server admin`.
#[derive(Clone, Debug, clap::Args)]
pub struct AdminArgs {
    /// Print one JSON object a line, for programs
    #[arg(long, global = true)]
    pub json: bool,

    /// The server's admin socket [default: that of a server with the same settings, else that of
    /// the service]
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,

    /// The request
    #[command(subcommand)]
    pub command: AdminSubcommand,
}

/// A request to the running server.
#[derive(Clone, Debug, Subcommand)]
#[expect(missing_docs, reason = "the help describes each")]
pub enum AdminSubcommand {
    /// Make an account an operator of the server
    Grant { name: String },
    /// Take the operator's rights from an account
    Revoke { name: String },
    /// List the server's operators
    Operators,
    /// End every connection of a user
    Kill { user: String, reason: Vec<String> },
    /// Ban a user, an address, a net or a pattern from the server
    Ban {
        /// A name, an address (192.0.2.7), a net (10.0.0.0/8) or a pattern (spam*bot)
        target: String,
        /// How long, as in 30s, 10m, 2h, 7d or 2w [default: until it is ended]
        #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true)]
        period: Option<String>,
        reason: Vec<String>,
    },
    /// End a ban
    Unban { target: String },
    /// List the bans
    Bans,
    /// Send a notice to every client
    Announce {
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Show figures of the server
    Stats,
    /// Create a code for one registration
    Invitation,
    /// List unused invitations; their codes aren't stored
    Invitations,
    /// List the actions of operators, oldest first
    Log {
        /// Only the newest COUNT [default: all that are stored]
        count: Option<usize>,
    },
    /// Give an account a new password, which is printed, and sign it out everywhere
    ResetPassword { name: String },
    /// Make a user an operator of a channel
    Op { channel: String, user: String },
    /// End a channel and delete its messages
    Drop { channel: String, reason: Vec<String> },
    /// List connections: number, name, account, address, start, idle time, kind of client
    Users {
        #[command(flatten)]
        page: ListOptions,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
    },
    /// List accounts
    Accounts {
        #[command(flatten)]
        page: ListOptions,
        /// Only those after this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// List channels, also hidden ones
    Channels {
        #[command(flatten)]
        page: ListOptions,
        /// Only those after this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Erase an account and its messages, as its owner can with /forget
    DeleteAccount { name: String },
}

/// The page of a list.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only names that contain this
    pub part: Option<String>,
    /// Maximum number of rows [default and maximum: 1000]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}
