// @ts-check
/** @import { Entry, Me, Page, Problem, RankChanged, Ranks } from "../marcador.d.ts" */
/** @import { State } from "./connection.js" */

import { normal } from "./topics.js";

/**
 * Checks everything that comes from the server or from another tab. Each function returns a fresh,
 * typed object, or throws a TypeError that names the first wrong field. `Top` is the state of a
 * board as a stream brings it: the first rows, and how many there are.
 *
 * @typedef {object} Top
 * @property {readonly Entry[]} entries
 * @property {number} totalEntries
 * @property {number} version
 * @property {string | null} lastUpdated
 *
 * @typedef {object} Authenticated
 * @property {string | null} userId
 * @property {string} socketId
 * @property {boolean} recovered
 * @property {string[]} boards
 * @property {Ranks} ranks
 *
 * @typedef {object} Change
 * @property {string} userId
 * @property {number | null} oldRank
 * @property {number | null} newRank
 * @property {Entry | null} entry
 *
 * @typedef {Omit<Top, "entries"> & { from: number, changes: Change[] }} Difference
 */

/** No tab shows as many boards. */
const MOST_WANTED = 1000;
const CHANGE_TYPES = ["up", "down", "same", "new"];
const RANKS = /** @type {const} */ (["ordinal", "competition", "dense"]);

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {Record<string, unknown>}
 */
function object(value, name) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} is not an object`);
  }
  return /** @type {Record<string, unknown>} */ (value);
}

/** @param {Record<string, unknown>} from @param {string} name */
function string(from, name) {
  const value = from[name];
  if (typeof value !== "string") throw new TypeError(`${name} is not a string`);
  return value;
}

/** @param {Record<string, unknown>} from @param {string} name @returns {string[]} */
function strings(from, name) {
  const value = from[name];
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string")) {
    throw new TypeError(`${name} is not a list of strings`);
  }
  return value;
}

/**
 * @param {Record<string, unknown>} from
 * @param {string} name
 * @param {number} least
 */
function integer(from, name, least) {
  const value = from[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
    throw new TypeError(`${name} is not a whole number from ${least}`);
  }
  return value;
}

/** @param {Record<string, unknown>} from @param {string} name */
function time(from, name) {
  const value = from[name];
  if (value === null) return null;
  if (typeof value !== "string" || Number.isNaN(Date.parse(value))) {
    throw new TypeError(`${name} is not a time`);
  }
  return value;
}

/**
 * @param {unknown} value
 * @returns {Entry}
 */
export function entry(value) {
  const from = object(value, "entry");
  const changeType = string(from, "changeType");
  if (!CHANGE_TYPES.includes(changeType)) throw new TypeError("changeType is unknown");
  if (typeof from.isCurrentUser !== "boolean")
    throw new TypeError("isCurrentUser is not a boolean");
  if (from.userId === "") throw new TypeError("userId is empty");
  return {
    rank: integer(from, "rank", 1),
    userId: string(from, "userId"),
    username: string(from, "username"),
    avatar: string(from, "avatar"),
    rankBadge: string(from, "rankBadge"),
    score: integer(from, "score", Number.MIN_SAFE_INTEGER),
    xp: integer(from, "xp", Number.MIN_SAFE_INTEGER),
    mlCoins: integer(from, "mlCoins", Number.MIN_SAFE_INTEGER),
    change: integer(from, "change", 0),
    changeType: /** @type {Entry["changeType"]} */ (changeType),
    isCurrentUser: from.isCurrentUser,
  };
}

/**
 * @param {unknown} value
 * @param {string} name
 * @param {number} totalEntries
 * @param {boolean} [fromTop] whether they begin with the best row
 */
function entries(value, name, totalEntries, fromTop = true) {
  if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`);
  const list = value.map(entry);
  if (list.length > totalEntries) throw new TypeError(`${name} is longer than totalEntries`);
  if (list.length === 0 && totalEntries > 0 && fromTop) throw new TypeError(`${name} is empty`);
  if (new Set(list.map((one) => one.userId)).size < list.length) {
    throw new TypeError(`${name} has a user twice`);
  }
  return list;
}

