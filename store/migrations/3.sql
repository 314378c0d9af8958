-- From schema 2 to 3: an idempotency key belongs to its caller; closed places keep their
-- numbers; what others can see has a time of its own.

ALTER TABLE keys RENAME TO old_keys; -- temporary tables would need room in another folder
CREATE TABLE keys (
  seq    INTEGER PRIMARY KEY,     -- the write's first in the ledger
  count  INTEGER NOT NULL,        -- how many rows it has there, in a row
  caller TEXT    NOT NULL,        -- the user that the write's token named; empty matches any
  key    TEXT    NOT NULL,
  digest BLOB    NOT NULL,        -- SHA-256 of what was asked for
  UNIQUE (caller, key)
) STRICT;
INSERT INTO keys (seq, count, caller, key, digest) SELECT seq, count, '', key, digest FROM old_keys ORDER BY seq;
DROP TABLE old_keys;

ALTER TABLE state RENAME TO old_state;
CREATE TABLE state (
  id       INTEGER PRIMARY KEY CHECK (id = 1), -- there is one row
  epoch    TEXT    NOT NULL,                   -- names this database in event ids
  seq      INTEGER NOT NULL,                   -- the last number given
  at       INTEGER NOT NULL,                   -- when it was given; never goes back
  answered INTEGER NOT NULL,                   -- up to this seq, answers is complete
  zone     TEXT    NOT NULL,                   -- the time zone of the periods in totals
  seen     INTEGER NOT NULL,                   -- the last seq of a change, other than of points, that others can see
  seen_at  INTEGER NOT NULL                    -- when it was given
) STRICT;
INSERT INTO state SELECT id, epoch, seq, at, answered, zone, seq, at FROM old_state;
DROP TABLE old_state;

-- The places of a closed period whose user was erased since, on the boards of groups and
-- friends that the user was on: with them the numbers of the others stay. They do not say
-- who it was. In finals, where everybody is, an erased place is just missing.
CREATE TABLE gaps (
  closing  INTEGER NOT NULL,
  kind     TEXT    NOT NULL, -- of the board, friends among them
  group_id TEXT    NOT NULL, -- of friends, the id of the user whose friends they are
  position INTEGER NOT NULL, -- as in finals
  rank     INTEGER NOT NULL, -- likewise
  PRIMARY KEY (closing, kind, group_id, position)
) STRICT, WITHOUT ROWID;
