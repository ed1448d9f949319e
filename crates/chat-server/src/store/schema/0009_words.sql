-- Words are folded in full before they are indexed: the index is made anew, in the background.
DROP TABLE word;
CREATE VIRTUAL TABLE word USING fts5 (
    text, author, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2'
);
UPDATE conversation SET indexed = 0;
