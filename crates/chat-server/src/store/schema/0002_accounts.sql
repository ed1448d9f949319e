-- An account's number is that of its party, which private chats refer to. Names of accounts and of
-- ignored users are looked up in folded form.

CREATE TABLE account (
    party INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    shown TEXT NOT NULL,
    password TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    is_away INTEGER NOT NULL DEFAULT 0,
    away TEXT,
    admin INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE token (
    hash BLOB PRIMARY KEY,
    party INTEGER NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX token_party ON token (party);

-- `other` is the account that had the name when it was ignored.
CREATE TABLE ignored (
    party INTEGER NOT NULL,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    other INTEGER,
    PRIMARY KEY (party, name)
) WITHOUT ROWID;
CREATE INDEX ignored_other ON ignored (other) WHERE other IS NOT NULL;

-- The account has read the conversation up to `marker`. The row of a channel also makes the account
-- a member.
CREATE TABLE member (
    party INTEGER NOT NULL,
    number INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    entered INTEGER NOT NULL,
    PRIMARY KEY (party, number)
) WITHOUT ROWID;
CREATE INDEX member_number ON member (number);

CREATE TABLE operator (
    number INTEGER NOT NULL,
    party INTEGER NOT NULL,
    PRIMARY KEY (number, party)
) WITHOUT ROWID;
CREATE INDEX operator_party ON operator (party);

-- Accounts whose messages are being redacted. Those up to the place `looked` are done.
CREATE TABLE erasing (
    party INTEGER PRIMARY KEY,
    looked INTEGER NOT NULL DEFAULT 0
);

-- The author's account. An index on it would add a page to the log for each message; `wrote` has
-- the conversations in which an account wrote instead.
ALTER TABLE line ADD COLUMN account INTEGER;

CREATE TABLE wrote (
    party INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (party, number)
) WITHOUT ROWID;
CREATE INDEX wrote_number ON wrote (number);
