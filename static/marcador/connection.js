// @ts-check
/** @import { Problem, RankChanged, Ranks } from "../marcador.d.ts" */
/** @import { Held } from "./held.js" */
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import * as check from "./check.js";
import { Gap } from "./held.js";
import { Refusal, refusalFrom } from "./http.js";
import { SILENCE, Stream } from "./stream.js";

const TRIES = 5;
/** After that many, or where trying soon is of no use, there is one try in about this time. */
const QUIET = 60_000;
/** The board does not exist, or the request is wrong: trying again soon would bring the same answer. */
export const NEVER = new Set([400, 404, 422]);
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
/** A stream that lived this long has nothing to do with what was before it. */
const SETTLED = 10_000;
/** A stream that takes the place of another is given this long before it is said that there is none. */
const GRACE = 2_000;
/** A stream that brings nothing for this long is held back on its way, and pages are read meanwhile. */
const HELD = 5_000;
/** A fresh token is asked for at most this long before the old one expires, and not in the last moment. */
const EARLY = 60_000;
const LATE = 2_000;
/** Longer timers than 24 days fire at once. */
const LONGEST_TIMER = 24 * 60 * 60 * 1000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * How a stream stands. No status is final: each has a timer or an event that leads to the next try.
 * @typedef {object} State
 * @property {"waiting" | "live" | "offline" | "readonly" | "held" | "replaced"} status
 * @property {string | null} userId whom the last stream was for
 * @property {Problem | null} error
 * @property {Ranks} [ranks] how equal scores are numbered, once the service has said it
 */

/**
 * Who is told of what a stream brings.
 * @typedef {object} Sink
 * @property {(state: State) => void} state
 * @property {(standing: check.Standing, epoch: string | null) => void} standing
 * @property {(move: RankChanged) => void} move
 */

/**
 * One board's stream over time: when it is opened, when it is tried again, and what it brings.
 *
 *     waiting ──authenticated──▶ live        live ──ends──▶ waiting, tries after 1, 2, 4, 8, 16 s
 *     waiting ──five tries failed, or 400, 404, 422──▶ offline
 *     waiting, live ──401, 403, no token──▶ readonly
 *     waiting, live ──open, but brings nothing for 5 s──▶ held     held ──an event comes──▶ live
 *     live ──error "replaced"──▶ replaced
 *
 * From offline, readonly and held there is one quiet try a minute, for ever. It changes the status
 * only when it succeeds. A replaced stream waits until somebody looks at the page, so that many
 * devices of one user do not replace each other for ever. `retry` tries at once from anywhere.
 */
export class Connection {
  /** @type {State} */
  state = { status: "waiting", userId: null, error: null };

  #service;
  #what;
  #held;
  #sink;
  /** Called whenever the stream is heard of. */
  #heard;
  #closed = false;

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
  #renewal = /** @type {Timer} */ (undefined);

  /**
   * @param {Service} service
   * @param {{ board: string, period: string }} what
   * @param {Held} held what earlier streams have brought; from now on this connection's
   * @param {Sink} sink
   * @param {() => void} heard
   */
  constructor(service, what, held, sink, heard) {
    this.#service = service;
    this.#what = what;
    this.#held = held;
    this.#sink = sink;
    this.#heard = heard;
  }

