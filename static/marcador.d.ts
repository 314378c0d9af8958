// This module defines the tag <marcador-board> too.
export type {
  MarcadorBoard,
  MarcadorBoardAttributes,
  MarcadorBoardEvents,
} from "./element.js";

/** One row of a board. */
export interface Entry {
  /** Place on the board, from 1. */
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
  /** Places moved since the period before, never negative. */
  readonly change: number;
  readonly changeType: "up" | "down" | "same" | "new";
  /** True for the user that the token speaks for. */
  readonly isCurrentUser: boolean;
}

/** The current user's own place, on the page or far below it; without points in the period, the way to one. */
export type Me = RankedMe | UnrankedMe;

export interface RankedMe extends Entry {
  /** Share of the board that stands below, 0 to 100, with one decimal. */
  readonly percentile: number;
  /** Points that would take the next place; null at the top. */
  readonly pointsToNext: number | null;
}

/** Who is on the board and has no points in the period yet. */
export interface UnrankedMe extends Omit<RankedMe, "rank" | "score"> {
  readonly rank: null;
  readonly score: null;
  /** The place that `pointsToNext` would give. */
  readonly nextRank: number | null;
}

/** How equal scores are numbered: 1 2 3 4, 1 2 2 4, or 1 2 2 3. */
export type Ranks = "ordinal" | "competition" | "dense";

/**
 * - `connecting`: no data yet, a first answer is awaited
 * - `live`: the stream is open
 * - `stale`: the stream is lost, the data stays, a new try is under way
 * - `offline`: a try and five more in a row failed, there is no such board, or neither the stream
 *   nor the page comes; there is one more try a minute, and `retry()` tries at once
 * - `polling`: the page is read every 15 s while visible, since something on the way holds the
 *   stream back, a newer stream of the same user took its place, or 96 other boards of this page
 *   and the user's other tabs fill the streams; `offline` where the page can't be read either
 * - `readonly`: no token, or one that may not follow: the page is read every 15 s while visible
 */
export type Status = "connecting" | "live" | "stale" | "offline" | "polling" | "readonly";

/** Why the last request or stream failed. */
export interface Problem {
  /** HTTP status, or 0 where there was no answer. */
  readonly status: number;
  /**
   * The server's stable code, or `network`, `token`, `malformed`, `gap`, `closed`; `cors` where the service is there
   * and does not let this site call it, `csp` where the page's own policy does not.
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

/** The user's own rank moved on the board, among the rows or not. A rank of null is none. */
export interface RankChanged {
  readonly userId: string;
  readonly board: string;
  readonly period: string;
  readonly oldRank: number | null;
  readonly newRank: number | null;
  readonly pointsGained: number;
}

/** Frozen. A new one is made only when something in it changed. */
export interface Snapshot {
  readonly status: Status;
  readonly board: string;
  readonly period: string;
  /** Best first; `rows` says how many. */
  readonly entries: readonly Entry[];
  readonly totalEntries: number;
  /** Sequence number of the last update that `entries` contains; null before the first data. */
  readonly version: number | null;
  /** RFC 3339, or null where nothing was ever written or read. */
  readonly lastUpdated: string | null;
  readonly me: Me | null;
  /** Null for an anonymous reader. */
  readonly userId: string | null;
  readonly error: Problem | null;
}

export interface ConnectOptions {
  /** `global` (the default), `school:42`, … The snapshot and events name it as it is given here. */
  board?: string;
  /** `all-time` (the default), `daily`, `weekly` or `monthly`. */
  period?: string;
  /**
   * Origin and path prefix of the service; "" is the page's own origin. Without it, the service that this module
   * came from, and "" in a bundle.
   */
  baseUrl?: string;
  /**
   * Gives a token, and is asked again when that one has expired. Null or "" means that there is none, which
   * leaves plain reading. Without this option the stream is tried with the page's cookie.
   */
  getToken?: () => Promise<string | null>;
  /** How many rows are kept, 1 to 1000. Without it, all that the stream brings, the service's `--top`, or 100 by polling. */
  rows?: number;
  /** False for a stream that no other tab shares (true). The boards of this page that say so share one. */
  shared?: boolean;
}

/** A followed board. Its methods need no `this`. */
export interface Board {
  /** Calls `listener` after each change of the snapshot; gives the function that ends this. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): Snapshot;
  /** Calls `listener` with each move of the user's own rank; gives the function that ends this. */
  on(type: "rank_changed", listener: (move: RankChanged) => void): () => void;
  /** Reads the page once. Always resolves; a failure stands in the snapshot's `error`. */
  refresh(): Promise<void>;
  /**
   * Reads the rows around the user's own, with so many above and below (5). Rejects with an Error that has a
   * Problem's `status` and `code`.
   */
  around(neighbours?: number): Promise<Page>;
  /** Reads JSON from a path of the service, with the board's token. Rejects as `around` does. */
  read(path: string): Promise<unknown>;
  /** Tries the stream at once, with a fresh token where there was none and all five tries ahead. */
  retry(): void;
  /** Ends the stream, every request and every timer. The last snapshot stays readable. */
  close(): void;
}

/** Follows a board, from now until `close()`. Throws a TypeError that names the option which is wrong. */
export function connect(options?: ConnectOptions): Board;
