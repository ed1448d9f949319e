-- An account's number is that of its party, under which private chats are kept. Names of accounts and of
-- ignored people are found by their folded form.

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

-- Up to `marker` the account has read the conversation. Of a private chat that row is all there is; a channel's
-- row is also what makes the account a member.
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

-- Accounts whose lines are being blanked. What they wrote is looked for up to the place `looked`.
CREATE TABLE erasing (
    party INTEGER PRIMARY KEY,
    looked INTEGER NOT NULL DEFAULT 0
);

-- The account of its author. An index of it would cost every line one more page in the log; instead it is known in
-- which conversations an account wrote.
ALTER TABLE line ADD COLUMN account INTEGER;

CREATE TABLE wrote (
    party INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (party, number)
) WITHOUT ROWID;
CREATE INDEX wrote_number ON wrote (number);
