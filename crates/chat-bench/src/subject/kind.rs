//! The supported servers, and how each is started.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

/// A server that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SubjectKind {
    /// chat-server, in the text format
    Chat,
    /// chat-server, in the JSON format
    ChatJson,
    /// A bare loop that writes each line alone
    Floor,
    /// A bare loop that writes all pending lines at once
    FloorBatch,
    /// `ngIRCd`, if it is installed
    Ngircd,
    /// `InspIRCd`, if it is installed
    Inspircd,
    /// The server at the address of --connect
    Other,
}

/// How a server is started.
pub(super) struct Launch {
    pub(super) command: Command,
    /// Where it listens; `None` if the address is read from its log.
    pub(super) address: Option<SocketAddr>,
}

impl SubjectKind {
    /// The servers that this program can start, in the order of reports.
    pub(crate) const STARTED: [Self; 6] =
        [Self::Chat, Self::ChatJson, Self::Floor, Self::FloorBatch, Self::Ngircd, Self::Inspircd];

    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Chat => "chat-server",
            Self::ChatJson => "chat-server, JSON",
            Self::Floor => "floor",
            Self::FloorBatch => "floor-batch",
            Self::Ngircd => "ngIRCd",
            Self::Inspircd => "InspIRCd",
            Self::Other => "other",
        }
    }

    /// The dialect that it speaks.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::Text,
            Self::ChatJson => Dialect::Json,
            Self::Floor | Self::FloorBatch => Dialect::Floor,
            Self::Ngircd | Self::Inspircd | Self::Other => Dialect::Irc,
        }
    }

    /// Whether it is chat-server.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Chat | Self::ChatJson)
    }

    /// Whether it has names, private messages, and clients in several channels.
    pub(crate) fn has_names(self) -> bool {
        !matches!(self, Self::Floor | Self::FloorBatch)
    }

    /// How many clients may sign in at the same time.
    pub(super) fn at_once(self) -> usize {
        match self {
            // The length of its accept queue; beyond it, connecting takes a second and more.
            Self::Ngircd => 10,
            // It completes sign-ins once a second.
            Self::Inspircd => 1000,
            Self::Chat | Self::ChatJson | Self::Floor | Self::FloorBatch | Self::Other => 200,
        }
    }

    /// The path of its program, if it is installed.
    pub(crate) fn program(self) -> Option<PathBuf> {
        match self {
            Self::Chat | Self::ChatJson => beside_us("chat-server"),
            Self::Floor | Self::FloorBatch => std::env::current_exe().ok(),
            Self::Ngircd => installed("ngircd"),
            Self::Inspircd => installed("inspircd"),
            Self::Other => None,
        }
    }

    /// How to install it.
    pub(crate) fn how_to_get(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatJson => {
                "cargo build --release -p chat-server builds it, in the profile of this program"
            }
            Self::Floor | Self::FloorBatch => "it is a part of this program",
            Self::Ngircd => "apt-get install ngircd installs it",
            Self::Inspircd => "apt-get install inspircd installs it",
            Self::Other => "start it, and name it with --connect and --pid",
        }
    }

    /// The version that it reports.
    pub(crate) fn version(self) -> Option<String> {
        if !self.is_ours() && !matches!(self, Self::Ngircd | Self::Inspircd) {
            return None;
        }
        let output = Command::new(self.program()?).arg("--version").output().ok()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.lines().next().map(str::to_owned)
    }

    /// The command that starts it, with its data in `data` and its configuration in `folder`, on
    /// `port` unless it chooses one.
    pub(super) fn launch(self, data: &Path, folder: &Path, port: u16) -> anyhow::Result<Launch> {
        let program = self
            .program()
            .with_context(|| format!("{} isn't there; {}", self.title(), self.how_to_get()))?;
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let address = match self {
            Self::Chat | Self::ChatJson => {
                command.args(["--listen", "127.0.0.1:0", "--no-limits", "--data"]).arg(data);
                None
            }
            Self::Floor => {
                command.arg("floor");
                None
            }
            Self::FloorBatch => {
                command.args(["floor", "--batch"]);
                None
            }
            Self::Ngircd => {
                let config = configure(NGIRCD, "ngircd.conf", folder, port)?;
                command.args(["--nodaemon", "--config"]).arg(config);
                Some(port)
            }
            Self::Inspircd => {
                let config = configure(INSPIRCD, "inspircd.conf", folder, port)?;
                command.args(["--nofork", "--nolog"]);
                if rustix::process::geteuid().is_root() {
                    command.arg("--runasroot");
                }
                command.arg("--config").arg(config);
                Some(port)
            }
            Self::Other => None,
        };
        let listens = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // The log of a server that doesn't report its address isn't read, so it must not fill a
        // pipe.
        command.stderr(if address.is_some() { Stdio::null() } else { Stdio::piped() });
        Ok(Launch { command, address: address.map(listens) })
    }
}

const NGIRCD: &str = include_str!("../../peers/ngircd.conf");
const INSPIRCD: &str = include_str!("../../peers/inspircd.conf");

/// Writes a peer's configuration into its folder, which is made readable to the peer's own user.
fn configure(config: &str, name: &str, folder: &Path, port: u16) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    let whole =
        config.replace("{port}", &port.to_string()).replace("{folder}", &folder.to_string_lossy());
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    std::fs::write(&path, whole)?;
    Ok(path)
}

/// A program in the target folder of this one.
fn beside_us(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A program in `PATH` or in the folders of daemons.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(daemons);
    folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
}
