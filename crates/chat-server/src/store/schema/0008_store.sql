-- Which store this file belongs to. `generation`: a random number, drawn at each start and also in recent.db, so that a file
-- of another store or of another time is noticed; NULL in a backup, and before the first start. `put`: lines up to
-- this row of recent.db are in these tables for good.
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id INTEGER,
    generation INTEGER,
    is_backup INTEGER NOT NULL DEFAULT 0,
    put INTEGER NOT NULL DEFAULT 0
);
INSERT INTO store (one) VALUES (1);
