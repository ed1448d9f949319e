-- After this message of a conversation, times never decrease with the ids. Earlier versions and
-- imports stored the time of the clock; the server never stores a time before that of the message
-- before it.
ALTER TABLE conversation ADD COLUMN unordered INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET unordered = coalesce((
    SELECT max(place) & 68719476735 FROM (
        SELECT place, time < lag(time) OVER (ORDER BY place) AS earlier FROM line
            WHERE place >= (number << 36) AND place < ((number + 1) << 36)
    ) WHERE earlier
), 0);
