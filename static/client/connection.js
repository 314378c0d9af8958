// @ts-check
/** @import { Problem, RankChanged, Ranks } from "../marcador.d.ts" */
/** @import { Authenticated } from "./check.js" */
/** @import { Service } from "./http.js" */
/** @import { Received } from "./received.js" */
/** @import { StreamEvent } from "./sse.js" */
/** @import { Topic } from "./topics.js" */

import { read } from "./events.js";
import { Refusal, refusalFrom } from "./http.js";
import { Gap } from "./received.js";
import { aMinute, backoff, RefusedBoards } from "./refused.js";
import { Renewal } from "./renewal.js";
import { Stream } from "./stream.js";
import { keyOf, streamPath } from "./topics.js";
import { TRIES, Tries } from "./tries.js";

/** The status stays `live` for this long while a stream is opened again, in milliseconds. */
const GRACE = 2_000;
/**
 * If the first pages take longer than this from the beginning of a try, pages are read meanwhile.
 */
const BUFFERED = 5_000;
/** Boards that come within this time of each other join a live stream together. */
const TOGETHER = 100;
/** A stream may go on for this long with boards that nobody wants any more. */
const SURPLUS = 30_000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * The state of a board's stream. No status is final: each has a timer or an event that leads to the
 * next try.
 * @typedef {object} State
 * @property {"waiting" | "live" | "offline" | "readonly" | "buffered" | "replaced"} status
 * @property {string | null} userId the user of the last stream
 * @property {Problem | null} error
 * @property {Ranks} [ranks] how equal scores are numbered, once the service has said it
 */

/**
 * Hears what streams bring. Boards are named by their keys.
 * @typedef {object} Sink
 * @property {() => void} changed the result of `stateOf` may have changed
 * @property {(key: string) => void} moved a board has a new state
 * @property {(key: string, move: RankChanged) => void} move
 * @property {() => void} heard anything came
 */

/**
 * A stream of several boards over time: when to open it, when to try again, and what it brings.
 *
 *                ┌── wait 1, 2, 4, 8, 16 s ──┐
 *                ▼                           │ ends
 *     open ──▶ waiting ──authenticated──▶ live ──other boards are wanted──▶ live: a second stream
 *                │ │ │                     │        replaces the first when it has begun
 *                │ │ │                     └──"replaced"──▶ replaced ──reader returns──▶ waiting
 *                │ │ └─ no first page in 5 s (live too) ──▶ buffered ──first pages──▶ live
 *                │ └─── 401, 403, no token (live too) ────▶ readonly
 *                └───── sixth failure, or 400, 404, 422 ──▶ offline
 *
 *     buffered, readonly, offline ──one quiet try a minute, for ever──▶ live
 *     any status ──retry──▶ waiting
 *
 * A quiet try changes the status only when it succeeds. A replaced stream waits for the reader, so
 * that many devices of one user do not replace each other's streams for ever. A board that alone is
 * refused is left out of the stream, and asked about once a minute. `Tries` decides what follows
 * the end of a stream.
 */
export class Connection {
  /** The stream's state. `stateOf` tells it for one board. @type {State} */
  state = { status: "waiting", userId: null, error: null };
  /** The service, with the token that speaks. */
  service;
  received;

  #sink;
  #closed = false;
  #opened = false;
  #wanted = /** @type {Topic[]} */ ([]);

  /** The current stream. Older streams have no effect any more. */
  #stream = /** @type {Stream | null} */ (null);
  #tries = new Tries();
  /** Begins the next try. */
  #timer = /** @type {Timer} */ (undefined);
  /** When that is due. */
  #nextTryAt = Number.POSITIVE_INFINITY;
  /** The server wants no try before this time. */
  #notBefore = 0;
  #grace = /** @type {Timer} */ (undefined);
  /** Fires when the first pages are late. */
  #late = /** @type {Timer} */ (undefined);
  /** When the current stream began. */
  #begunAt = Number.POSITIVE_INFINITY;
  #renewal = new Renewal();

