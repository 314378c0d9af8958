-- From schema 2 to 3: idempotency keys belong to their callers, erased users leave gaps in closed
-- periods, and state has the last change that others can see.

ALTER TABLE keys RENAME TO old_keys; -- a temporary table would need room in another folder
CREATE TABLE keys (
  seq    INTEGER PRIMARY KEY,     -- the write's first row in the ledger
  count  INTEGER NOT NULL,        -- how many consecutive rows it has there
  caller TEXT    NOT NULL,        -- the user that the write's token named; empty matches every caller
  key    TEXT    NOT NULL,
  digest BLOB    NOT NULL,        -- SHA-256 of the updates that were asked for
  UNIQUE (caller, key)
) STRICT;
INSERT INTO keys (seq, count, caller, key, digest) SELECT seq, count, '', key, digest FROM old_keys ORDER BY seq;
DROP TABLE old_keys;

ALTER TABLE state RENAME TO old_state;
CREATE TABLE state (
  id       INTEGER PRIMARY KEY CHECK (id = 1), -- the table has one row
  epoch    TEXT    NOT NULL,                   -- name of this database in event ids
  seq      INTEGER NOT NULL,                   -- the last seq that was given
  at       INTEGER NOT NULL,                   -- when it was given; never decreases
  answered INTEGER NOT NULL,                   -- table answers is complete up to this seq
  zone     TEXT    NOT NULL,                   -- the time zone of the periods in totals
  seen     INTEGER NOT NULL,                   -- seq of the last change that others can see, points aside
  seen_at  INTEGER NOT NULL                    -- when that seq was given
) STRICT;
INSERT INTO state SELECT id, epoch, seq, at, answered, zone, seq, at FROM old_state;
DROP TABLE old_state;

-- Places of users who were erased after the period closed, on the boards of groups and friends that
-- they were on. Because of these rows the others keep their places and ranks. They do not say who
-- had the place. In finals the place of an erased user is missing instead.
CREATE TABLE gaps (
  closing  INTEGER NOT NULL,
  kind     TEXT    NOT NULL, -- kind of the board: of a group, or friends
  group_id TEXT    NOT NULL, -- the id of the group; for friends, of the user whose board it is
  position INTEGER NOT NULL, -- as in finals
  rank     INTEGER NOT NULL, -- as in finals
  PRIMARY KEY (closing, kind, group_id, position)
) STRICT, WITHOUT ROWID;
