-- `author_block`: the blocks of 256 ids of a conversation in which an author (folded) wrote, for
-- messages up to `indexed`. It is filled together with the full-text index, which is rebuilt for
-- it.
--
-- `pending_purge`: a committed purge with messages that aren't marked as hidden yet. It hides the
-- messages up to the id `upto` by the author (folded), from `since` to `until` if there are bounds.
-- Those up to `looked` are marked.
CREATE TABLE author_block (
    number INTEGER NOT NULL,
    author TEXT NOT NULL,
    block INTEGER NOT NULL,
    PRIMARY KEY (number, author, block)
) WITHOUT ROWID;
CREATE TABLE pending_purge (
    at INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    author TEXT NOT NULL,
    since INTEGER,
    until INTEGER,
    upto INTEGER NOT NULL,
    looked INTEGER NOT NULL DEFAULT 0
);
DROP TABLE word;
CREATE VIRTUAL TABLE word USING fts5 (
    text, author, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2'
);
UPDATE conversation SET indexed = 0;
