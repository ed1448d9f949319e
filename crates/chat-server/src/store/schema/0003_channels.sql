-- The account that set the topic, whose topics go with it.
ALTER TABLE conversation ADD COLUMN topic_by INTEGER;
CREATE INDEX conversation_topic_by ON conversation (topic_by) WHERE topic_by IS NOT NULL;

-- Moderation of channels. `mark`: bans (list 0), mutes (1) and invitations (2), with the party and
-- the account of the target at that time. `act`: the actions, in order.

CREATE TABLE setting (
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (number, name)
) WITHOUT ROWID;

CREATE TABLE mark (
    number INTEGER NOT NULL,
    list INTEGER NOT NULL,
    key TEXT NOT NULL,
    target TEXT NOT NULL,
    party INTEGER,
    account INTEGER,
    "by" TEXT NOT NULL,
    time INTEGER NOT NULL,
    until INTEGER,
    reason TEXT,
    UNIQUE (number, list, key)
);

CREATE TABLE act (
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    time INTEGER NOT NULL,
    "by" TEXT NOT NULL,
    did TEXT NOT NULL,
    target TEXT,
    until INTEGER,
    setting TEXT,
    reason TEXT,
    PRIMARY KEY (number, at)
) WITHOUT ROWID;

-- An account's reasons are removed with the account.
CREATE INDEX mark_by ON mark ("by" COLLATE NOCASE);
CREATE INDEX act_by ON act ("by" COLLATE NOCASE);
