// @ts-check
/** @import { Problem, RankChanged } from "../marcador.d.ts" */
/** @import { Held } from "./held.js" */
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import * as check from "./check.js";
import { Gap } from "./held.js";
import { Refusal, refusalFrom } from "./http.js";
import { Stream } from "./stream.js";

const TRIES = 5;
/** What another try would be told again: there is no such board, or it is asked for in a wrong way. */
export const NEVER = new Set([400, 404, 422]);
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
/** A stream that lived this long has nothing to do with what was before it. */
const SETTLED = 10_000;
/** A stream that takes the place of another is given this long before it is said that there is none. */
const GRACE = 2_000;
/** A fresh token is asked for at most this long before the old one expires, and not in the last moment. */
const EARLY = 60_000;
const LATE = 2_000;
/** Longer timers than 24 days fire at once. */
const LONGEST_TIMER = 24 * 60 * 60 * 1000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * How a stream stands. `waiting` is for the next try or its answer; `readonly` is the end of it.
 * @typedef {object} State
 * @property {"waiting" | "live" | "offline" | "readonly"} status
 * @property {string | null} userId whom the last stream was for
 * @property {Problem | null} error
 */

/**
 * Who is told of what a stream brings.
 * @typedef {object} Sink
 * @property {(state: State) => void} state
 * @property {(standing: check.Standing, epoch: string | null) => void} standing
 * @property {(move: RankChanged) => void} move
 */

/** One board's stream over time: when it is opened, when it is tried again, and what it brings. */
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

  /** Begins a try, in place of whatever was under way. @param {boolean} [quietly] as good as live for a moment */
  async open(quietly = false) {
    if (this.#closed) return;
    this.#stop();
    this.#welcomedAt = Number.POSITIVE_INFINITY;
    if (quietly) this.#grace = setTimeout(() => this.#set({ status: "waiting" }), GRACE);
    else this.#set({ status: "waiting" });
    const stream = new Stream(this.#service, (event, retry) => this.#take(event, retry));
    this.#stream = stream;
    const query = new URLSearchParams({ ...this.#what, mode: "diff" });
    const ending = await stream.run(`/v1/events?${query}`, this.#held.id, this.#breaks > 0);
    if (this.#stream !== stream) return;
    this.#stop();
    this.#ended(ending);
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
    if (this.#stream === null) {
      if (Date.now() >= this.#notBefore) this.open();
    } else if (this.#stream.silent) {
      this.open();
    }
  }

  /** Makes up for a timer that stood still. */
  hurry() {
    if (Date.now() >= this.#due) this.open();
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
    for (const timer of [this.#timer, this.#grace, this.#renewal]) clearTimeout(timer);
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
        ending = new Refusal(0, "closed", check.goodbye(JSON.parse(data)).reason, retry);
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
  #welcome({ userId, socketId, recovered }) {
    clearTimeout(this.#grace);
    this.#failures = 0;
    this.#welcomedAt = Date.now();
    this.#held.begin(recovered);
    this.#set({ status: "live", error: null, userId });
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

  /** Decides what follows a stream that is over. @param {Refusal} ending */
  #ended(ending) {
    const settled = Date.now() - this.#welcomedAt >= SETTLED;
    if (settled) this.#breaks = 0;
    const expired = ending.status === 0 && ending.code === "token_expired";
    if (expired) {
      if (settled) this.#renewed = false;
      if (!this.#renewed) {
        this.#renewed = true;
        this.#service.forgetToken();
        this.open(true);
        return;
      }
    }
    if (expired || ending.status === 401 || ending.status === 403) {
      // A token that is refused is not sent again; what may be read without one still is.
      console.warn("marcador: the stream was refused:", ending.message);
      if (ending.status !== 403) this.#service.dropToken();
      this.#set({ status: "readonly" });
      return;
    }
    this.#failures += 1;
    this.#breaks += 1;
    if (ending.code === "gap" && this.#breaks === 1) {
      this.open(true);
      return;
    }
    if (this.#failures > TRIES || NEVER.has(ending.status)) {
      this.#notBefore = 0;
      this.#set({ status: "offline", error: ending.problem });
      return;
    }
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#breaks - 1));
    const delay = ending.wait ?? Math.random() * ceiling;
    this.#due = Date.now() + delay;
    this.#notBefore = ending.wait === null ? 0 : this.#due;
    this.#set({ status: "waiting", error: ending.problem });
    this.#timer = setTimeout(() => this.open(), delay);
  }

  /** @param {Partial<State>} change */
  #set(change) {
    this.state = Object.freeze({ ...this.state, ...change });
    this.#sink.state(this.state);
  }
}
