//! What an operator does from the shell with a server or its data: `chat-server admin`, `backup`, `check`, `export`,
//! `export-user`, `import`, `restore`.
//!
//! * [`admin`]: what is asked of a running server.
//! * [`backup`]: a copy of everything, while the server runs.
//! * [`check`]: settings, directory, database and doors: each fault with its cure.
//! * [`export`]: one channel as JSON Lines.
//! * [`export_user`]: all that is kept of one account.
//! * [`import`]: what an export wrote, into a store that no server has open.
//! * [`restore`]: a backup in the place of a store.
//! * [`row`]: a row of those lines.

mod admin;
mod backup;
mod check;
mod export;
mod export_user;
mod import;
mod restore;
mod row;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::Tool;
use crate::config::Config;
use crate::store::StoreLocation;

/// Does what was asked for.
///
/// # Errors
///
/// What went wrong, with what to do about it.
pub fn run(tool: &Tool, config: &Config) -> anyhow::Result<ExitCode> {
    match tool {
        Tool::Admin(admin) => return admin::run(admin, config),
        Tool::Backup { file } => backup::run(directory(config)?, file),
        Tool::Check { .. } => check::run(config),
        Tool::Export { channel, file } => {
            unless_unread(export::run(directory(config)?, channel, named(file.as_ref())))
        }
        Tool::ExportUser { name, file } => {
            unless_unread(export_user::run(directory(config)?, name, named(file.as_ref())))
        }
        Tool::Import { file } => import::run(directory(config)?, named(file.as_ref())),
        Tool::Restore { file } => restore::run(directory(config)?, file),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn directory(config: &Config) -> anyhow::Result<&Path> {
    match &config.place {
        StoreLocation::Directory(directory) => Ok(directory),
        StoreLocation::Memory => {
            bail!(
                "with these settings (ephemeral) there is nothing on disk; name a directory with --data"
            )
        }
    }
}

/// A file that isn't standard input or output.
fn named(file: Option<&PathBuf>) -> Option<&Path> {
    file.map(PathBuf::as_path).filter(|file| *file != Path::new("-"))
}

/// A reader such as `head` that has all it wants closes the pipe: no fault.
fn unless_unread(done: anyhow::Result<()>) -> anyhow::Result<()> {
    let is_unread = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe)
    };
    done.or_else(|error| if error.chain().any(is_unread) { Ok(()) } else { Err(error) })
}

/// One line on standard output. Where nobody reads it any more, the work goes on, for the exit code's sake.
fn tell(line: impl std::fmt::Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("the output can't be written: {error}")))
        }
        Ok(()) => Ok(()),
    }
}
