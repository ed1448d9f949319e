//! What is measured.
//!
//! * [`connect`]: how fast people come in.
//! * [`idle`]: what somebody costs who does nothing.
//! * [`fanout`]: one room, everybody hears everything.
//! * [`rooms`]: many small rooms.
//! * [`pingpong`]: private lines, back and forth.
//! * [`slow`]: a few who never read.
//! * [`storm`]: connecting, entering and vanishing, over and over.
//! * [`mixed`]: a day like any other.
//! * [`login`]: everybody comes back at once.
//! * [`passwords`]: passwords are verified while others talk.
//! * [`replay`]: what was said is told to those who enter.
//! * [`durable`]: how fast lines become durable.
//! * [`history`]: how fast the past of many lines is read and searched.
//! * [`accounts`]: accounts as a server would have made them.

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

/// Something that can be measured of a server.
pub(crate) trait Scenario: std::fmt::Debug {
    /// Its name on the command line and in results.
    fn name(&self) -> &'static str;

    /// Whether a server of this kind can do it.
    fn suits(&self, kind: SubjectKind) -> bool;

    /// Measures it.
    fn run(&self, bench: &Bench, kind: SubjectKind) -> anyhow::Result<Vec<Finding>>;
}

/// What the servers are that are measured, and where they keep their data.
pub(crate) struct Bench {
    /// The disk that is measured.
    pub(crate) folder: PathBuf,
    /// One that runs already: where it listens, its process, how one talks to it.
    pub(crate) attached: Option<(SocketAddr, u32, Dialect)>,
}

impl Bench {
    /// A server with nothing in it, or the one that runs already.
    pub(crate) fn server(&self, kind: SubjectKind) -> anyhow::Result<SubjectServer> {
        self.server_with(kind, &SubjectSetup::default())
    }

    /// A server that is started so, or the one that runs already.
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
