// @ts-check
/** @import { Problem, RankChanged, Ranks } from "../marcador.d.ts" */
/** @import { What } from "./boards.js" */
/** @import { Held } from "./held.js" */
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import { BLOCKED } from "./blocked.js";
import { keyOf, streamOf } from "./boards.js";
import * as check from "./check.js";
import { Gap } from "./held.js";
import { Refusal, refusalFrom } from "./http.js";
import { aMinute, backoff, NEVER, Refused } from "./refused.js";
import { Renewal } from "./renewal.js";
import { SILENCE, Stream } from "./stream.js";

const TRIES = 5;
/** A stream that lived this long has nothing to do with what was before it. */
const SETTLED = 10_000;
/** The status stays `live` for this long while one stream takes the place of another. */
const GRACE = 2_000;
/** Without a first page for this long after a try began, pages are read meanwhile. */
const HELD = 5_000;
/** Boards that come within this time of each other join a live stream together. */
const TOGETHER = 100;
/** A stream may bring boards that nobody wants any more for this long. */
const SURPLUS = 30_000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * How a board's stream stands. No status is final: each has a timer or an event that leads to the
 * next try.
 * @typedef {object} State
 * @property {"waiting" | "live" | "offline" | "readonly" | "held" | "replaced"} status
 * @property {string | null} userId whom the last stream was for
 * @property {Problem | null} error
 * @property {Ranks} [ranks] how equal scores are numbered, once the service has said it
 */

/**
 * Who is told of what a stream brings. A board is named by its key.
 * @typedef {object} Sink
 * @property {() => void} stood `stateOf` may say otherwise now
 * @property {(key: string) => void} standing a board has moved
 * @property {(key: string, move: RankChanged) => void} move
 * @property {() => void} heard the stream was heard of
 */

/**
 * One stream of several boards over time: when it is opened, when it is tried again, and what it brings.
 *
 *     waiting ──authenticated──▶ live        live ──ends──▶ waiting, tries after 1, 2, 4, 8, 16 s
 *     waiting ──five tries failed, or 400, 404, 422──▶ offline
 *     waiting, live ──401, 403, no token──▶ readonly
 *     waiting, live ──no first page 5 s after the try began──▶ held     held ──all first pages──▶ live
 *     live ──error "replaced"──▶ replaced
 *     live ──other boards are wanted──▶ live, with a second stream; it takes the place of the first
 *                                       when it has begun
 *
 * From offline, readonly and held there is one quiet try a minute, for ever. It changes the status
 * only when it succeeds. A replaced stream waits until somebody looks at the page, so that many
 * devices of one user do not replace each other for ever. `retry` tries at once from anywhere.
 *
 * A board that alone is refused is left out of the stream, and asked about once a minute.
 */
export class Connection {
  /** @type {State} How the stream stands; `stateOf` says it of each board. */
  state = { status: "waiting", userId: null, error: null };
  /** Whose token speaks. */
  service;
  /** What streams have brought. */
  held;
  #sink;
  #closed = false;
  #opened = false;
  #wanted = /** @type {What[]} */ ([]);

  /** The stream under way; one that is not this one any more has no say. */
  #stream = /** @type {Stream | null} */ (null);
  /** The next try. */
  #timer = /** @type {Timer} */ (undefined);
  /** When it is due. */
  #due = Number.POSITIVE_INFINITY;
  #grace = /** @type {Timer} */ (undefined);
  /** Fires when the stream has brought nothing for too long. */
  #holding = /** @type {Timer} */ (undefined);
  /** Streams in a row that began and fell silent: something on the way keeps what comes later. */
  #silences = 0;
  /** Tries in a row that brought no stream. */
  #failures = 0;
  /** Streams in a row that failed, or did not live for long. */
  #breaks = 0;
  /** Before this time the server wants no try. */
  #notBefore = 0;
  /** When the stream delivered `authenticated`. */
  #welcomedAt = Number.POSITIVE_INFINITY;
  /** A fresh token was asked for and no stream has settled since. */
  #renewed = false;
  #renewal = new Renewal();

