//! Settings: first as they are written, then checked.
//!
//! [`mod@file`] is the TOML file as it is written; [`listen`] resolves addresses; [`Config`] is what the flags and the file make
//! together, and cannot be half right.

pub mod file;
mod greeting;
pub mod listen;
mod problem;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chat_proto::limits::MAX_HISTORY_LINES;
use chat_proto::name::ChannelName;
use chat_proto::setting::ChannelSetting;

use crate::cli::{ServerArgs, Tool};
use crate::commit::retention::{Retention, RetentionRule};
use crate::conn::{ConnectionConfig, ThrottleConfig};
use crate::hub::limits::{LINE, Limits, Quotas, RateLimit, RegistrationMode};
use crate::store::{Durability, StoreLocation};

use self::file::ConfigFile;
use self::listen::Listen;

/// Where a server listens if nothing else is said.
const DEFAULT_LISTEN: &str = "127.0.0.1:5002";

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen for plain TCP.
    pub listen: Vec<Listen>,
    /// Where to listen on a Unix socket.
    pub unix: Option<PathBuf>,
    /// Where operators of the server are served from the shell.
    pub admin: Option<AdminSocket>,
    /// The server's name.
    pub name: String,
    /// What is shown to whoever connects, line by line.
    pub motd: Vec<String>,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// How connections are treated.
    pub connection_config: ConnectionConfig,
    /// The bounds of the hub.
    pub bounds: Limits,
    /// How long comings and goings of a large channel are gathered.
    pub presence_every: Duration,
    /// MiB of the disk that are to be free; with less only accounts write. 0: it isn't looked at.
    pub free_disk: u64,
    /// Where lines are kept.
    pub place: StoreLocation,
    /// What an `ok` survives.
    pub durability: Durability,
    /// How long lines are kept.
    pub retention: Retention,
}

/// The socket of `chat-server admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Somebody wants it there: without it the server doesn't start.
    pub is_wanted: bool,
}

/// Why settings can't be used: what is wrong, where, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{path} can't be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not as a settings file must be.
    #[error("{path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// An address to listen on.
    #[error("\"{address}\" is no address to listen on; write it as 127.0.0.1:5002 or [::]:5002")]
    Address {
        /// As it was written.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A path where an address should be.
    #[error("\"{path}\" is no address to listen on; --unix takes the path of a Unix socket")]
    PathAsAddress {
        /// As it was written.
        path: String,
    },
    /// Two addresses of which one socket takes the connections.
    #[error(
        "\"{one}\" and \"{other}\" are the same address to listen on, or one is a part of the other; leave one out"
    )]
    SameAddress {
        /// As it was written.
        one: String,
        /// The other one.
        other: String,
    },
    /// Two sockets in one place.
    #[error("{path} can't be both the Unix socket (unix) and the admin socket (admin_socket)")]
    SameSocket {
        /// Where.
        path: PathBuf,
    },
    /// A number that can't be meant.
    #[error("{key} must be from {least} to {most}; leave it out for the usual {usual}")]
    OutOfBounds {
        /// The setting.
        key: String,
        /// The smallest that can be meant.
        least: u64,
        /// The largest that can be meant.
        most: u64,
        /// Its default.
        usual: u64,
    },
    /// A channel of which the file says how long its lines are kept.
    #[error("history.channels.\"{name}\": no channel can have this name; write it as \"#general\"")]
    Channel {
        /// As it was written.
        name: String,
    },
    /// Nowhere to keep anything.
    #[error(
        "there is no directory for what is kept; give one with --data (a server can also keep nothing: --ephemeral)"
    )]
    NoPlace,
    /// No door.
    #[error("there is nowhere to listen; give listen an address, or unix a path")]
    NoDoor,
}

