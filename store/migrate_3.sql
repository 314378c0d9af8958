-- From schema 2 to 3: an idempotency key belongs to its caller.

CREATE TEMP TABLE old_keys AS SELECT * FROM keys;
DROP TABLE keys;
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
