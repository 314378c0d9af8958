-- From schema 3 to 4: state remembers the options that boards were shown with.

ALTER TABLE state RENAME TO old_state;
CREATE TABLE state (
  id       INTEGER PRIMARY KEY CHECK (id = 1), -- the table has one row
  epoch    TEXT    NOT NULL,                   -- name of this database in event ids
  seq      INTEGER NOT NULL,                   -- the last seq that was given
  at       INTEGER NOT NULL,                   -- when it was given; never decreases
  answered INTEGER NOT NULL,                   -- table answers is complete up to this seq
  zone     TEXT    NOT NULL,                   -- the time zone of the periods in totals
  seen     INTEGER NOT NULL,                   -- seq of the last change that others can see, points aside
  seen_at  INTEGER NOT NULL,                   -- when that seq was given
  display  TEXT    NOT NULL                    -- the options that decide what boards show for the same data
) STRICT;
INSERT INTO state SELECT *, '' FROM old_state;
DROP TABLE old_state;
