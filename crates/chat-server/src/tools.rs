//! The operator's commands at the shell: `chat-server admin`, `backup`, `check`, `export`,
//! `export-user`, `import`, `restore`.
//!
//! * [`admin`]: queries and commands to a running server.
//! * [`backup`]: a copy of everything, while the server runs.
//! * [`check`]: checks settings, directory, database and listeners; each fault with its cure.
//! * [`export`]: one channel as JSON Lines.
//! * [`export_user`]: all data of one account.
//! * [`import`]: an export, into the store of a stopped server.
//! * [`restore`]: a backup in place of a store.
//! * [`row`]: a row of an export.

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

/// Runs a command.
///
/// # Errors
///
/// The failure, with its cure.
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

/// Returns a path unless it means standard input or output.
fn named(file: Option<&PathBuf>) -> Option<&Path> {
    file.map(PathBuf::as_path).filter(|file| *file != Path::new("-"))
}

/// A reader such as `head` closes the pipe when it has enough: no error.
fn unless_unread(done: anyhow::Result<()>) -> anyhow::Result<()> {
    let is_unread = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe)
    };
    done.or_else(|error| if error.chain().any(is_unread) { Ok(()) } else { Err(error) })
}

/// Prints a line. If no one reads it any more, the work goes on for the sake of the exit code.
fn print(line: impl std::fmt::Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("the output can't be written: {error}")))
        }
        Ok(()) => Ok(()),
    }
}
