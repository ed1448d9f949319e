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

    /// Serve `chat-server admin` on a Unix socket there [default: admin.sock in the service manager's directory
    /// for sockets, else in that for what is kept]
    #[arg(long, value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,

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
    #[arg(long, value_name = "PATH", global = true)]
    pub data: Option<PathBuf>,

    /// Keep nothing on disk
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,

    /// No pacing and no limits for each address: for benchmarks
    #[arg(long)]
    pub no_limits: bool,

    /// The form of the log on standard error [default: text]
    #[arg(long, value_name = "FORM")]
    pub log: Option<LogFormat>,

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
    Check {
        /// As for a server that keeps nothing on disk
        #[arg(long, conflicts_with = "data")]
        ephemeral: bool,
    },
    /// Write the lines of one channel as JSON Lines
    Export {
        /// Which one, with or without its #
        #[arg(long, value_name = "NAME")]
        channel: String,
        /// A file that isn't there yet [default, and -: standard output]
        file: Option<PathBuf>,
    },
    /// Write everything that is kept of one account, and every line that it wrote, as JSON Lines
    ExportUser {
        /// The account's name
        name: String,
        /// A file that isn't there yet [default, and -: standard output]
        file: Option<PathBuf>,
    },
    /// Run a server that is up: its operators, who is kept out, invitations. Ends with 0 if it is done, 1 if it is
    /// refused, 2 if the command line is wrong, 3 if no server can be reached
    Admin(AdminArgs),
    /// Put a backup in place of what is stored, and keep that aside; the server must be stopped
    Restore {
        /// What backup wrote
        file: PathBuf,
    },
    /// Take in what export wrote; the server must be stopped
    Import {
        /// [default, and -: standard input]
        file: Option<PathBuf>,
    },
}

/// What an operator asks of a running server.
#[derive(Clone, Debug, clap::Args)]
pub struct AdminArgs {
    /// Answer with a JSON object a line, for programs
    #[arg(long, global = true)]
    pub json: bool,

    /// The server's admin socket [default: where a server with the same settings has it, else that of the
    /// service]
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,

    /// What is to be done
    #[command(subcommand)]
    pub wish: AdminSubcommand,
}

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
#[expect(missing_docs, reason = "each stands in the help")]
pub enum AdminSubcommand {
    /// Make an account an operator of the server
    Grant { name: String },
    /// Take that right from it
    Revoke { name: String },
    /// List the server's operators
    Operators,
    /// End every connection of a person
    Kill { user: String, reason: Vec<String> },
    /// Keep somebody out of the server
    Ban {
        /// A name, an address (192.0.2.7), a net (10.0.0.0/8) or a pattern (spam*bot)
        target: String,
        /// For so long, as in 30s, 10m, 2h, 7d or 2w [default: until it is ended]
        #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true)]
        period: Option<String>,
        reason: Vec<String>,
    },
    /// Let them in again
    Unban { target: String },
    /// List who is kept out
    Bans,
    /// Tell something to everybody here
    Announce {
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Tell how the server is doing
    Stats,
    /// Make a code that lets somebody register
    Invitation,
    /// List the invitations that nobody has used; the codes themselves are not kept
    Invitations,
    /// List what operators did, oldest first
    Log {
        /// So many of the newest [default: all that are kept]
        count: Option<usize>,
    },
    /// Give an account a new password, which is shown, and sign it out everywhere
    ResetPassword { name: String },
    /// Make somebody an operator of a channel
    Op { channel: String, user: String },
    /// End a channel, with everything said in it
    Drop { channel: String, reason: Vec<String> },
    /// List connections: number, name, account, address, since when, idle for how long, kind of client
    Users {
        #[command(flatten)]
        page: ListOptions,
        /// Those after this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
    },
    /// List accounts
    Accounts {
        #[command(flatten)]
        page: ListOptions,
        /// Those after this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// List channels, also hidden ones
    Channels {
        #[command(flatten)]
        page: ListOptions,
        /// Those after this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Erase an account with all that it wrote, as its owner can with /forget
    DeleteAccount { name: String },
}

/// Which rows of a list are wanted.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only names that contain this
    pub part: Option<String>,
    /// So many rows at most [default and most: 1000]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
}
