// @ts-check
/** @import { State } from "./connection.js" */
/** @import { Service } from "./http.js" */
/** @import { Topic } from "./topics.js" */

import { Refusal, refusalFrom } from "./http.js";
import { keyOf, pagePath } from "./topics.js";

/**
 * The board does not exist, or the request is wrong. Trying again soon would bring the same answer.
 */
export const NEVER = new Set([400, 404, 422]);
const REFUSED = new Set([...NEVER, 401, 403]);
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const MINUTE = 60_000;
/** How long a page may take to come, in milliseconds. */
const PATIENCE = 30_000;

/**
 * About a minute in milliseconds, at random: readers who were refused together must not return
 * together.
 */
export function aMinute() {
  return MINUTE * (0.75 + Math.random() / 2);
}

/** Milliseconds until the next try after so many failures. @param {number} failures */
export function backoff(failures) {
  return Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1));
}

/**
 * Boards that were refused, and that streams are therefore not asked for. Their pages are tried
 * once a minute, and a board that can be read is asked for again.
 */
export class RefusedBoards {
  /** @type {Map<string, { topic: Topic, state: Pick<State, "status" | "error"> }>} */
  #boards = new Map();
  #service;
  #freed;
  #closing = new AbortController();
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /**
   * @param {() => Service} service the one whose token speaks at the moment
   * @param {() => void} freed called when a board can be read after all
   */
  constructor(service, freed) {
    this.#service = service;
    this.#freed = freed;
  }

  /** @param {string} key */
  has(key) {
    return this.#boards.has(key);
  }

  /** The state of a refused board, null for any other. @param {string} key */
  stateOf(key) {
    return this.#boards.get(key)?.state ?? null;
  }

  /** @param {Topic} topic @param {Refusal} refusal */
  add(topic, { status, message, problem }) {
    console.warn(`marcador: ${topic.board} was refused:`, message);
    const closed = status === 401 || status === 403;
    // A closed board is read by pages, and their error tells what is wrong.
    const state = closed
      ? { status: /** @type {const} */ ("readonly"), error: null }
      : { status: /** @type {const} */ ("offline"), error: problem };
    this.#boards.set(keyOf(topic), { topic, state });
    this.#timer ??= setTimeout(() => this.#tryPages(), aMinute());
  }

  /** Forgets all boards but these. @param {Set<string>} keys */
  retain(keys) {
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
   * Finds which boards a stream was refused for, and returns whether there are any. The service
   * refuses a stream as a whole, so the boards' pages tell.
   * @param {Topic[]} topics
   * @param {Refusal} reason why the stream was refused
   * @param {boolean} [among] whether the reason is certainly one of these boards
   */
  async find(topics, reason, among = false) {
    const expired = reason.status === 401 && this.#service().asksForToken;
    if (!REFUSED.has(reason.status) || expired) return false;
    const certain = among && topics.length === 1 ? reason : null;
    const refusals = await Promise.all(topics.map((topic) => certain ?? this.#tryPage(topic)));
    if (this.#closing.signal.aborted) return false;
    for (const [i, refusal] of refusals.entries()) {
      if (refusal !== null) this.add(topics[i], refusal);
    }
    return refusals.some((refusal) => refusal !== null);
  }

  /** Why a board can't be read. Null if it can be, or if nothing is known. @param {Topic} topic */
  async #tryPage(topic) {
    const soon = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(PATIENCE)]);
    try {
      const path = pagePath(topic, { limit: "1" });
      await this.#service().get(path, { Accept: "application/json" }, soon);
    } catch (cause) {
      const refusal = refusalFrom(cause);
      if (REFUSED.has(refusal.status)) return refusal;
    }
    return null;
  }

  async #tryPages() {
    const boards = [...this.#boards.entries()];
    const refusals = await Promise.all(boards.map(([, { topic }]) => this.#tryPage(topic)));
    let freed = false;
    for (const [i, [key, board]] of boards.entries()) {
      if (refusals[i] !== null || this.#boards.get(key) !== board) continue;
      this.#boards.delete(key);
      freed = true;
    }
    this.#timer = this.#boards.size > 0 ? setTimeout(() => this.#tryPages(), aMinute()) : undefined;
    if (freed) this.#freed();
  }
}
