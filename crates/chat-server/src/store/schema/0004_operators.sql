-- Server moderation. An operator of NULL is the administrator at the shell.

-- Invitation codes for registration, by hash. A used code is removed.
CREATE TABLE invitation (
    hash BLOB PRIMARY KEY,
    author TEXT,
    created INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- Server bans. `key` is the same for all spellings; `shown` is the spelling that was typed.
CREATE TABLE server_ban (
    key TEXT PRIMARY KEY,
    shown TEXT NOT NULL,
    author TEXT,
    created INTEGER NOT NULL,
    until INTEGER,
    reason TEXT
) WITHOUT ROWID;

-- The audit log, numbered in order. The oldest rows are removed.
CREATE TABLE server_act (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    author TEXT,
    did TEXT NOT NULL,
    whom TEXT NOT NULL DEFAULT '',
    until INTEGER,
    reason TEXT
);
