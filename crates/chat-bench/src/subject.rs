//! The measured server: a child process, or one that already runs.
//!
//! * [`kind`]: the supported servers, and how each is started.
//! * [`cores`]: the CPU affinity of server and load.
//! * [`process`]: the resource usage of the server.
//! * [`floor`]: the bare loop, a lower bound for the cost of a server.

pub(crate) mod cores;
pub(crate) mod floor;
mod kind;
pub(crate) mod process;

pub(crate) use self::kind::SubjectKind;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use self::cores::Cores;
use self::process::Process;
use crate::dialect::Dialect;
use crate::load::Swarm;

/// A server that doesn't listen after this time has failed.
const START: Duration = Duration::from_mins(1);

/// The setup of a server.
#[derive(Default)]
pub(crate) struct SubjectSetup {
    /// The folder of its data; without it a temporary one, which is removed when the server ends.
    pub(crate) data: Option<PathBuf>,
    /// It may use all cores, instead of one of its own.
    pub(crate) all_cores: bool,
}

/// A running server. A child process ends when this is dropped.
pub(crate) struct SubjectServer {
    kind: SubjectKind,
    pub(crate) dialect: Dialect,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    /// The time from its start until it listened.
    pub(crate) start: Duration,
    child: Option<Child>,
    _folder: Option<TempDir>,
}

impl SubjectServer {
    /// Starts a server. Its temporary folder is created in `folder`, so `folder` determines the
    /// disk.
    pub(crate) fn start(
        kind: SubjectKind,
        setup: &SubjectSetup,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("there must be a folder {}", folder.display()))?;
        let folder = TempDir::new_in(folder)?;
        let data = setup.data.clone().unwrap_or_else(|| folder.path().join("data"));
        let cores = Cores::of_this_machine()?;
        let begun = Instant::now();
        let mut launch = kind.launch(&data, folder.path(), free_port()?)?;
        let program = launch.command.get_program().to_string_lossy().into_owned();
        let spawned = if setup.all_cores {
            cores.on_all(|| launch.command.spawn())?
        } else {
            cores.on_the_servers(|| launch.command.spawn())?
        };
        let child = spawned.with_context(|| format!("{program} can't be started"))?;
        let mut child = Reaped(Some(child));
        let address = match launch.address {
            None => read_address(child.get()?)?,
            Some(address) => {
                listens(child.get()?, address)?;
                address
            }
        };
        let child = child.0.take().context("it runs")?;
        Ok(Self {
            kind,
            dialect: kind.dialect(),
            address,
            process: Process::new(child.id()),
            start: begun.elapsed(),
            child: Some(child),
            _folder: Some(folder),
        })
    }

    /// Attaches to a server that already runs.
    pub(crate) fn attach(address: SocketAddr, pid: u32, dialect: Dialect) -> Self {
        Self {
            kind: SubjectKind::Other,
            dialect,
            address,
            process: Process::new(pid),
            start: Duration::ZERO,
            child: None,
            _folder: None,
        }
    }

    /// A swarm for this server, without connections.
    pub(crate) fn swarm(&self) -> anyhow::Result<Swarm> {
        Swarm::new(self.address, self.dialect, self.kind.at_once())
    }
}

impl Drop for SubjectServer {
    fn drop(&mut self) {
        drop(Reaped(self.child.take()));
    }
}

/// A child process that is killed and reaped when this is dropped.
struct Reaped(Option<Child>);

impl Reaped {
    fn get(&mut self) -> anyhow::Result<&mut Child> {
        self.0.as_mut().context("it runs")
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Killing fails if the child has already exited.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Reads the address from a server's log. A thread reads on, so that the server never blocks on the
/// pipe.
fn read_address(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let log = child.stderr.take().context("it has a log")?;
    let mut lines = BufReader::new(log).lines();
    let mut server_log = String::new();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, address)) = line.split_once("address=") {
            let address = address.split_whitespace().next().unwrap_or_default().parse()?;
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
        server_log.push_str(&line);
        server_log.push('\n');
    }
    bail!("the server ended before it listened:\n{server_log}")
}

/// Polls until a server listens that doesn't log its address.
#[expect(clippy::disallowed_methods, reason = "it reports no event when it listens")]
fn listens(child: &mut Child, address: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("the server ended before it listened: {status}");
        }
        ensure!(begun.elapsed() < START, "the server doesn't listen on {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
