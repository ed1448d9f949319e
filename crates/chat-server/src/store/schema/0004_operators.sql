-- What operators of the server decide. Where an operator is named, NULL stands for whoever sits at the shell.

-- Codes that let somebody register, by their hash. One that was used is gone.
CREATE TABLE invitation (
    hash BLOB PRIMARY KEY,
    author TEXT,
    created INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- Who is kept out of the server. `key` is the same for all ways to type it; `shown` is as it was typed.
CREATE TABLE server_ban (
    key TEXT PRIMARY KEY,
    shown TEXT NOT NULL,
    author TEXT,
    created INTEGER NOT NULL,
    until INTEGER,
    reason TEXT
) WITHOUT ROWID;

-- What was done, by whom, to whom, for how long and why; numbered in order, and the oldest go.
CREATE TABLE server_act (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    author TEXT,
    did TEXT NOT NULL,
    whom TEXT NOT NULL DEFAULT '',
    until INTEGER,
    reason TEXT
);
