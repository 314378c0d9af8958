-- All tables of a new database.
--
-- Times are Unix milliseconds in UTC. A seq is a number from one sequence that every committed
-- change, of whatever kind, takes a number from. Pages and events call it their version. User
-- numbers are small and dense, so that arrays in memory can be indexed by them. They mean nothing
-- outside of this database, and after an erasure a number may be given to another user.

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

-- Who is in which group, and who was. A closed period's board of a group has the users who were
-- members when the period closed.
CREATE TABLE memberships (
  user     INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  kind     TEXT    NOT NULL, -- school, classroom, or any other kind
  group_id TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  until    INTEGER,          -- null while the membership lasts
  PRIMARY KEY (user, kind, group_id, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_group ON memberships (kind, group_id, until);

-- Wishes for friendships: "user" has asked to be friends with "friend". FriendsRule in store/ says
-- which wishes make two users friends.
CREATE TABLE friends (
  user   INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  friend INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  since  INTEGER NOT NULL,
  PRIMARY KEY (user, friend)
) STRICT, WITHOUT ROWID;

CREATE INDEX friends_by_friend ON friends (friend);

-- How many of a board's best users are shown. A board without a row shows all.
CREATE TABLE limits (
  board TEXT    PRIMARY KEY,
  top   INTEGER NOT NULL CHECK (top > 0)
) STRICT, WITHOUT ROWID;

-- Every change of points, oldest first. Rows are only ever added; erasing a user removes the
-- user's rows.
CREATE TABLE ledger (
  seq            INTEGER PRIMARY KEY,
  user           INTEGER NOT NULL REFERENCES users (number) ON DELETE CASCADE,
  xp             INTEGER NOT NULL, -- points added; negative: taken away
  ml_coins       INTEGER NOT NULL, -- coins added; negative: taken away
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

-- The idempotency keys of writes, so that a repeated write is recognised. When a user is erased,
-- the keys of batches and of imported files stay, since a repetition would count the other users
-- twice. If the caller is erased, a text that can't be an id replaces the caller.
CREATE TABLE keys (
  seq    INTEGER PRIMARY KEY,     -- the write's first row in the ledger
  count  INTEGER NOT NULL,        -- how many consecutive rows it has there
  caller TEXT    NOT NULL,        -- the user that the write's token named; empty matches every caller
  key    TEXT    NOT NULL,
  digest BLOB    NOT NULL,        -- SHA-256 of the updates that were asked for
  UNIQUE (caller, key)
) STRICT;

-- The ranks that writes with a key were answered with, so that a repetition gets the same answer.
-- Ranks are known only after the write's own commit, so the next transaction stores them. 0 means
-- that the user had no rank.
CREATE TABLE answers (
  seq      INTEGER PRIMARY KEY REFERENCES ledger (seq) ON DELETE CASCADE,
  old_rank INTEGER NOT NULL,
  new_rank INTEGER NOT NULL
) STRICT;

-- The sums of the ledger for each user. day, week and month are the starts of the last day, week
-- and month in which the user's points changed. They may be past: then the user has no points in
-- the present period. prior_day and so on are the starts of the last ones before, 0 for none.
-- reached is the seq of the last row that changed the user's points, 0 for none. Of two equal
-- scores, the one with the lower seq comes first.
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

-- Periods that are over. Later closings have higher numbers.
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

-- The places of a closed period on the global board. The places of a group's board are those of
-- its members, in the same order. Users who were hidden come behind the last place, which is
-- closings.entries. Column user has no REFERENCES, because then each erasure would search the
-- whole table; Store.Erase removes the rows itself.
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

-- The position of each user in finals. It is a table of its own, and not an index of finals, so
-- that it can be written in the order of users. An index would be written in random order, and a
-- thousand users would touch a thousand pages.
CREATE TABLE places (
  closing  INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (closing, user)
) STRICT, WITHOUT ROWID;

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

-- Badges: a user has the badge with the highest min_xp that the user's points reach.
CREATE TABLE badges (
  min_xp INTEGER PRIMARY KEY,
  name   TEXT    NOT NULL
) STRICT;

INSERT INTO badges (min_xp, name) VALUES
  (0, 'Ajaw'), (5000, 'Nacom'), (25000, 'Ah K''in'), (100000, 'Halach Uinic'), (500000, 'K''uk''ulkan');