impl Config {
    /// Puts flags and file together; flags win.
    pub fn check(args: &ServerArgs, file: ConfigFile) -> Result<Self, ConfigError> {
        let ConfigFile {
            listen,
            unix,
            name,
            motd,
            limits,
            accounts,
            channels,
            admin_socket: admin_socket_in_file,
            log: _,
            data,
            ephemeral,
            durability,
            history,
        } = file;
        let kept_in = place(args, data, ephemeral)?;
        let listen = match (args.listen.is_empty(), listen) {
            (false, _) => args.listen.clone(),
            (true, Some(listen)) => listen,
            (true, None) => vec![DEFAULT_LISTEN.to_owned()],
        };
        let unix = args.unix.clone().or(unix);
        if listen.is_empty() && unix.is_none() {
            return Err(ConfigError::NoDoor);
        }
        let admin = admin_socket(args.admin_socket.clone().or(admin_socket_in_file), &kept_in);
        if let Some(path) =
            unix.clone().filter(|path| admin.as_ref().is_some_and(|a| a.path == *path))
        {
            return Err(ConfigError::SameSocket { path });
        }
        let name = args.name.clone().or(name);
        let name = name.as_deref().and_then(greeting::name).unwrap_or_else(machine_name);
        // Other tools work without them, and whatever becomes of names in the network.
        let serves = matches!(args.tool, None | Some(Tool::Check { .. }));
        let motd = match args.motd.clone().or(motd).filter(|_| serves) {
            Some(path) => {
                greeting::motd(&path).map_err(|source| ConfigError::Unreadable { path, source })?
            }
            None => Vec::new(),
        };
        let listen = if serves { listen::resolve(&listen)? } else { Vec::new() };
        let seconds = |value, key, usual| -> Result<Duration, ConfigError> {
            Ok(Duration::from_secs(bounded(value, key, 1..=MAX_SECONDS, usual)?))
        };
        let count = |value, key, usual| -> Result<usize, ConfigError> {
            Ok(usize::try_from(bounded(value, key, 1..=MAX_COUNT, usual)?).unwrap_or(usize::MAX))
        };
        let rate = |value, key, usual| -> Result<u32, ConfigError> {
            Ok(u32::try_from(bounded(value, key, 1..=MAX_RATE, usual)?).unwrap_or(u32::MAX))
        };
        let pace = ThrottleConfig {
            burst: rate(limits.burst_lines, "limits.burst_lines", 100)?,
            per_second: rate(limits.lines_per_second, "limits.lines_per_second", 10)?,
        };
        let mib = |value, key, usual| -> Result<u64, ConfigError> {
            Ok(bounded(value, key, 1..=MAX_RATE, usual)? << 20)
        };
        let per_address =
            count(limits.connections_per_address, "limits.connections_per_address", 64)?;
        let bytes = |value, key, usual| bounded(value, key, 0..=MAX_RATE, usual);
        let drain = bytes(limits.drain_bytes_per_second, "limits.drain_bytes_per_second", 128)?;
        let free_disk = bytes(limits.free_disk_mib, "limits.free_disk_mib", 256)?;
        let drain_rate = usize::try_from(drain).unwrap_or(usize::MAX);
        let in_bell = |value, key, usual| bounded(value, key, 1..=MAX_CONVERSATIONS, usual);
        let hours = |value, key, usual| bounded(value, key, 0..=MAX_HOURS, usual);
        let empty_hours = hours(limits.empty_channel_hours, "limits.empty_channel_hours", 0)?;
        let replayed = |value, key, usual| bounded(value, key, 0..=MAX_HISTORY_LINES.into(), usual);
        let replay_lines = replayed(history.replay_lines, "history.replay_lines", 20)?;
        let conversations = in_bell(limits.conversations, "limits.conversations", 50)?;
        let shares = Quotas {
            channels_per_account: count(
                limits.channels_per_account,
                "limits.channels_per_account",
                500,
            )?,
            channels_per_address: count(
                limits.channels_per_address,
                "limits.channels_per_address",
                1000,
            )?,
            channels_per_hour: rate(limits.channels_per_hour, "limits.channels_per_hour", 240)?,
            accounts_per_hour: rate(limits.accounts_per_hour, "limits.accounts_per_hour", 120)?,
            invitations_per_hour: rate(
                limits.invitations_per_hour,
                "limits.invitations_per_hour",
                480,
            )?,
            accounts: count(limits.accounts, "limits.accounts", 200_000)?,
            rules_per_owner: count(limits.rules_per_owner, "limits.rules_per_owner", 10_000)?,
            rules: count(limits.rules, "limits.rules", 100_000)?,
            private_chats_per_hour: rate(
                limits.private_chats_per_hour,
                "limits.private_chats_per_hour",
                960,
            )?,
            renames_per_hour: rate(limits.renames_per_hour, "limits.renames_per_hour", 480)?,
            topics_per_hour: rate(limits.topics_per_hour, "limits.topics_per_hour", 480)?,
            moderation_per_hour: rate(
                limits.moderation_per_hour,
                "limits.moderation_per_hour",
                1920,
            )?,
            connects_per_minute: rate(
                limits.connects_per_minute,
                "limits.connects_per_minute",
                120,
            )?,
            account_lines: flow(pace, rate(limits.pace_of_account, "limits.pace_of_account", 4)?),
            address_lines: flow(pace, rate(limits.pace_of_address, "limits.pace_of_address", 20)?),
            stored_per_account: mib(
                limits.stored_mib_per_account,
                "limits.stored_mib_per_account",
                64,
            )?,
            stored_per_address: mib(
                limits.stored_mib_per_address,
                "limits.stored_mib_per_address",
                256,
            )?,
        };
        Ok(Self {
            listen,
            unix,
            admin,
            name,
            motd,
            connections: count(limits.connections, "limits.connections", 100_000)?,
            connections_per_address: if args.no_limits { usize::MAX } else { per_address },
            connection_config: ConnectionConfig {
                throttle: (!args.no_limits).then_some(pace),
                name_deadline: seconds(limits.name_seconds, "limits.name_seconds", 60)?,
                write_deadline: seconds(limits.write_seconds, "limits.write_seconds", 60)?,
                drain_rate: if args.no_limits { 0 } else { drain_rate },
            },
            bounds: Limits {
                channels: count(limits.channels, "limits.channels", 10_000)?,
                conversations_per_person: usize::try_from(conversations).unwrap_or(usize::MAX),
                large_channel: count(limits.large_channel, "limits.large_channel", 50)?,
                empty_channel_millis: (empty_hours > 0).then(|| {
                    i64::try_from(empty_hours.saturating_mul(3_600_000)).unwrap_or(i64::MAX)
                }),
                replay_lines: u32::try_from(replay_lines).unwrap_or(MAX_HISTORY_LINES),
                shares: (!args.no_limits).then_some(shares),
                registration: match accounts.registration {
                    None | Some(file::Registration::Open) => RegistrationMode::Open,
                    Some(file::Registration::Invitation) => RegistrationMode::Invitation,
                    Some(file::Registration::Closed) => RegistrationMode::Closed,
                },
                accounts_required: accounts.required.unwrap_or_default(),
                new_channels: new_channels(channels.new.unwrap_or_default()),
            },
            free_disk: if args.no_limits { 0 } else { free_disk },
            presence_every: seconds(limits.presence_seconds, "limits.presence_seconds", 10)?,
            durability: match durability {
                None | Some(file::DurabilitySetting::Machine) => Durability::Machine,
                Some(file::DurabilitySetting::Process) => Durability::Process,
            },
            retention: retention(&history, &kept_in)?,
            place: kept_in,
        })
    }
}

