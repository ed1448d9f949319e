-- Whether the right of a channel's operator passed to the account because the channel had no operator.
ALTER TABLE operator ADD COLUMN inherited INTEGER NOT NULL DEFAULT 0;
