-- What servers found to be missing when they started, and when (in seconds since 1970).
CREATE TABLE damage (
    at INTEGER NOT NULL,
    what TEXT NOT NULL
);