  /** The stream that replaces the current one when it begins, since other boards are wanted. */
  #next = /** @type {Stream | null} */ (null);
  #joining = /** @type {Timer} */ (undefined);
  #joinFailures = 0;
  /**
   * The state of boards that the live stream does not bring yet.
   * @type {Pick<State, "status" | "error">}
   */
  #outside = { status: "waiting", error: null };
  /** The keys of the boards that the last try asked for. */
  #tried = /** @type {Set<string>} */ (new Set());
  #refused = new RefusedBoards(
    () => this.service,
    () => this.#rearrange(),
  );

  /**
   * @param {Service} service
   * @param {Received} received what earlier streams have brought. This connection alone changes it
   * @param {Sink} sink
   */
  constructor(service, received, sink) {
    this.service = service;
    this.received = received;
    this.#sink = sink;
  }

  /** @param {string} key @returns {State} */
  stateOf(key) {
    const refused = this.#refused.stateOf(key);
    if (refused !== null) return { ...this.state, ...refused };
    if (this.state.status !== "live" || this.#stream?.keys.has(key)) return this.state;
    return { ...this.state, ...this.#outside };
  }

  /** Follows these boards from now on. @param {Topic[]} topics */
  follow(topics) {
    this.#wanted = topics;
    this.#refused.retain(new Set(topics.map(keyOf)));
    if (this.#opened) this.#rearrange();
  }

  /**
   * Begins a try, and stops whatever was under way.
   * @param {"said" | "soon" | "quietly"} [how] whether the status says so at once, after a moment,
   *   or only when the try succeeds
   */
  open(how = "said") {
    if (this.#closed) return;
    this.#stop();
    this.#opened = true;
    this.#tried = new Set();
    this.#begunAt = Number.POSITIVE_INFINITY;
    const topics = this.#allowed();
    if (topics.length === 0) return;
    if (how === "soon") this.#grace = setTimeout(() => this.#set({ status: "waiting" }), GRACE);
    else if (how === "said") this.#set({ status: "waiting" });
    this.#expectPages();
    this.#stream = this.#streamOf(topics);
    this.#tried = this.#stream.keys;
    const id = this.received.covers([...this.#stream.keys]) ? this.received.id : "";
    this.#run(this.#stream, topics, id, how === "quietly");
  }

  /** Tries at once, as if nothing had failed before. */
  retry() {
    this.#tries.hope();
    this.#tries.forgetRenewal();
    this.#refused.clear();
    if (this.state.status === "readonly") this.service.forgetToken();
    if (this.state.status === "live") this.#rearrange();
    else this.open();
  }

  /** Call it when a try may succeed: the page is visible again, or the network is back. */
  wake() {
    const { status } = this.state;
    if (status === "readonly") return;
    this.#tries.hope();
    this.#tries.forgetSilences();
    const how = status === "buffered" || status === "replaced" ? "quietly" : "said";
    if (this.#stream?.silent ?? Date.now() >= this.#notBefore) this.open(how);
  }

  /** Makes up for timers that stood still while the page was frozen. */
  hurry() {
    if (Date.now() >= this.#nextTryAt) this.#tryAgain();
    else if (this.#stream?.silent) this.open();
  }

  close() {
    this.#closed = true;
    this.#refused.close();
    this.#stop();
  }

  /** The boards to ask a stream for. */
  #allowed() {
    return this.#wanted.filter((topic) => !this.#refused.has(keyOf(topic)));
  }

  #stop() {
    this.#stream?.stop();
    this.#stream = null;
    this.#stopNext();
    this.#nextTryAt = Number.POSITIVE_INFINITY;
    this.#renewal.end();
    for (const timer of [this.#timer, this.#grace, this.#late]) clearTimeout(timer);
  }

  /** @param {Topic[]} topics */
  #streamOf(topics) {
    const stream = new Stream(this.service, topics, (event) => this.#take(stream, event));
    return stream;
  }

  /** @param {Stream} stream @param {Topic[]} topics @param {string} id @param {boolean} quiet */
  async #run(stream, topics, id, quiet) {
    const refusal = await stream.run(streamPath(topics), id, this.#tries.failing || quiet);
    if (stream === this.#next) {
      this.#joinFailed(refusal, topics);
    } else if (stream === this.#stream) {
      // At the bound of a user's streams, the page's own next stream may have replaced this one.
      if (refusal.code === "replaced" && this.#next !== null) return;
      this.#stop();
      const found = topics.length > 1 && (await this.#refused.find(topics, refusal));
      if (this.#stream !== null || this.#closed) return;
      if (found) {
        this.open(quiet ? "quietly" : "soon");
        this.#sink.changed();
      } else this.#ended(refusal, stream.fellSilent, quiet);
    }
  }

  /** The first pages should come soon, or something holds the stream back. */
  #expectPages() {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#set({ status: "buffered" }), BUFFERED);
  }

  /** Looks whether the first pages of all boards have come. @param {Stream} stream */
  #lookForPages(stream) {
    if ([...stream.keys].every((key) => this.received.top(key) !== null)) this.#pagesCame();
  }

  #pagesCame() {
    clearTimeout(this.#late);
    if (this.state.status === "buffered") this.#set({ status: "live", error: null });
  }

  /**
   * Takes an event. Throws a Refusal if the event ends the stream.
   * @param {Stream} stream
   * @param {StreamEvent} event
   */
  #take(stream, event) {
    let refusal = null;
    this.#sink.heard();
    try {
      refusal = this.#learn(stream, event);
    } catch (cause) {
      console.warn(`marcador: ${event.type} ignored:`, refusalFrom(cause).message);
      if (cause instanceof Gap) {
        this.received.begin([...stream.keys], false);
        refusal = new Refusal(0, "gap", refusalFrom(cause).message);
      }
    }
    if (refusal !== null) throw refusal;
  }

  /**
   * Learns from an event, and returns the Refusal if it ends the stream. Throws if it is malformed.
   * @param {Stream} stream
   * @param {StreamEvent} event
   */
  #learn(stream, event) {
    const news = read(stream, event);
    switch (news.kind) {
      case "begun":
        this.#begin(stream, news.hello);
        break;
      case "top":
        for (const key of news.keys) this.received.put(key, news.top, "");
        this.#moved(stream, news.keys, event.id);
        break;
      case "difference":
        for (const key of news.keys) this.received.apply(key, news.difference, "");
        this.#moved(stream, news.keys, event.id);
        break;
      case "moves":
        this.received.reach(event.id);
        for (const [key, move] of news.moves) this.#sink.move(key, move);
        break;
      case "refused":
        for (const topic of news.topics) {
          this.#refused.add(topic, news.refusal);
          stream.keys.delete(keyOf(topic));
        }
        this.#lookForPages(stream);
        this.#sink.changed();
        if (this.#allowed().length === 0) return news.refusal;
        break;
      case "ended":
        return news.refusal;
    }
    return null;
  }

  /** @param {Stream} stream @param {string[]} keys @param {string} id */
  #moved(stream, keys, id) {
    this.received.reach(id);
    this.#lookForPages(stream);
    for (const key of keys) this.#sink.moved(key);
  }

  /** @param {Stream} stream @param {Authenticated} hello */
  #begin(stream, { userId, socketId, recovered, boards, ranks }) {
    stream.names = boards;
    if (stream === this.#next) {
      this.#stream?.stop();
      this.#stream = stream;
      this.#next = null;
      this.#tried = stream.keys;
    }
    clearTimeout(this.#grace);
    this.#tries.succeed();
    this.#joinFailures = 0;
    this.#outside = { status: "waiting", error: null };
    this.#begunAt = Date.now();
    this.received.begin([...stream.keys], recovered);
    if (recovered) this.#pagesCame();
    else this.#expectPages();
    this.#set({ status: "live", error: null, userId, ranks });
    this.#renewal.begin(() => this.service, socketId, stream.signal);
    this.#rearrange();
  }

  /**
   * @param {Refusal} refusal
   * @param {boolean} silent whether the stream was given up because nothing came
   * @param {boolean} quiet whether the status tells nothing of this try unless it succeeds
   */
  #ended(refusal, silent, quiet) {
    if (this.#allowed().length === 0) return;
    const { status } = this.state;
    const lived = Date.now() - this.#begunAt;
    const next = this.#tries.judge({ refusal, status, lived, silent, quiet });
    if (next.denied) {
      console.warn("marcador: the stream was refused:", refusal.message);
      // A refused token is not sent again soon. What may be read without a token still is.
      if (refusal.status !== 403) this.service.dropToken(refusal);
    }
    if (next.action === "renew") this.service.forgetToken();
    if (next.action === "renew" || next.action === "soon") {
      this.open("soon");
      return;
    }
    this.#set(next.state);
    if (next.action === "never") return;
    const { delay = 0, bound = false } = next;
    this.#nextTryAt = Date.now() + delay;
    this.#notBefore = bound ? this.#nextTryAt : 0;
    this.#timer = setTimeout(() => this.#tryAgain(), delay);
  }

  #tryAgain() {
    const { status } = this.state;
    // getToken may give a better token by now.
    if (status === "readonly") this.service.forgetToken();
    this.open(status === "waiting" ? "said" : "quietly");
  }

  /** Makes the stream bring the boards that are wanted. A live stream is not interrupted. */
  #rearrange() {
    this.#stopNext();
    const keys = this.#allowed().map(keyOf);
    const missing = keys.some((key) => !this.#tried.has(key));
    const live = this.#begunAt < Number.POSITIVE_INFINITY && this.#stream !== null;
    if (keys.length === 0) this.#stop();
    // A try that is under way leads here again when its stream begins.
    else if (missing && (live || this.#stream === null)) this.#joinIn(TOGETHER);
    else if (live && this.#tried.size > keys.length) this.#joinIn(SURPLUS);
    this.#sink.changed();
  }

  /** @param {number} delay */
  #joinIn(delay) {
    clearTimeout(this.#joining);
    this.#joining = setTimeout(() => this.#join(), delay);
  }

  /** Opens a stream of the boards that are wanted now, beside the live one. */
  #join() {
    if (this.#stream === null) {
      if (Date.now() >= this.#notBefore) this.#tryAgain();
      return;
    }
    const topics = this.#allowed();
    this.#next = this.#streamOf(topics);
    // It goes on from no id, since the live stream moves on meanwhile. All pages come again.
    this.#run(this.#next, topics, "", false);
    this.#joining = setTimeout(() => {
      this.#outside = { status: "buffered", error: null };
      this.#sink.changed();
    }, BUFFERED);
  }

  #stopNext() {
    clearTimeout(this.#joining);
    this.#next?.stop();
    this.#next = null;
  }

  /**
   * The live stream goes on without the boards that were to join.
   * @param {Refusal} refusal
   * @param {Topic[]} topics
   */
  async #joinFailed(refusal, topics) {
    this.#stopNext();
    if (this.#stream?.signal.aborted) {
      this.open("soon");
      return;
    }
    const fresh = topics.filter((topic) => !this.#tried.has(keyOf(topic)));
    const found = fresh.length > 0 && (await this.#refused.find(fresh, refusal, true));
    if (this.#stream === null || this.#next !== null) return;
    if (found) {
      this.#rearrange();
      return;
    }
    this.#joinFailures += 1;
    const often = this.#joinFailures > TRIES;
    this.#outside = { status: often ? "offline" : "waiting", error: refusal.problem };
    this.#joinIn(refusal.wait ?? (often ? aMinute() : backoff(this.#joinFailures)));
    this.#sink.changed();
  }

  /** @param {Partial<State>} change */
  #set(change) {
    this.state = Object.freeze({ ...this.state, ...change });
    this.#sink.changed();
  }
}
