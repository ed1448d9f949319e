-- Whether the account inherited the operator's right because the channel had no operator.
ALTER TABLE operator ADD COLUMN inherited INTEGER NOT NULL DEFAULT 0;