  /** The stream that is to take the other's place, with other boards. */
  #next = /** @type {Stream | null} */ (null);
  #joining = /** @type {Timer} */ (undefined);
  #joinFailures = 0;
  /** How boards stand that a live stream does not bring yet. @type {Pick<State, "status" | "error">} */
  #outside = { status: "waiting", error: null };
  /** The boards of the last try. */
  #tried = /** @type {Set<string>} */ (new Set());
  #refused = new Refused(
    () => this.service,
    () => this.#rearrange(),
  );

  /**
   * @param {Service} service
   * @param {Held} held what earlier streams have brought; from now on this connection's
   * @param {Sink} sink
   */
  constructor(service, held, sink) {
    this.service = service;
    this.held = held;
    this.#sink = sink;
  }

  /** @param {string} key @returns {State} */
  stateOf(key) {
    const refused = this.#refused.stateOf(key);
    if (refused !== null) return { ...this.state, ...refused };
    if (this.state.status !== "live" || this.#stream?.keys.has(key)) return this.state;
    return { ...this.state, ...this.#outside };
  }

  /** Follows these boards from now on. @param {What[]} boards */
  follow(boards) {
    this.#wanted = boards;
    this.#refused.keep(new Set(boards.map(keyOf)));
    if (this.#opened) this.#rearrange();
  }

  /**
   * Begins a try, in place of whatever was under way.
   * @param {"said" | "soon" | "quietly"} [how] whether the status says so at once, in a moment, or
   *   only when the try succeeds
   */
  open(how = "said") {
    if (this.#closed) return;
    this.#stop();
    this.#opened = true;
    this.#tried = new Set();
    this.#welcomedAt = Number.POSITIVE_INFINITY;
    const boards = this.#allowed();
    if (boards.length === 0) return;
    if (how === "soon") this.#grace = setTimeout(() => this.#set({ status: "waiting" }), GRACE);
    else if (how === "said") this.#set({ status: "waiting" });
    this.#awaitNews();
    this.#stream = this.#begin(boards);
    this.#tried = this.#stream.keys;
    const id = this.held.covers([...this.#stream.keys]) ? this.held.id : "";
    this.#run(this.#stream, boards, id, how === "quietly");
  }

  /** Tries at once, with all tries ahead, where the stream is not live. */
  retry() {
    this.#hope();
    this.#renewed = false;
    this.#refused.clear();
    if (this.state.status === "readonly") this.service.forgetToken();
    if (this.state.status === "live") this.#rearrange();
    else this.open();
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  wake() {
    const { status } = this.state;
    if (status === "readonly") return;
    this.#hope();
    this.#silences = 0;
    const how = status === "held" || status === "replaced" ? "quietly" : "said";
    if (this.#stream?.silent ?? Date.now() >= this.#notBefore) this.open(how);
  }

  /** Makes up for a timer that stood still. */
  hurry() {
    if (Date.now() >= this.#due) this.#tryAgain();
    else if (this.#stream?.silent) this.open();
  }

  close() {
    this.#closed = true;
    this.#refused.close();
    this.#stop();
  }

  /** What failed before says nothing of what comes. */
  #hope() {
    this.#failures = 0;
    this.#breaks = 0;
  }

  /** The boards that a stream is asked for. */
  #allowed() {
    return this.#wanted.filter((what) => !this.#refused.has(keyOf(what)));
  }

  #stop() {
    this.#stream?.stop();
    this.#stream = null;
    this.#leaveNext();
    this.#due = Number.POSITIVE_INFINITY;
    this.#renewal.end();
    for (const timer of [this.#timer, this.#grace, this.#holding]) clearTimeout(timer);
  }

  /** @param {What[]} boards */
  #begin(boards) {
    const stream = new Stream(this.service, boards, (event) => this.#take(stream, event));
    return stream;
  }

  /** @param {Stream} stream @param {What[]} boards @param {string} id @param {boolean} quiet */
  async #run(stream, boards, id, quiet) {
    const ending = await stream.run(streamOf(boards), id, this.#breaks > 0 || quiet);
    if (stream === this.#next) {
      this.#joinFailed(ending, boards);
    } else if (stream === this.#stream) {
      // At the bound of a user's streams the own next one may have replaced it.
      if (ending.code === "replaced" && this.#next !== null) return;
      this.#stop();
      const found = boards.length > 1 && (await this.#refused.find(boards, ending));
      if (this.#stream !== null || this.#closed) return;
      if (found) {
        this.open(quiet ? "quietly" : "soon");
        this.#sink.stood();
      } else this.#ended(ending, { silent: stream.fellSilent, quiet });
    }
  }

  /** The first pages have to come soon, or else something holds the stream back. */
  #awaitNews() {
    clearTimeout(this.#holding);
    this.#holding = setTimeout(() => this.#set({ status: "held" }), HELD);
  }

  /** Ends the waiting for first pages when all have come. @param {Stream} stream */
  #lookFor(stream) {
    if ([...stream.keys].every((key) => this.held.standing(key) !== null)) this.#newsCame();
  }

  /** What the stream owes at its beginning has come. */
  #newsCame() {
    clearTimeout(this.#holding);
    if (this.state.status === "held") this.#set({ status: "live", error: null });
  }

  /** Takes an event in; throws a Refusal where it ends the stream. @param {Stream} stream @param {StreamEvent} event */
  #take(stream, event) {
    let ending = null;
    this.#sink.heard();
    try {
      ending = this.#learn(stream, event);
    } catch (cause) {
      console.warn(`marcador: ${event.type} ignored:`, refusalFrom(cause).message);
      if (cause instanceof Gap) {
        this.held.begin([...stream.keys], false);
        ending = new Refusal(0, "gap", refusalFrom(cause).message);
      }
    }
    if (ending !== null) throw ending;
  }

  /**
   * Gives the Refusal by which an event ends the stream. Throws what is wrong with the event.
   * @param {Stream} stream @param {StreamEvent} event
   */
  #learn(stream, { type, data, id }) {
    if (type === "authenticated") {
      this.#welcome(stream, check.authenticated(JSON.parse(data)));
    } else if (type === "leaderboard:updated" || type === "position_change") {
      const from = JSON.parse(data);
      const { keys, board, period } = this.#subject(stream, from);
      if (type === "leaderboard:updated") {
        const page = check.update(from, board, period);
        for (const key of keys) this.held.put(key, page, "");
      } else {
        const change = check.difference(from, board, period);
        for (const key of keys) this.held.apply(key, change, "");
      }
      this.held.reach(id);
      this.#lookFor(stream);
      for (const key of keys) this.#sink.standing(key);
    } else if (type === "rank_changed") {
      const from = JSON.parse(data);
      const { whats, board, period } = this.#subject(stream, from);
      const move = check.move(from, board, period);
      this.held.reach(id);
      for (const what of whats) {
        this.#sink.move(keyOf(what), Object.freeze({ ...move, board: what.board }));
      }
    } else if (type === "error") {
      const { code, message, board } = check.failure(JSON.parse(data));
      const status = code === "forbidden" ? 403 : board === null ? 0 : 404;
      const refusal = new Refusal(status, code, message);
      if (board === null) return refusal;
      for (const what of stream.called(board)) {
        this.#refused.add(what, refusal);
        stream.keys.delete(keyOf(what));
      }
      this.#lookFor(stream);
      this.#sink.stood();
      if (this.#allowed().length === 0) return refusal;
    } else if (type === "goodbye") {
      const { reason, retryAfter } = check.goodbye(JSON.parse(data));
      return new Refusal(0, "closed", reason, retryAfter);
    }
    return null;
  }

  /** What an event is about, in each spelling that the board is asked for in. @param {Stream} stream @param {unknown} from */
  #subject(stream, from) {
    const { board, period } = check.subject(from);
    const whats = stream.called(board, period);
    if (whats.length === 0) throw new TypeError("board or period is not one that is followed");
    return { board, period, whats, keys: whats.map(keyOf) };
  }

  /** @param {Stream} stream @param {check.Authenticated} hello */
  #welcome(stream, { userId, socketId, recovered, boards, ranks }) {
    stream.names = boards;
    if (stream === this.#next) {
      this.#stream?.stop();
      this.#stream = stream;
      this.#next = null;
      this.#tried = stream.keys;
    }
    clearTimeout(this.#grace);
    this.#failures = 0;
    this.#joinFailures = 0;
    this.#outside = { status: "waiting", error: null };
    this.#welcomedAt = Date.now();
    this.held.begin([...stream.keys], recovered);
    if (recovered) this.#newsCame();
    else this.#awaitNews();
    this.#set({ status: "live", error: null, userId, ranks });
    this.#renewal.begin(() => this.service, socketId, stream.signal);
    this.#rearrange();
  }

  /**
   * Decides what follows a stream that is over.
   * @param {Refusal} ending
   * @param {{ silent: boolean, quiet: boolean }} stream whether it ended because nothing was heard
   *   of it, and whether its status is only told when it succeeds
   */
  #ended(ending, { silent, quiet }) {
    if (this.#allowed().length === 0) return;
    const lived = Date.now() - this.#welcomedAt;
    const settled = lived >= SETTLED;
    if (settled) this.#breaks = 0;
    const expired = ending.status === 0 && ending.code === "token_expired";
    if (expired) {
      if (settled) this.#renewed = false;
      if (!this.#renewed) {
        this.#renewed = true;
        this.service.forgetToken();
        this.open("soon");
        return;
      }
    }
    if (ending.status === 0 && ending.code === "replaced") {
      this.#set({ status: "replaced", error: null });
      return;
    }
    if (expired || ending.status === 401 || ending.status === 403) {
      // A token that is refused is not sent again soon; what may be read without one still is.
      console.warn("marcador: the stream was refused:", ending.message);
      if (ending.status !== 403) this.service.dropToken(ending);
      this.#set({ status: "readonly" });
      this.#tryLater(ending);
      return;
    }
    // Silence right after the first page is the way's doing where it comes twice.
    this.#silences = silent && lived < 2 * SILENCE ? this.#silences + 1 : 0;
    const { status } = this.state;
    const held = this.#silences > 0 && (status === "held" || this.#silences > 1);
    if (held || (quiet && (status === "held" || status === "readonly"))) {
      this.#set({ status: held ? "held" : status });
      this.#tryLater(ending);
      return;
    }
    this.#failed(ending);
  }

  /** Has a try soon, and after too many one now and then. @param {Refusal} ending */
  #failed(ending) {
    this.#failures += 1;
    this.#breaks += 1;
    if (ending.code === "gap" && this.#breaks === 1) {
      this.open("soon");
    } else if (this.#failures > TRIES || NEVER.has(ending.status) || BLOCKED.has(ending.code)) {
      this.#set({ status: "offline", error: ending.problem });
      this.#tryLater(ending);
    } else {
      this.#set({ status: "waiting", error: ending.problem });
      this.#tryAfter(ending.wait ?? backoff(this.#breaks), ending.wait !== null);
    }
  }

  /** Has one quiet try in about a minute, at another time than other readers. @param {Refusal} ending */
  #tryLater({ wait }) {
    this.#failures = TRIES;
    this.#tryAfter(Math.max(wait ?? 0, aMinute()), false);
  }

  /** @param {number} delay @param {boolean} bound whether the server wants no try before */
  #tryAfter(delay, bound) {
    this.#due = Date.now() + delay;
    this.#notBefore = bound ? this.#due : 0;
    this.#timer = setTimeout(() => this.#tryAgain(), delay);
  }

  #tryAgain() {
    const { status } = this.state;
    // What getToken gives may be a better token by now.
    if (status === "readonly") this.service.forgetToken();
    this.open(status === "waiting" ? "said" : "quietly");
  }

  /** Has the stream bring what is wanted, without an interruption where it is live. */
  #rearrange() {
    this.#leaveNext();
    const keys = this.#allowed().map(keyOf);
    const missing = keys.some((key) => !this.#tried.has(key));
    const live = this.#welcomedAt < Number.POSITIVE_INFINITY && this.#stream !== null;
    if (keys.length === 0) this.#stop();
    // A try that is under way comes here again when it is welcomed.
    else if (missing && (live || this.#stream === null)) this.#joinIn(TOGETHER);
    else if (live && this.#tried.size > keys.length) this.#joinIn(SURPLUS);
    this.#sink.stood();
  }

  /** @param {number} delay */
  #joinIn(delay) {
    clearTimeout(this.#joining);
    this.#joining = setTimeout(() => this.#join(), delay);
  }

  /** Opens a stream of what is wanted now, beside the one that is live. */
  #join() {
    if (this.#stream === null) {
      if (Date.now() >= this.#notBefore) this.#tryAgain();
      return;
    }
    const boards = this.#allowed();
    this.#next = this.#begin(boards);
    // All pages come anew: what this stream would go on from moves while it is being opened.
    this.#run(this.#next, boards, "", false);
    this.#joining = setTimeout(() => {
      this.#outside = { status: "held", error: null };
      this.#sink.stood();
    }, HELD);
  }

  #leaveNext() {
    clearTimeout(this.#joining);
    this.#next?.stop();
    this.#next = null;
  }

  /** The live stream goes on without the boards that were to join it. @param {Refusal} ending @param {What[]} boards */
  async #joinFailed(ending, boards) {
    this.#leaveNext();
    if (this.#stream?.signal.aborted) {
      this.open("soon");
      return;
    }
    const fresh = boards.filter((what) => !this.#tried.has(keyOf(what)));
    const found = fresh.length > 0 && (await this.#refused.find(fresh, ending, true));
    if (this.#stream === null || this.#next !== null) return;
    if (found) {
      this.#rearrange();
      return;
    }
    this.#joinFailures += 1;
    const often = this.#joinFailures > TRIES;
    this.#outside = { status: often ? "offline" : "waiting", error: ending.problem };
    this.#joinIn(ending.wait ?? (often ? aMinute() : backoff(this.#joinFailures)));
    this.#sink.stood();
  }

  /** @param {Partial<State>} change */
  #set(change) {
    this.state = Object.freeze({ ...this.state, ...change });
    this.#sink.stood();
  }
}
