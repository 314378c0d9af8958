// @ts-check
/** @import { State } from "./connection.js" */
/** @import { Refusal } from "./http.js" */

import { BLOCKED } from "./blocked.js";
import { aMinute, backoff, NEVER } from "./refused.js";
import { SILENCE } from "./stream.js";

/** Tries in a row before the status is `offline`. */
export const TRIES = 5;
/** A stream that lived this long has nothing to do with failures before it. */
const SETTLED = 10_000;

/**
 * How a stream ended.
 * @typedef {object} End
 * @property {Refusal} refusal
 * @property {State["status"]} status the connection's
 * @property {number} lived milliseconds since the stream began, negative if it did not begin
 * @property {boolean} silent whether it was given up because nothing came
 * @property {boolean} quiet whether the status tells nothing of this try unless it succeeds
 */

/**
 * What follows.
 * @typedef {object} Next
 * @property {"soon" | "renew" | "never" | "wait"} action a try at once; one with a fresh token;
 *   none until the reader returns; one after `delay`
 * @property {Partial<State>} state what changes in the connection's state
 * @property {number} [delay] milliseconds
 * @property {boolean} [bound] whether the server wants no earlier try
 * @property {boolean} [denied] whether the server refused the token, or asked for one
 */

/**
 * Decides what follows the end of a stream:
 *
 *     how it ended                                        status      next try
 *     the token expired, for the first time               as before   at once, with a fresh token
 *     a newer stream replaced it                          replaced    when the reader returns
 *     401, 403, or the fresh token expired too            readonly    in about a minute
 *     silent after its first page, twice in a row         buffered    in about a minute
 *     a quiet try failed                                  as before   in about a minute
 *     a difference did not fit, for the first time        as before   at once
 *     400, 404, 422, CORS, CSP, or the sixth failure      offline     in about a minute
 *     anything else                                       waiting     after up to 1, 2, 4, 8, 16 s,
 *                                                                     or when the server says
 */
export class Tries {
  /** Streams in a row that began and fell silent: a proxy holds back what comes later. */
  #silences = 0;
  /** Tries in a row that brought no stream. */
  #failures = 0;
  /** Streams in a row that failed or did not live for long. */
  #breaks = 0;
  /** A fresh token was asked for, and no stream has settled since. */
  #renewed = false;

  /** Whether the last stream failed. */
  get failing() {
    return this.#breaks > 0;
  }

  /** A stream has begun. */
  succeed() {
    this.#failures = 0;
  }

  /** Forgets failures: the page is visible again, or the network is back. */
  hope() {
    this.#failures = 0;
    this.#breaks = 0;
  }

  /** Forgets that streams fell silent. */
  forgetSilences() {
    this.#silences = 0;
  }

  /** Forgets that a fresh token was asked for. */
  forgetRenewal() {
    this.#renewed = false;
  }

  /** @param {End} end @returns {Next} */
  judge({ refusal, status, lived, silent, quiet }) {
    const { status: http, code } = refusal;
    const settled = lived >= SETTLED;
    if (settled) this.#breaks = 0;
    const expired = http === 0 && code === "token_expired";
    if (expired) {
      if (settled) this.#renewed = false;
      if (!this.#renewed) {
        this.#renewed = true;
        return { action: "renew", state: {} };
      }
    }
    if (http === 0 && code === "replaced") {
      return { action: "never", state: { status: "replaced", error: null } };
    }
    if (expired || http === 401 || http === 403) {
      return { ...this.#later(refusal), state: { status: "readonly" }, denied: true };
    }
    this.#silences = silent && lived < 2 * SILENCE ? this.#silences + 1 : 0;
    if (this.#silences > 0 && (status === "buffered" || this.#silences > 1)) {
      return { ...this.#later(refusal), state: { status: "buffered" } };
    }
    if (quiet && (status === "buffered" || status === "readonly")) return this.#later(refusal);
    return this.#fail(refusal);
  }

  /** @param {Refusal} refusal @returns {Next} */
  #fail(refusal) {
    const { status, code, problem, wait } = refusal;
    this.#failures += 1;
    this.#breaks += 1;
    if (code === "gap" && this.#breaks === 1) return { action: "soon", state: {} };
    if (this.#failures > TRIES || NEVER.has(status) || BLOCKED.has(code)) {
      return { ...this.#later(refusal), state: { status: "offline", error: problem } };
    }
    const delay = wait ?? backoff(this.#breaks);
    const state = { status: /** @type {const} */ ("waiting"), error: problem };
    return { action: "wait", state, delay, bound: wait !== null };
  }

  /**
   * A try in about a minute, at another time than other readers.
   * @param {Refusal} refusal
   * @returns {Next}
   */
  #later({ wait }) {
    this.#failures = TRIES;
    return { action: "wait", state: {}, delay: Math.max(wait ?? 0, aMinute()), bound: false };
  }
}
