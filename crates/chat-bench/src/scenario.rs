//! The scenarios.
//!
//! * [`connect`]: how fast clients connect and sign in.
//! * [`idle`]: the cost of an idle client.
//! * [`fanout`]: one channel, every member receives every message.
//! * [`rooms`]: many small channels.
//! * [`pingpong`]: private messages, back and forth.
//! * [`slow`]: a few clients that never read.
//! * [`storm`]: connecting, entering and disconnecting, repeatedly.
//! * [`mixed`]: typical traffic.
//! * [`login`]: all accounts sign in again at once.
//! * [`passwords`]: password verification under load.
//! * [`replay`]: the history that is sent to clients on entry.
//! * [`durable`]: how fast messages become durable.
//! * [`history`]: how fast a long history is read and searched.
//! * [`accounts`]: generated accounts for the scenarios that need them.

mod accounts;
pub(crate) mod connect;
pub(crate) mod durable;
pub(crate) mod fanout;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod login;
pub(crate) mod mixed;
pub(crate) mod passwords;
pub(crate) mod pingpong;
pub(crate) mod replay;
pub(crate) mod rooms;
pub(crate) mod slow;
pub(crate) mod storm;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::dialect::Dialect;
use crate::outcome::Finding;
use crate::subject::{SubjectKind, SubjectServer, SubjectSetup};

/// A measurement of a server.
pub(crate) trait Scenario: std::fmt::Debug {
    /// Its name on the command line and in results.
    fn name(&self) -> &'static str;

    /// Whether a server of this kind supports it.
    fn suits(&self, kind: SubjectKind) -> bool;

    /// Runs the measurement.
    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>>;
}

/// Where the measured servers store their data, and the server that already runs, if any.
pub(crate) struct Bench {
    /// A folder on the measured disk.
    pub(crate) folder: PathBuf,
    /// A server that already runs: its address, process and dialect.
    pub(crate) attached: Option<(SocketAddr, u32, Dialect)>,
}

impl Bench {
    /// A server without data, or the one that already runs.
    pub(crate) fn server(&self, kind: SubjectKind) -> anyhow::Result<SubjectServer> {
        self.server_with(kind, &SubjectSetup::default())
    }

    /// A server that is started with this setup, or the one that already runs.
    pub(crate) fn server_with(
        &self,
        kind: SubjectKind,
        setup: &SubjectSetup,
    ) -> anyhow::Result<SubjectServer> {
        match (kind, self.attached) {
            (SubjectKind::Other, Some((address, pid, dialect))) => {
                Ok(SubjectServer::attach(address, pid, dialect))
            }
            _ => SubjectServer::start(kind, setup, &self.folder),
        }
    }
}
