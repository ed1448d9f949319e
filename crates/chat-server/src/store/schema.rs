//! Tables and migrations.

use rusqlite::Connection;

use super::{BUSY, Durability, OpenError, StoreError, StoreLocation, identity};

/// Identifies databases of this program (`PRAGMA application_id`): "chat".
pub(super) const APPLICATION: i32 = 0x6368_6174;

/// The full-text index, without a copy of the texts.
pub(super) const INDEX: &str =
    "fts5 (text, author, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2')";

/// Each migrates from the version before. Released migrations never change.
pub(super) const MIGRATIONS: [&str; KNOWN as usize] = [
    include_str!("schema/0001_lines.sql"),
    include_str!("schema/0002_accounts.sql"),
    include_str!("schema/0003_channels.sql"),
    include_str!("schema/0004_operators.sql"),
    include_str!("schema/0005_recent.sql"),
    include_str!("schema/0006_times.sql"),
    include_str!("schema/0007_rights.sql"),
    include_str!("schema/0008_store.sql"),
    include_str!("schema/0009_words.sql"),
    include_str!("schema/0010_purge.sql"),
    include_str!("schema/0011_damage.sql"),
];

/// The version of this program.
pub(super) const KNOWN: u32 = 11;

/// Configures a writing connection and migrates its database.
pub(super) fn prepare(
    connection: &mut Connection,
    place: &StoreLocation,
    durability: Durability,
) -> Result<(), OpenError> {
    let sqlite = OpenError::from_sqlite;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(64);
    check_version(connection)?;
    identity::take_backup(connection).map_err(sqlite)?;
    let journal = if *place == StoreLocation::Memory { "memory" } else { "wal" };
    let synchronous = match (place, durability) {
        (StoreLocation::Memory, _) => "off",
        (_, Durability::Machine) => "full",
        (_, Durability::Process) => "normal",
    };
    connection.pragma_update(None, "journal_mode", journal).map_err(sqlite)?;
    connection.pragma_update(None, "synchronous", synchronous).map_err(sqlite)?;
    connection.pragma_update(None, "cache_size", -4_000).map_err(sqlite)?;
    connection.pragma_update(None, "journal_size_limit", super::files::MAX_LOG).map_err(sqlite)?;
    migrate(connection).map_err(sqlite)?;
    // SQLite opens a database that it can't write read-only. Report that now, not with every line.
    if connection.is_readonly("main").map_err(sqlite)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(sqlite(rusqlite::Error::SqliteFailure(code, None)));
    }
    Ok(())
}

/// Refuses a database of another program, or of a later version of this one.
pub(super) fn check_version(connection: &Connection) -> Result<(), OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::from(StoreError::from(error));
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let application = number("application_id").map_err(sqlite)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(sqlite)?;
    if application != i64::from(APPLICATION) && (application != 0 || tables > 0) {
        return Err(OpenError::Foreign);
    }
    let found = version(connection).map_err(sqlite)?;
    if found > KNOWN {
        return Err(OpenError::Newer { found, known: KNOWN });
    }
    Ok(())
}

/// Whether a database has no table of a store.
pub(super) fn is_new(connection: &Connection) -> Result<bool, OpenError> {
    Ok(version(connection).map_err(OpenError::from_sqlite)? == 0)
}

/// Refuses a database that isn't migrated to this version.
pub(super) fn check_is_current(connection: &Connection) -> Result<(), OpenError> {
    let found = version(connection).map_err(OpenError::from_sqlite)?;
    if found == KNOWN { Ok(()) } else { Err(OpenError::Older { found, known: KNOWN }) }
}

/// A value out of range counts as a later version.
fn version(connection: &Connection) -> rusqlite::Result<u32> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(u32::try_from(found).unwrap_or(u32::MAX))
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let found = version(connection)?;
    for (at, migration) in (1..=KNOWN).zip(MIGRATIONS).skip(found as usize) {
        let step = connection.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", at)?;
        step.commit()?;
    }
    Ok(())
}
