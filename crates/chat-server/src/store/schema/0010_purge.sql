-- `author_block`: the blocks of 256 ids of a conversation in which an author (folded) wrote, of lines up to `indexed`. It is
-- filled with the index of words, which is made anew for it.
--
-- `pending_purge`: a purge that is committed and whose lines aren't all marked as hidden. It hides the lines up to the id `upto` that
-- the author (folded) said at a time from `since` to `until`, if there are bounds. Up to `looked` they are marked.
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
