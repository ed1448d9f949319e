-- The store that this file belongs to. `generation`: a random number, drawn at each start and
-- stored in recent.db too, which detects a file of another store or of another time; NULL in a
-- backup and before the first start. `put`: rows of recent.db up to this one are in these tables
-- and synced.
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id INTEGER,
    generation INTEGER,
    is_backup INTEGER NOT NULL DEFAULT 0,
    put INTEGER NOT NULL DEFAULT 0
);
INSERT INTO store (one) VALUES (1);
