//! `chat-server check`: checks settings, directory, database and listeners; each fault with its
//! cure.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::bail;
use rustix::fs::OFlags;
use rustix::io::Errno;
use socket2::SockRef;

use super::print;
use crate::config::Config;
use crate::listen::tcp;
use crate::store::{OpenError, Store, StoreLocation, free_bytes};

/// Less free space than this is reported.
const LITTLE_BYTES: u64 = 256 * 1024 * 1024;

pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    let mut report = CheckReport::default();
    report.ok("settings: they can be used")?;
    let mut runs = false;
    match &config.place {
        StoreLocation::Memory => report.ok("data: nothing is kept on disk")?,
        StoreLocation::Directory(directory) => {
            runs = directory_is_used(directory, &mut report)?;
            free_space(directory, &mut report)?;
            database(directory, runs, &mut report)?;
        }
    }
    for listen in &config.listen {
        let is_one_of_several = listen.addresses.len() > 1;
        for at in &listen.addresses {
            let address = at.address;
            match tcp::open(*at).and_then(|socket| SockRef::from(&socket).listen(1)) {
                Ok(()) => report.ok(format_args!("port: {address} is free"))?,
                Err(error) if runs && error.kind() == io::ErrorKind::AddrInUse => {
                    report.ok(format_args!(
                        "port: {address} is in use, as it is while the server runs"
                    ))?;
                }
                Err(error) if is_one_of_several && tcp::is_missing(&error) => {
                    report.ok(format_args!("port: {address} is passed over: {error}"))?;
                }
                Err(error) => report.fault(format_args!(
                    "port: {address}: {error} – {}",
                    tcp::hint(&error, address)
                ))?,
            }
        }
    }
    if report.faults > 0 {
        bail!("faults: {}", report.faults);
    }
    Ok(())
}

#[derive(Default)]
struct CheckReport {
    faults: u32,
}

impl CheckReport {
    #[expect(clippy::unused_self, reason = "symmetric with the other methods of the report")]
    fn ok(&self, what: impl std::fmt::Display) -> io::Result<()> {
        print(format_args!("ok     {what}"))
    }

    fn fault(&mut self, what: impl std::fmt::Display) -> io::Result<()> {
        self.faults += 1;
        print(format_args!("fault  {what}"))
    }
}

/// Reports whether a server uses this directory.
fn directory_is_used(directory: &Path, report: &mut CheckReport) -> io::Result<bool> {
    let shown = directory.display();
    if !directory.exists() {
        report.ok(format_args!("data: {shown} isn't there yet; the server makes it"))?;
        return Ok(false);
    }
    if let Ok(found) = directory.metadata() {
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            report.fault(format_args!(
                "data: other users can write {shown} (mode {mode:o}) – chmod go-w {shown}"
            ))?;
        }
    }
    let mut options = File::options();
    options.write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let lock = match options.open(directory.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.ok(format_args!("data: no server was ever started on {shown}"))?;
            return Ok(false);
        }
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            report.fault(format_args!(
                "data: {shown}/lock is a symbolic link – remove it; the server makes the file"
            ))?;
            return Ok(false);
        }
        Err(error) => {
            report.fault(format_args!(
                "data: {shown}: {error} – run this as the user that runs the server, to whom it must belong"
            ))?;
            return Ok(false);
        }
    };
    match lock.try_lock() {
        Ok(()) => {
            report.ok(format_args!("data: {shown} is free for a server"))?;
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => {
            report.ok(format_args!("data: a server runs on {shown}"))?;
            Ok(true)
        }
        Err(TryLockError::Error(error)) => {
            report
                .fault(format_args!("data: {shown}: {error} – use a disk that knows file locks"))?;
            Ok(false)
        }
    }
}

fn free_space(directory: &Path, report: &mut CheckReport) -> io::Result<()> {
    let existing = directory.ancestors().find(|folder| folder.exists());
    let Some(free) = existing.and_then(free_bytes) else { return Ok(()) };
    let shown = free / (1024 * 1024);
    if free < LITTLE_BYTES {
        report.fault(format_args!(
            "room: {shown} MiB are left on the disk – make room, or bound history with [history] keep_days"
        ))
    } else {
        report.ok(format_args!("room: {shown} MiB are left on the disk"))
    }
}

fn database(directory: &Path, runs: bool, report: &mut CheckReport) -> io::Result<()> {
    let faults = match Store::open_to_check(directory) {
        Ok(reader) => reader.faults(),
        Err(OpenError::Missing { .. }) if !runs => {
            return report.ok("database: there is none yet; the server makes it");
        }
        Err(error) => return report.fault(format_args!("database: {error}")),
    };
    match faults {
        Ok(faults) if faults.is_empty() => {
            report.ok("database: it is whole, and no line is missing")
        }
        Ok(faults) => {
            for fault in faults {
                report.fault(format_args!(
                    "database: {fault} – stop the server, keep a copy of {}, restore a backup",
                    directory.display()
                ))?;
            }
            Ok(())
        }
        Err(failure) => report.fault(format_args!("database: {failure}")),
    }
}