/**
 * How equal scores are numbered. Older services do not say it.
 * @param {unknown} value
 * @returns {Ranks}
 */
function ranksOf(value = "ordinal") {
  const known = RANKS.find((one) => one === value);
  if (known === undefined) throw new TypeError(`ranks is not one of ${RANKS.join(", ")}`);
  return known;
}

/** The topic of an event. @param {unknown} value */
export function subject(value) {
  const from = object(value, "data");
  return { board: string(from, "board"), period: string(from, "period") };
}

/** @param {Record<string, unknown>} from @param {string} board @param {string} period */
function followed(from, board, period) {
  const name = string(from, "board");
  if (name !== board && name !== normal(board)) {
    throw new TypeError("board is not the one followed");
  }
  if (string(from, "period") !== period) throw new TypeError("period is not the one followed");
}

/**
 * The data of `leaderboard:updated`.
 * @param {unknown} value
 * @param {string} board
 * @param {string} period
 * @returns {Top}
 */
export function update(value, board, period) {
  const from = object(value, "data");
  followed(from, board, period);
  const totalEntries = integer(from, "totalEntries", 0);
  return {
    entries: entries(from.leaderboard, "leaderboard", totalEntries),
    totalEntries,
    version: integer(from, "version", 0),
    lastUpdated: time(from, "timestamp"),
  };
}

/**
 * The data of `position_change`. Changes with a new rank are in the order of those ranks.
 * @param {unknown} value
 * @param {string} board
 * @param {string} period
 * @returns {Difference}
 */
export function difference(value, board, period) {
  const from = object(value, "data");
  followed(from, board, period);
  if (!Array.isArray(from.changes)) throw new TypeError("changes is not a list");
  const changes = from.changes.map(change);
  if (new Set(changes.map((one) => one.userId)).size < changes.length) {
    throw new TypeError("changes has a user twice");
  }
  const ranks = changes.flatMap(({ newRank }) => (newRank === null ? [] : [newRank]));
  if (ranks.some((rank, i) => i > 0 && rank < ranks[i - 1])) {
    throw new TypeError("changes is not in the order of ranks");
  }
  const version = integer(from, "version", 0);
  return {
    from: integer(from, "from", 0),
    version,
    changes,
    totalEntries: integer(from, "totalEntries", 0),
    lastUpdated: time(from, "timestamp"),
  };
}

/** @param {unknown} value @returns {Change} */
function change(value) {
  const from = object(value, "change");
  const userId = string(from, "userId");
  const newRank = rank(from, "newRank");
  const row = from.entry === undefined ? null : entry(from.entry);
  if (row !== null && (row.userId !== userId || row.rank !== newRank)) {
    throw new TypeError("entry is of another user or rank");
  }
  return { userId, oldRank: rank(from, "oldRank"), newRank, entry: row };
}

/**
 * The body of `GET /v1/leaderboards/{board}`.
 * @param {unknown} value
 * @param {string} board
 * @param {string} period
 * @returns {Page}
 */
export function page(value, board, period) {
  const from = object(value, "page");
  followed(from, board, period);
  const totalEntries = integer(from, "totalEntries", 0);
  return {
    entries: entries(from.entries, "entries", totalEntries, false),
    totalEntries,
    version: integer(from, "version", 0),
    lastUpdated: time(from, "lastUpdated"),
    ranks: ranksOf(from.ranks),
    me: from.me === null ? null : me(from.me),
  };
}

/**
 * @param {unknown} value
 * @returns {Me}
 */
function me(value) {
  const from = object(value, "me");
  const { percentile } = from;
  if (typeof percentile !== "number" || !(percentile >= 0 && percentile <= 100)) {
    throw new TypeError("percentile is not a number from 0 to 100");
  }
  const pointsToNext = from.pointsToNext === null ? null : integer(from, "pointsToNext", 0);
  const own = { isCurrentUser: true, percentile, pointsToNext };
  if (from.rank !== null) return { ...entry(from), ...own };
  const nextRank = from.nextRank === null ? null : integer(from, "nextRank", 1);
  return { ...entry({ ...from, rank: 1, score: 0 }), ...own, rank: null, score: null, nextRank };
}