/// So many times the pace of one connection.
fn flow(pace: ThrottleConfig, times: u32) -> RateLimit {
    let all = |lines: u32| u64::from(lines) * u64::from(times) * u64::from(LINE);
    RateLimit { at_once: all(pace.burst), per_second: all(pace.per_second) }
}

/// What is on in a new channel.
fn new_channels(on: Vec<file::NewChannel>) -> Vec<ChannelSetting> {
    let setting = |on| match on {
        file::NewChannel::InviteOnly => ChannelSetting::InviteOnly(true),
        file::NewChannel::Hidden => ChannelSetting::Hidden(true),
        file::NewChannel::TopicLock => ChannelSetting::TopicLock(true),
    };
    let mut settings = Vec::new();
    for setting in on.into_iter().map(setting) {
        if !settings.contains(&setting) {
            settings.push(setting);
        }
    }
    settings
}

/// The name of the admin socket in its directory.
pub const ADMIN_SOCKET: &str = "admin.sock";

/// Where nobody wants it elsewhere, it is in the directory that the service manager gives for sockets, else where
/// everything is kept. A server that keeps nothing has none.
fn admin_socket(wanted: Option<PathBuf>, place: &StoreLocation) -> Option<AdminSocket> {
    if let Some(path) = wanted {
        return Some(AdminSocket { path, is_wanted: true });
    }
    let StoreLocation::Directory(data) = place else { return None };
    let directory = given_directory("RUNTIME_DIRECTORY").unwrap_or_else(|| data.clone());
    Some(AdminSocket { path: directory.join(ADMIN_SOCKET), is_wanted: false })
}

