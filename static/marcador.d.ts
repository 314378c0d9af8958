// This module also defines the tag <marcador-board>.
export type {
  MarcadorBoard,
  MarcadorBoardAttributes,
  MarcadorBoardEvents,
} from "./element.js";

/** One row of a board. */
export interface Entry {
  /** Number on the board, from 1. How equal scores are numbered is `ranks`. */
  readonly rank: number;
  readonly userId: string;
  readonly username: string;
  /** Address of a picture, or "". */
  readonly avatar: string;
  /** Maya rank of the total, such as "Nacom". */
  readonly rankBadge: string;
  /** Points that count in the period. */
  readonly score: number;
  /** Points in total. */
  readonly xp: number;
  readonly mlCoins: number;
  /** How many places the user moved since the period before, never negative. */
  readonly change: number;
  readonly changeType: "up" | "down" | "same" | "new";
  /** True for the user that the token speaks for. */
  readonly isCurrentUser: boolean;
}

/**
 * The current user's own place, also far below the rows. Without points in the period, how to get a
 * place.
 */
export type Me = RankedMe | UnrankedMe;

export interface RankedMe extends Entry {
  /** Share of the board below the user, 0 to 100, with one decimal. */
  readonly percentile: number;
  /** Points to the next place, null at the top. */
  readonly pointsToNext: number | null;
}

/** A user who is on the board and has no points in the period yet. */
export interface UnrankedMe extends Omit<RankedMe, "rank" | "score"> {
  readonly rank: null;
  readonly score: null;
  /** The rank that the user gets with `pointsToNext` points. */
  readonly nextRank: number | null;
}

/** How equal scores are numbered: 1 2 3 4, 1 2 2 4, or 1 2 2 3. */
export type Ranks = "ordinal" | "competition" | "dense";

/**
 * - `connecting`: no data yet, the first answer has not come
 * - `live`: the stream is open
 * - `stale`: the stream is lost and is tried again, the data stays
 * - `offline`: six tries in a row failed, there is no such board, or neither the stream nor the
 *   board's page comes. There is one more try a minute, and `retry()` tries at once
 * - `polling`: the board's page is read every 15 s while this page is visible. A proxy holds the
 *   stream back, or a newer stream of the same user replaced it, or 96 other boards of this page
 *   and the user's other tabs fill all streams. It becomes `offline` if the board can't be read
 * - `readonly`: there is no token, or it does not allow to follow. The board's page is read every
 *   15 s while this page is visible
 */
export type Status = "connecting" | "live" | "stale" | "offline" | "polling" | "readonly";

/** Why the last request or stream failed. */
export interface Problem {
  /** HTTP status, 0 without an answer. */
  readonly status: number;
  /**
   * The server's stable code, or `network`, `token`, `malformed`, `gap`, `closed`. `cors`: the
   * service is there and does not let this site call it. `csp`: the page's own policy does not let
   * it.
   */
  readonly code: string;
  readonly message: string;
}

/** A slice of a board, read once. */
export interface Page {
  readonly entries: readonly Entry[];
  readonly totalEntries: number;
  readonly version: number;
  readonly lastUpdated: string | null;
  readonly ranks: Ranks;
  readonly me: Me | null;
}

/** The user's own rank moved on the board, in the rows or below them. Null stands for no rank. */
export interface RankChanged {
  readonly userId: string;
  readonly board: string;
  readonly period: string;
  readonly oldRank: number | null;
  readonly newRank: number | null;
  readonly pointsGained: number;
}

/** A snapshot is frozen. There is a new one only when something in it has changed. */
export interface Snapshot {
  readonly status: Status;
  readonly board: string;
  readonly period: string;
  /** Best first, as many as the option `rows` says. */
  readonly entries: readonly Entry[];
  readonly totalEntries: number;
  /** Sequence number of the last change in `entries`, null before the first data. */
  readonly version: number | null;
  /** RFC 3339. Null before the first data, and for a board without any change. */
  readonly lastUpdated: string | null;
  readonly me: Me | null;
  /** Null for an anonymous reader. */
  readonly userId: string | null;
  readonly error: Problem | null;
}

export interface ConnectOptions {
  /**
   * `global` (the default), `school:42`, … The snapshot and events have the name as it is given
   * here.
   */
  board?: string;
  /** `all-time` (the default), `daily`, `weekly` or `monthly`. */
  period?: string;
  /**
   * Origin and path prefix of the service, "" for the page's own origin. The default is the service
   * that this module came from, and "" in a bundle.
   */
  baseUrl?: string;
  /**
   * Gives a token, and is called again when that one has expired. Null or "" means that there is no
   * token, so the board is only read. Without this option the stream is tried with the page's
   * cookie.
   */
  getToken?: () => Promise<string | null>;
  /**
   * How many rows the snapshot has, 1 to 1000. The default is what the stream brings (the service's
   * `--top`), or 100 by polling.
   */
  rows?: number;
  /**
   * False for a stream that other tabs do not share (true). Boards of this page with false share
   * one.
   */
  shared?: boolean;
}

/** A board that is followed. Its methods need no `this`. */
export interface Board {
  /** Calls `listener` after each change of the snapshot. The returned function ends that. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): Snapshot;
  /** Calls `listener` with each move of the user's own rank. The returned function ends that. */
  on(type: "rank_changed", listener: (move: RankChanged) => void): () => void;
  /** Reads the board once. Always resolves. A failure is in the snapshot's `error`. */
  refresh(): Promise<void>;
  /**
   * Reads the rows around the user's own, with so many above and below (5). Rejects with an Error
   * that has the `status` and `code` of a Problem.
   */
  around(neighbours?: number): Promise<Page>;
  /** Reads JSON from a path of the service, with the board's token. Rejects like `around`. */
  read(path: string): Promise<unknown>;
  /**
   * Tries the stream at once, with a fresh token if there was none, as if no try had failed before.
   */
  retry(): void;
  /** Ends the stream, all requests and all timers. The last snapshot can still be read. */
  close(): void;
}

/** Follows a board until `close()`. Throws a TypeError that names a wrong option. */
export function connect(options?: ConnectOptions): Board;
