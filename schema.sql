-- The whole database, as a new one is made.
--
-- Times are Unix milliseconds in UTC. A seq is a number of the one sequence
-- that every committed change takes its number from: it is what pages and
-- events call their version. User numbers are dense and small, for the arrays
-- in memory; they mean nothing outside and may be given again after an erasure.

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

CREATE TABLE users (
  number     INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE, -- the caller's own id for the person
  username   TEXT    NOT NULL,
  avatar     TEXT    NOT NULL,        -- https: or data:image/ address, or empty
  email      TEXT    NOT NULL,        -- or empty
  created_at INTEGER NOT NULL,
  pseudonym  TEXT    NOT NULL DEFAULT '', -- shown instead of name and avatar, or empty
  hidden     INTEGER NOT NULL DEFAULT 0,  -- 1: nobody else sees the person on a board
  seen_since INTEGER NOT NULL DEFAULT 0   -- since when others do: created, or shown again
) STRICT;

-- Who is in which group, and who was: a closed period's board is of those who were
-- in the group when it closed.
CREATE TABLE memberships (
  user     INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  kind     TEXT    NOT NULL, -- school, classroom, any other
  group_id TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  until    INTEGER,          -- null while it lasts
  PRIMARY KEY (user, kind, group_id, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_group ON memberships (kind, group_id, until);

-- Friendships, each in both directions.
CREATE TABLE friends (
  user   INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  friend INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  since  INTEGER NOT NULL,
  PRIMARY KEY (user, friend)
) STRICT, WITHOUT ROWID;

CREATE INDEX friends_by_friend ON friends (friend);

-- How many of a board's best are shown; a board that is not here shows all.
CREATE TABLE limits (
  board TEXT    PRIMARY KEY,
  top   INTEGER NOT NULL CHECK (top > 0)
) STRICT, WITHOUT ROWID;

-- Every change of points, oldest first. Rows are only ever added, save that
-- erasing a person takes theirs along.
CREATE TABLE ledger (
  seq            INTEGER PRIMARY KEY,
  user           INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  xp             INTEGER NOT NULL, -- points added; negative takes away
  ml_coins       INTEGER NOT NULL, -- coins added, likewise
  xp_after       INTEGER NOT NULL CHECK (xp_after >= 0),
  ml_coins_after INTEGER NOT NULL CHECK (ml_coins_after >= 0),
  reason         TEXT    NOT NULL,
  at             INTEGER NOT NULL
) STRICT;

CREATE INDEX ledger_by_user ON ledger (user, seq);

CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON ledger
BEGIN
  SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- The idempotency keys of writes, so that a repetition is recognised. A batch's
-- key stays when somebody in it is erased, lest the others be counted twice, and so
-- does any of an imported file. A caller that was erased is replaced by a text that is no id.
CREATE TABLE keys (
  seq    INTEGER PRIMARY KEY,     -- the write's first in the ledger
  count  INTEGER NOT NULL,        -- how many rows it has there, in a row
  caller TEXT    NOT NULL,        -- the user that the write's token named; empty matches any
  key    TEXT    NOT NULL,
  digest BLOB    NOT NULL,        -- SHA-256 of what was asked for
  UNIQUE (caller, key)
) STRICT;

-- The ranks that keyed writes were answered with, so that a repetition is
-- answered with the same. They are known only after the write's own commit, so
-- they come with the next one; 0 stands for "not ranked".
CREATE TABLE answers (
  seq      INTEGER PRIMARY KEY REFERENCES ledger (seq) ON DELETE CASCADE,
  old_rank INTEGER NOT NULL,
  new_rank INTEGER NOT NULL
) STRICT;

-- What the ledger adds up to. The three periods are the ones in which the user
-- last gained points: where a start lies before the present period's, the points
-- in it count as 0. "Prior" is the one before that in which the user gained any.
-- "Reached" is the seq with which a score became what it is, and decides between
-- equal scores; 0 before the first point.
CREATE TABLE totals (
  user           INTEGER PRIMARY KEY REFERENCES users (number) ON DELETE CASCADE,
  xp             INTEGER NOT NULL CHECK (xp >= 0),
  ml_coins       INTEGER NOT NULL CHECK (ml_coins >= 0),
  reached        INTEGER NOT NULL,
  day            INTEGER NOT NULL, -- start of the period
  day_xp         INTEGER NOT NULL, -- points since
  day_reached    INTEGER NOT NULL, -- what reached was at its start
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

-- Periods that are over, newest number last.
CREATE TABLE closings (
  number   INTEGER PRIMARY KEY,
  period   TEXT    NOT NULL, -- daily, weekly, monthly
  start    INTEGER NOT NULL,
  ends     INTEGER NOT NULL, -- the next one's start
  ranks    TEXT    NOT NULL, -- how equal scores are numbered: ordinal, competition, dense
  entries  INTEGER NOT NULL, -- how many places there are
  complete INTEGER NOT NULL, -- 0 while the places are still being written
  UNIQUE (period, start)
) STRICT;

-- The places of a closed period, of everybody together: those of a group are its
-- members' in the same order. Who was hidden comes after the last place. There is no
-- reference to users, for which each erasure would search them all: see Store.Erase.
CREATE TABLE finals (
  closing  INTEGER NOT NULL,
  position INTEGER NOT NULL, -- from 1
  user     INTEGER NOT NULL,
  rank     INTEGER NOT NULL, -- in the closing's numbering
  prior    INTEGER NOT NULL, -- the rank in the period before; 0: was not there
  score    INTEGER NOT NULL, -- points in the period
  xp       INTEGER NOT NULL, -- the totals at its end
  ml_coins INTEGER NOT NULL,
  PRIMARY KEY (closing, position)
) STRICT, WITHOUT ROWID;

-- Where in finals a user is. A table and no index, so that it can be written in its
-- own order: at random, each thousand users would touch a thousand pages.
CREATE TABLE places (
  closing  INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (closing, user)
) STRICT, WITHOUT ROWID;

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

-- The rank that a total earns: the last row whose min_xp it reaches.
CREATE TABLE badges (
  min_xp INTEGER PRIMARY KEY,
  name   TEXT    NOT NULL
) STRICT;

INSERT INTO badges (min_xp, name) VALUES
  (0, 'Ajaw'), (5000, 'Nacom'), (25000, 'Ah K''in'), (100000, 'Halach Uinic'), (500000, 'K''uk''ulkan');
