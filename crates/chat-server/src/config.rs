//! Settings: as written, then checked.
//!
//! [`mod@file`] is the TOML file as it is written. [`listen`] resolves addresses. [`Config`] is the
//! checked combination of flags and file.

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

/// The default address.
const DEFAULT_LISTEN: &str = "127.0.0.1:5002";

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP addresses.
    pub listen: Vec<Listen>,
    /// The path of the Unix socket for clients.
    pub unix: Option<PathBuf>,
    /// The socket of `chat-server admin`.
    pub admin: Option<AdminSocket>,
    /// The server's name.
    pub name: String,
    /// The message of the day, line by line.
    pub motd: Vec<String>,
    /// Maximum number of connections.
    pub connections: usize,
    /// Maximum number of connections from one address.
    pub connections_per_address: usize,
    /// Settings of each connection.
    pub connection_config: ConnectionConfig,
    /// Limits of the hub.
    pub bounds: Limits,
    /// How long entries and departures of a large channel are gathered.
    pub presence_every: Duration,
    /// Free disk space in MiB below which only accounts may write. 0 switches the check off.
    pub free_disk: u64,
    /// The data directory.
    pub place: StoreLocation,
    /// What an `ok` survives.
    pub durability: Durability,
    /// How long messages are stored.
    pub retention: Retention,
}

/// The socket of `chat-server admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSocket {
    /// Its path.
    pub path: PathBuf,
    /// Whether the path was set: then a failure to bind stops the start.
    pub is_required: bool,
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{path} can't be read")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The settings file isn't valid.
    #[error("{path}: {problem}")]
    File {
        /// The path.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// An invalid address.
    #[error("\"{address}\" is no address to listen on; write it as 127.0.0.1:5002 or [::]:5002")]
    Address {
        /// The address as written.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A path in place of an address.
    #[error("\"{path}\" is no address to listen on; --unix takes the path of a Unix socket")]
    PathAsAddress {
        /// The path as written.
        path: String,
    },
    /// Two addresses that one socket would accept connections for.
    #[error(
        "\"{one}\" and \"{other}\" are the same address to listen on, or one is a part of the other; leave one out"
    )]
    SameAddress {
        /// The address as written.
        one: String,
        /// The other address.
        other: String,
    },
    /// Two sockets with one path.
    #[error("{path} can't be both the Unix socket (unix) and the admin socket (admin_socket)")]
    SameSocket {
        /// The path.
        path: PathBuf,
    },
    /// A number out of range.
    #[error("{key} must be from {least} to {most}; leave it out for the usual {usual}")]
    OutOfBounds {
        /// The setting.
        key: String,
        /// The minimum.
        least: u64,
        /// The maximum.
        most: u64,
        /// The default.
        usual: u64,
    },
    /// An invalid channel name in a retention rule.
    #[error("history.channels.\"{name}\": no channel can have this name; write it as \"#general\"")]
    Channel {
        /// The name as written.
        name: String,
    },
    /// No data directory.
    #[error(
        "there is no directory for what is kept; give one with --data (a server can also keep nothing: --ephemeral)"
    )]
    NoDataDirectory,
    /// No address and no socket.
    #[error("there is nowhere to listen; give listen an address, or unix a path")]
    NoListener,
}

impl Config {
    /// Combines flags and file; flags win.
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
            return Err(ConfigError::NoListener);
        }
        let admin = admin_socket(args.admin_socket.clone().or(admin_socket_in_file), &kept_in);
        if let Some(path) =
            unix.clone().filter(|path| admin.as_ref().is_some_and(|a| a.path == *path))
        {
            return Err(ConfigError::SameSocket { path });
        }
        let name = args.name.clone().or(name);
        let name = name.as_deref().and_then(greeting::name).unwrap_or_else(machine_name);
        // Other tools don't need them, and work without name resolution.
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

/// A multiple of the rate of one connection.
fn flow(pace: ThrottleConfig, times: u32) -> RateLimit {
    let all = |lines: u32| u64::from(lines) * u64::from(times) * u64::from(LINE);
    RateLimit { at_once: all(pace.burst), per_second: all(pace.per_second) }
}

/// The settings that are on in a new channel.
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

/// The file name of the admin socket.
pub const ADMIN_SOCKET: &str = "admin.sock";

/// The default path: in the service manager's runtime directory, else in the data directory. An
/// ephemeral server has no admin socket by default.
fn admin_socket(wanted: Option<PathBuf>, place: &StoreLocation) -> Option<AdminSocket> {
    if let Some(path) = wanted {
        return Some(AdminSocket { path, is_required: true });
    }
    let StoreLocation::Directory(data) = place else { return None };
    let directory = given_directory("RUNTIME_DIRECTORY").unwrap_or_else(|| data.clone());
    Some(AdminSocket { path: directory.join(ADMIN_SOCKET), is_required: false })
}

/// A directory passed by the service manager (systemd.exec(5)); the first of several.
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
        .ok_or(ConfigError::NoDataDirectory)
}

/// The state directory of the service manager (systemd.exec(5)), else of the user (XDG Base
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

/// The retention rules; 0 means no limit.
fn retention(
    history: &file::HistorySection,
    place: &StoreLocation,
) -> Result<Retention, ConfigError> {
    // Memory is limited; disk space is the operator's decision.
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

/// The ready set has one bit for each channel.
pub(crate) const MAX_CONVERSATIONS: u64 = 60;

/// A year: a longer time is a mistake, and times stay far from overflow.
const MAX_SECONDS: u64 = 365 * 24 * 3600;
const MAX_HOURS: u64 = 100 * 365 * 24;
/// The default number of messages of each conversation in memory.
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
