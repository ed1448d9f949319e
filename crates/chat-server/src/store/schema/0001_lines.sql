-- `line.place` is the conversation's number << 36 | the message's id: one tree, no second index,
-- and the full-text index has the same row id. `last`: the highest id, at least. `floor`: messages
-- up to this id are removed by retention. `indexed`: messages up to this id are in the full-text
-- index. A private chat has two parties and no name.

CREATE TABLE conversation (
    number INTEGER PRIMARY KEY,
    name TEXT UNIQUE,
    shown TEXT NOT NULL DEFAULT '',
    topic TEXT,
    open INTEGER NOT NULL DEFAULT 1,
    one INTEGER,
    other INTEGER,
    one_name TEXT NOT NULL DEFAULT '',
    other_name TEXT NOT NULL DEFAULT '',
    last INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 0,
    indexed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (one, other)
);
CREATE INDEX conversation_other ON conversation (other) WHERE other IS NOT NULL;
CREATE TABLE line (
    place INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    author TEXT NOT NULL,
    flags INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE VIRTUAL TABLE word USING fts5 (
    text, author, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2'
);
CREATE TABLE once (
    author TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (author, key)
) WITHOUT ROWID;
CREATE TABLE holder (
    name TEXT PRIMARY KEY,
    party INTEGER NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;
