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

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::Tool;
use crate::config::Config;
use crate::store::Place;

/// Does what was asked for.
///
/// # Errors
///
/// What went wrong, with what to do about it.
pub fn run(tool: &Tool, config: &Config) -> anyhow::Result<ExitCode> {
    match tool {
        Tool::Admin(admin) => return admin::run(admin, config),
        Tool::Backup { file } => backup::run(directory(config)?, file),
        Tool::Check => check::run(config),
        Tool::Export { channel, file } => export::run(directory(config)?, channel, file.as_deref()),
        Tool::ExportUser { name, file } => {
            export_user::run(directory(config)?, name, file.as_deref())
        }
        Tool::Import { file } => import::run(directory(config)?, file.as_deref()),
        Tool::Restore { file } => restore::run(directory(config)?, file),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn directory(config: &Config) -> anyhow::Result<&Path> {
    match &config.place {
        Place::Directory(directory) => Ok(directory),
        Place::Memory => {
            bail!("with --ephemeral there is nothing on disk; name a directory with --data")
        }
    }
}

/// One line for whoever sits at the shell.
fn tell(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