/// A directory that the service manager gives (systemd.exec(5)); of several the first.
fn given_directory(variable: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).filter(|value| !value.is_empty())?;
    std::env::split_paths(&given).next()
}

fn place(
    args: &ServerArgs,
    data: Option<PathBuf>,
    ephemeral: Option<bool>,
) -> Result<StoreLocation, ConfigError> {
    let in_check = matches!(args.tool, Some(Tool::Check { ephemeral: true }));
    if args.ephemeral || in_check || (args.data.is_none() && ephemeral == Some(true)) {
        return Ok(StoreLocation::Memory);
    }
    args.data
        .clone()
        .or(data)
        .or_else(state_directory)
        .map(StoreLocation::Directory)
        .ok_or(ConfigError::NoPlace)
}

/// The directory that the service manager gives (systemd.exec(5)), else one in the user's state (XDG Base
/// Directory Specification).
fn state_directory() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(given) = given_directory("STATE_DIRECTORY") {
        return Some(given);
    }
    let state = set("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))?;
    Some(state.join("chat-server"))
}

/// How long lines are kept; 0 is for ever.
fn retention(
    history: &file::HistorySection,
    place: &StoreLocation,
) -> Result<Retention, ConfigError> {
    // Memory has an end, and a file's disk is for its owner to watch.
    let in_memory = *place == StoreLocation::Memory;
    let days = |value, key: &str, usual| -> Result<Option<u32>, ConfigError> {
        let days = bounded(value, key, 0..=MAX_DAYS, usual)?;
        Ok(u32::try_from(days).ok().filter(|days| *days > 0))
    };
    let lines = |value, key: &str, usual| -> Result<Option<u64>, ConfigError> {
        Ok(Some(bounded(value, key, 0..=MAX_COUNT, usual)?).filter(|lines| *lines > 0))
    };
    let usual = RetentionRule {
        days: days(history.keep_days, "history.keep_days", 0)?,
        lines: lines(
            history.keep_lines.or(in_memory.then_some(LINES_IN_MEMORY)),
            "history.keep_lines",
            0,
        )?,
    };
    let own = |(name, keep): (&String, &file::KeepSection)| {
        let wrong = |_| ConfigError::Channel { name: name.clone() };
        let channel = ChannelName::new(name).map_err(wrong)?;
        let days = match keep.keep_days {
            None => usual.days,
            given => days(given, &format!("history.channels.\"{name}\".keep_days"), 0)?,
        };
        let lines = match keep.keep_lines {
            None => usual.lines,
            given => lines(given, &format!("history.channels.\"{name}\".keep_lines"), 0)?,
        };
        Ok((channel, RetentionRule { days, lines }))
    };
    let channels = history.channels.iter().map(own).collect::<Result<_, ConfigError>>()?;
    Ok(Retention { usual, channels })
}

/// A person's bell has a bit for each channel, so there can't be more.
pub(crate) const MAX_CONVERSATIONS: u64 = 60;

/// A year: what lasts longer isn't meant, and times stay far from overflowing.
const MAX_SECONDS: u64 = 365 * 24 * 3600;
const MAX_HOURS: u64 = 100 * 365 * 24;
/// Lines of each conversation that are kept in memory if nothing else is said.
const LINES_IN_MEMORY: u64 = 10_000;
const MAX_DAYS: u64 = 100 * 365;
const MAX_COUNT: u64 = 1_000_000_000;
const MAX_RATE: u64 = 1_000_000;

fn bounded(
    value: Option<u64>,
    key: &str,
    bounds: RangeInclusive<u64>,
    usual: u64,
) -> Result<u64, ConfigError> {
    match value {
        Some(value) if !bounds.contains(&value) => {
            let (least, most) = bounds.into_inner();
            Err(ConfigError::OutOfBounds { key: key.to_owned(), least, most, usual })
        }
        Some(value) => Ok(value),
        None => Ok(usual),
    }
}

fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "chat-server".to_owned() } else { name }
}
