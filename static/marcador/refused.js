// @ts-check
/** @import { What } from "./boards.js" */
/** @import { State } from "./connection.js" */
/** @import { Refusal } from "./http.js" */

import { keyOf } from "./boards.js";

const MINUTE = 60_000;

/** About a minute, so that readers who were refused together do not come back together. */
export function aMinute() {
  return MINUTE * (0.75 + Math.random() / 2);
}

/** Boards that a stream is not asked for, since each of them was refused. They are asked about once a minute. */
export class Refused {
  /** @type {Map<string, { what: What, state: Pick<State, "status" | "error"> }>} */
  #boards = new Map();
  #ask;
  #freed;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /**
   * @param {(what: What) => Promise<Refusal | null>} ask gives why a board can't be read, or null
   * @param {() => void} freed called when boards can be read after all
   */
  constructor(ask, freed) {
    this.#ask = ask;
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
