-- From schema 1 to 2: memberships with a time, friends, privacy, closed periods.

ALTER TABLE state RENAME TO old_state;
CREATE TABLE state (
  id       INTEGER PRIMARY KEY CHECK (id = 1), -- the table has one row
  epoch    TEXT    NOT NULL,                   -- name of this database in event ids
  seq      INTEGER NOT NULL,                   -- the last seq that was given
  at       INTEGER NOT NULL,                   -- when it was given; never decreases
  answered INTEGER NOT NULL,                   -- table answers is complete up to this seq
  zone     TEXT    NOT NULL                    -- the time zone of the periods in totals
) STRICT;
INSERT INTO state SELECT id, epoch, seq, at, answered, '' FROM old_state; -- with no zone, the periods in totals are computed when the database is opened
DROP TABLE old_state;

-- Copied, not renamed: the other tables' references would follow a renamed table.
CREATE TABLE old_users AS SELECT * FROM users;
DROP TABLE users;
CREATE TABLE users (
  number     INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE, -- the caller's own id for the person
  username   TEXT    NOT NULL,
  avatar     TEXT    NOT NULL,        -- https: or data:image/ address, or empty
  email      TEXT    NOT NULL,        -- e-mail address, or empty
  created_at INTEGER NOT NULL,
  pseudonym  TEXT    NOT NULL DEFAULT '', -- shown instead of name and avatar, or empty
  hidden     INTEGER NOT NULL DEFAULT 0,  -- 1: only the person sees themselves on boards
  seen_since INTEGER NOT NULL DEFAULT 0   -- since when others see the person: created, or shown again
) STRICT;
INSERT INTO users (number, id, username, avatar, email, created_at, seen_since)
SELECT number, id, username, avatar, email, created_at, created_at FROM old_users;

DROP INDEX memberships_by_group;
ALTER TABLE memberships RENAME TO old_memberships;
CREATE TABLE memberships (
  user     INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  kind     TEXT    NOT NULL, -- school, classroom, or any other kind
  group_id TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  until    INTEGER,          -- null while the membership lasts
  PRIMARY KEY (user, kind, group_id, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_group ON memberships (kind, group_id, until);
INSERT INTO memberships (user, kind, group_id, since)
SELECT m.user, m.kind, m.group_id, u.created_at FROM old_memberships m JOIN users u ON u.number = m.user;

ALTER TABLE totals RENAME TO old_totals;
CREATE TABLE totals (
  user           INTEGER PRIMARY KEY REFERENCES users (number) ON DELETE CASCADE,
  xp             INTEGER NOT NULL CHECK (xp >= 0),
  ml_coins       INTEGER NOT NULL CHECK (ml_coins >= 0),
  reached        INTEGER NOT NULL,
  day            INTEGER NOT NULL, -- start of the day
  day_xp         INTEGER NOT NULL, -- points gained since then
  day_reached    INTEGER NOT NULL, -- the value of reached at the start of the day
  prior_day      INTEGER NOT NULL DEFAULT 0,
  prior_day_xp   INTEGER NOT NULL DEFAULT 0,
  week           INTEGER NOT NULL,
  week_xp        INTEGER NOT NULL,
  week_reached   INTEGER NOT NULL,
  prior_week     INTEGER NOT NULL DEFAULT 0,
  prior_week_xp  INTEGER NOT NULL DEFAULT 0,
  month          INTEGER NOT NULL,
  month_xp       INTEGER NOT NULL,
  month_reached  INTEGER NOT NULL,
  prior_month    INTEGER NOT NULL DEFAULT 0,
  prior_month_xp INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached, week, week_xp, week_reached, month, month_xp, month_reached)
SELECT user, xp, ml_coins, reached, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM old_totals;

DROP TABLE old_users;
DROP TABLE old_memberships;
DROP TABLE old_totals;

CREATE TABLE friends (
  user   INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  friend INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  since  INTEGER NOT NULL,
  PRIMARY KEY (user, friend)
) STRICT, WITHOUT ROWID;

CREATE INDEX friends_by_friend ON friends (friend);

CREATE TABLE limits (
  board TEXT    PRIMARY KEY,
  top   INTEGER NOT NULL CHECK (top > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE closings (
  number   INTEGER PRIMARY KEY,
  period   TEXT    NOT NULL, -- daily, weekly, monthly
  start    INTEGER NOT NULL,
  ends     INTEGER NOT NULL, -- when the next period starts
  ranks    TEXT    NOT NULL, -- how equal scores are numbered: ordinal, competition, dense
  entries  INTEGER NOT NULL, -- number of places, without hidden users
  complete INTEGER NOT NULL, -- 0 while the places are still being written
  UNIQUE (period, start)
) STRICT;

CREATE TABLE finals (
  closing  INTEGER NOT NULL,
  position INTEGER NOT NULL, -- from 1
  user     INTEGER NOT NULL,
  rank     INTEGER NOT NULL, -- by the closing's numbering
  prior    INTEGER NOT NULL, -- the rank in the period before; 0: not on that board
  score    INTEGER NOT NULL, -- points gained in the period
  xp       INTEGER NOT NULL, -- total points at its end
  ml_coins INTEGER NOT NULL,
  PRIMARY KEY (closing, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
  closing  INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (closing, user)
) STRICT, WITHOUT ROWID;
