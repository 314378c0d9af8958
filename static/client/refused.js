// @ts-check
/** @import { What } from "./boards.js" */
/** @import { State } from "./connection.js" */
/** @import { Service } from "./http.js" */

import { keyOf, pageOf } from "./boards.js";
import { Refusal, refusalFrom } from "./http.js";

/** The board does not exist, or the request is wrong: trying again soon would bring the same answer. */
export const NEVER = new Set([400, 404, 422]);
const REFUSED = new Set([...NEVER, 401, 403]);
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const MINUTE = 60_000;
/** How long a page may take to come, in milliseconds. */
const PATIENCE = 30_000;

/** About a minute, so that readers who were refused together do not come back together. */
export function aMinute() {
  return MINUTE * (0.75 + Math.random() / 2);
}

/** How long after so many failures the next try is made. @param {number} failures */
export function backoff(failures) {
  return Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1));
}

/** Boards that a stream is not asked for, since each of them was refused. They are asked about once a minute. */
export class Refused {
  /** @type {Map<string, { what: What, state: Pick<State, "status" | "error"> }>} */
  #boards = new Map();
  #service;
  #freed;
  #closing = new AbortController();
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /**
   * @param {() => Service} service gives the one whose token speaks
   * @param {() => void} freed called when boards can be read after all
   */
  constructor(service, freed) {
    this.#service = service;
    this.#freed = freed;
  }

  /** @param {string} key */
  has(key) {
    return this.#boards.has(key);
  }

  /** How a board stands, null where it is none of these. @param {string} key */
  stateOf(key) {
    return this.#boards.get(key)?.state ?? null;
  }

  /** @param {What} what @param {Refusal} refusal */
  add(what, { status, message, problem }) {
    console.warn(`marcador: ${what.board} was refused:`, message);
    const closed = status === 401 || status === 403;
    // Of a board that may be read otherwise, the page says what is wrong.
    const state = closed
      ? { status: /** @type {const} */ ("readonly"), error: null }
      : { status: /** @type {const} */ ("offline"), error: problem };
    this.#boards.set(keyOf(what), { what, state });
    this.#timer ??= setTimeout(() => this.#look(), aMinute());
  }

  /** Forgets all others. @param {Set<string>} keys */
  keep(keys) {
    for (const key of this.#boards.keys()) if (!keys.has(key)) this.#boards.delete(key);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#boards.clear();
  }

  close() {
    this.#closing.abort(new Refusal(0, "closed", "the stream was closed"));
    this.clear();
  }

  /**
   * Finds the boards for which a stream was refused, and tells whether there are any.
   * @param {What[]} boards
   * @param {Refusal} ending why the stream was refused
   * @param {boolean} [one] whether it is certain that one of them is why
   */
  async find(boards, ending, one = false) {
    const expired = ending.status === 401 && this.#service().asksForToken;
    if (!REFUSED.has(ending.status) || expired) return false;
    const certain = one && boards.length === 1 ? ending : null;
    const refusals = await Promise.all(boards.map((what) => certain ?? this.#ask(what)));
    if (this.#closing.signal.aborted) return false;
    for (const [i, refusal] of refusals.entries()) {
      if (refusal !== null) this.add(boards[i], refusal);
    }
    return refusals.some((refusal) => refusal !== null);
  }

  /** Why a board can't be read, or null where it can or that is not known. @param {What} what */
  async #ask(what) {
    const soon = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(PATIENCE)]);
    try {
      await this.#service().get(pageOf(what, { limit: "1" }), { Accept: "application/json" }, soon);
    } catch (cause) {
      const refusal = refusalFrom(cause);
      if (REFUSED.has(refusal.status)) return refusal;
    }
    return null;
  }

  async #look() {
    const boards = [...this.#boards.entries()];
    const refusals = await Promise.all(boards.map(([, { what }]) => this.#ask(what)));
    let freed = false;
    for (const [i, [key, board]] of boards.entries()) {
      if (refusals[i] !== null || this.#boards.get(key) !== board) continue;
      this.#boards.delete(key);
      freed = true;
    }
    this.#timer = this.#boards.size > 0 ? setTimeout(() => this.#look(), aMinute()) : undefined;
    if (freed) this.#freed();
  }
}