  /**
   * Begins a try, in place of whatever was under way.
   * @param {"said" | "soon" | "quietly"} [how] whether the status says so at once, in a moment, or
   *   only when the try succeeds
   */
  async open(how = "said") {
    if (this.#closed) return;
    this.#stop();
    this.#welcomedAt = Number.POSITIVE_INFINITY;
    if (how === "soon") this.#grace = setTimeout(() => this.#set({ status: "waiting" }), GRACE);
    else if (how === "said") this.#set({ status: "waiting" });
    const stream = new Stream(this.#service, (event, retry) => this.#take(event, retry));
    this.#stream = stream;
    this.#awaitNews();
    const query = new URLSearchParams({ ...this.#what, mode: "diff" });
    const wary = this.#breaks > 0 || how === "quietly";
    const ending = await stream.run(`/v1/events?${query}`, this.#held.id, wary);
    if (this.#stream !== stream) return;
    this.#stop();
    this.#ended(ending, { silent: stream.fellSilent, quiet: how === "quietly" });
  }

  /** Tries at once, with all tries ahead, where the stream is not live. */
  retry() {
    this.#hope();
    this.#renewed = false;
    if (this.state.status !== "live") this.open();
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  wake() {
    if (this.state.status === "readonly") return;
    this.#hope();
    this.#silences = 0;
    const { status } = this.state;
    const how = status === "held" || status === "replaced" ? "quietly" : "said";
    if (this.#stream === null) {
      if (Date.now() >= this.#notBefore) this.open(how);
    } else if (this.#stream.silent) {
      this.open(how);
    }
  }

  /** Makes up for a timer that stood still. */
  hurry() {
    if (Date.now() >= this.#due) this.#tryAgain();
    else if (this.#stream?.silent) this.open();
  }

  close() {
    this.#closed = true;
    this.#stop();
  }

  /** What failed before says nothing of what comes. */
  #hope() {
    this.#failures = 0;
    this.#breaks = 0;
  }

  #stop() {
    this.#stream?.stop();
    this.#stream = null;
    this.#due = Number.POSITIVE_INFINITY;
    for (const timer of [this.#timer, this.#grace, this.#holding, this.#renewal]) {
      clearTimeout(timer);
    }
  }

  /** The first page has to come soon, or else something holds the stream back. */
  #awaitNews() {
    clearTimeout(this.#holding);
    this.#holding = setTimeout(() => this.#set({ status: "held" }), HELD);
  }

  /** What the stream owes at its beginning has come. */
  #newsCame() {
    clearTimeout(this.#holding);
    if (this.state.status === "held") this.#set({ status: "live", error: null });
  }

  /** Takes an event in; throws a Refusal where it ends the stream. @param {StreamEvent} event @param {number | null} retry */
  #take({ type, data, id }, retry) {
    const { board, period } = this.#what;
    let ending = null;
    this.#heard();
    try {
      if (type === "authenticated") {
        this.#welcome(check.authenticated(JSON.parse(data)));
      } else if (type === "leaderboard:updated") {
        this.#held.put(check.update(JSON.parse(data), board, period), id);
        this.#newsCame();
        this.#show();
      } else if (type === "position_change") {
        this.#held.apply(check.difference(JSON.parse(data), board, period), id);
        this.#show();
      } else if (type === "rank_changed") {
        const move = check.move(JSON.parse(data), board, period);
        this.#held.reach(id);
        this.#sink.move(move);
      } else if (type === "error") {
        const { code, message } = check.failure(JSON.parse(data));
        ending = new Refusal(code === "forbidden" ? 403 : 0, code, message);
      } else if (type === "goodbye") {
        const { reason, retryAfter } = check.goodbye(JSON.parse(data));
        ending = new Refusal(0, "closed", reason, retryAfter ?? retry);
      }
    } catch (cause) {
      console.warn(`marcador: ${type} ignored:`, refusalFrom(cause).message);
      if (cause instanceof Gap) {
        this.#held.begin(false);
        ending = new Refusal(0, "gap", refusalFrom(cause).message);
      }
    }
    if (ending !== null) throw ending;
  }

  #show() {
    const { standing, epoch } = this.#held;
    if (standing !== null) this.#sink.standing(standing, epoch);
  }

  /** @param {check.Authenticated} hello */
  #welcome({ userId, socketId, recovered, ranks }) {
    clearTimeout(this.#grace);
    this.#failures = 0;
    this.#welcomedAt = Date.now();
    if (recovered) this.#newsCame();
    else this.#awaitNews();
    this.#held.begin(recovered);
    this.#set({ status: "live", error: null, userId, ranks });
    this.#renewLater(socketId);
  }

  /** Has the stream go on when its token does not. @param {string} socketId */
  #renewLater(socketId) {
    clearTimeout(this.#renewal);
    const life = this.#service.tokenLife;
    if (life === null || life < LATE) return;
    // Between a half and the whole of it, so that tabs and people do not ask at one time.
    const early = Math.min(EARLY, life / 4) * (0.5 + Math.random() / 2);
    const delay = life - early;
    this.#renewal = setTimeout(
      () => (delay > LONGEST_TIMER ? this.#renewLater(socketId) : this.#renew(socketId)),
      Math.min(delay, LONGEST_TIMER),
    );
  }

  /** @param {string} socketId */
  async #renew(socketId) {
    const stream = this.#stream;
    if (stream === null) return;
    try {
      if ((await this.#service.renew()) !== null && this.#stream === stream) {
        const path = `/v1/events/${encodeURIComponent(socketId)}/token`;
        await this.#service.get(path, { Accept: "application/json" }, stream.signal, "POST");
      }
    } catch (cause) {
      // The stream ends with `token_expired`, and the next one asks again.
      console.warn("marcador: the token was not renewed:", refusalFrom(cause).message);
      return;
    }
    if (this.#stream === stream) this.#renewLater(socketId);
  }

  /**
   * Decides what follows a stream that is over.
   * @param {Refusal} ending
   * @param {{ silent: boolean, quiet: boolean }} stream whether it ended because nothing was heard
   *   of it, and whether its status is only told when it succeeds
   */
  #ended(ending, { silent, quiet }) {
    const lived = Date.now() - this.#welcomedAt;
    const settled = lived >= SETTLED;
    if (settled) this.#breaks = 0;
    const expired = ending.status === 0 && ending.code === "token_expired";
    if (expired) {
      if (settled) this.#renewed = false;
      if (!this.#renewed) {
        this.#renewed = true;
        this.#service.forgetToken();
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
      if (ending.status !== 403) this.#service.dropToken();
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
    this.#failures += 1;
    this.#breaks += 1;
    if (ending.code === "gap" && this.#breaks === 1) {
      this.open("soon");
      return;
    }
    if (this.#failures > TRIES || NEVER.has(ending.status)) {
      this.#set({ status: "offline", error: ending.problem });
      this.#tryLater(ending);
      return;
    }
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#breaks - 1));
    this.#set({ status: "waiting", error: ending.problem });
    this.#tryAfter(ending.wait ?? Math.random() * ceiling, ending.wait !== null);
  }

  /** Has one quiet try in about a minute, at another time than other readers. @param {Refusal} ending */
  #tryLater({ wait }) {
    this.#failures = TRIES;
    this.#tryAfter(Math.max(wait ?? 0, QUIET * (0.75 + Math.random() / 2)), false);
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
    if (status === "readonly") this.#service.forgetToken();
    this.open(status === "waiting" ? "said" : "quietly");
  }

  /** @param {Partial<State>} change */
  #set(change) {
    this.state = Object.freeze({ ...this.state, ...change });
    this.#sink.state(this.state);
  }
}