/**
 * The data of `authenticated`.
 * @param {unknown} value
 * @returns {Authenticated}
 */
export function authenticated(value) {
  const from = object(value, "data");
  if (from.success !== true) throw new TypeError("success is not true");
  if (typeof from.recovered !== "boolean") throw new TypeError("recovered is not a boolean");
  const userId = from.userId === null ? null : string(from, "userId");
  return {
    userId: userId || null,
    socketId: string(from, "socketId"),
    recovered: from.recovered,
    boards: strings(from, "boards"),
    ranks: ranksOf(from.ranks),
  };
}

/**
 * The data of `rank_changed`.
 * @param {unknown} value
 * @param {string} board
 * @param {string} period
 * @returns {RankChanged}
 */
export function move(value, board, period) {
  const from = object(value, "data");
  followed(from, board, period);
  if (from.userId === "") throw new TypeError("userId is empty");
  return Object.freeze({
    userId: string(from, "userId"),
    board,
    period,
    oldRank: rank(from, "oldRank"),
    newRank: rank(from, "newRank"),
    pointsGained: integer(from, "pointsGained", Number.MIN_SAFE_INTEGER),
  });
}

/** @param {Record<string, unknown>} from @param {string} name */
function rank(from, name) {
  return from[name] === null ? null : integer(from, name, 1);
}

/**
 * The data of `error`.
 * @param {unknown} value
 */
export function failure(value) {
  const from = object(value, "data");
  // An error without a board ends the whole stream.
  const board = from.board === undefined || from.board === null ? null : string(from, "board");
  return { code: string(from, "code"), message: string(from, "message"), board };
}

/**
 * The data of `goodbye`.
 * @param {unknown} value
 */
export function goodbye(value) {
  const from = object(value, "data");
  return { reason: string(from, "reason"), retryAfter: integer(from, "retryAfter", 0) };
}

const STATUSES = /** @type {const} */ ([
  "waiting",
  "live",
  "offline",
  "readonly",
  "buffered",
  "replaced",
]);

/**
 * The states of the leading tab's boards, by key.
 * @param {unknown} value
 * @returns {Map<string, State>}
 */
export function states(value) {
  if (!Array.isArray(value)) throw new TypeError("states is not a list");
  return new Map(
    value.map((one) => {
      const [key, state] = Array.isArray(one) ? one : [];
      if (typeof key !== "string") throw new TypeError("a state has no key");
      const from = object(state, "state");
      const status = STATUSES.find((known) => known === from.status);
      if (status === undefined) throw new TypeError("status is unknown");
      const userId = from.userId === null ? null : string(from, "userId");
      const error = from.error === null ? null : problem(from.error);
      const ranks = from.ranks === undefined ? {} : { ranks: ranksOf(from.ranks) };
      return [key, Object.freeze({ status, userId, error, ...ranks })];
    }),
  );
}

/**
 * What a tab wants from the leading tab.
 * @param {Record<string, unknown>} from
 */
export function wants(from) {
  if (!Array.isArray(from.boards) || from.boards.length > MOST_WANTED) {
    throw new TypeError("boards is not a list, or too long");
  }
  return { tab: string(from, "tab"), topics: from.boards.map(subject) };
}

/** @param {unknown} value @returns {Problem} */
function problem(value) {
  const from = object(value, "error");
  const [status, code, message] = [
    integer(from, "status", 0),
    string(from, "code"),
    string(from, "message"),
  ];
  return Object.freeze({ status, code, message });
}

/**
 * Which state of the stream a tab's message is about.
 * @param {Record<string, unknown>} from
 */
export function position(from) {
  return {
    id: string(from, "id"),
    keys: strings(from, "keys"),
    epoch: from.epoch === null || from.epoch === undefined ? null : string(from, "epoch"),
  };
}
