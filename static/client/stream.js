// @ts-check
/** @import { What } from "./boards.js" */
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import { keyOf, normal } from "./boards.js";
import { eventSource, readEventSource } from "./eventsource.js";
import { readFetch } from "./fetching.js";
import { Refusal, refusalFrom } from "./http.js";

/** The server is never silent for longer than its heartbeat, 30 s at most. */
export const SILENCE = 40_000;

/**
 * What reads a stream: resolves where it ends, rejects with why it ended or did not begin.
 * @typedef {object} Reading
 * @property {string} lastEventId from which it goes on, "" for a fresh one
 * @property {AbortSignal} signal ends it; nothing is taken after that
 * @property {() => void} heard called with whatever comes
 * @property {(event: StreamEvent) => void} take called in order with each event; what it throws ends
 *   the stream. An id is "" until the stream names one.
 */

/** One stream, from its request to its end. It is run once; the next try is another one. */
export class Stream {
  #service;
  #take;
  #controller = new AbortController();
  #watchdog = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #heardAt = Date.now();
  /** Whether it was ended because nothing was heard of it. */
  fellSilent = false;

  /** The keys of the boards that it brings. */
  keys;
  /** What the service calls them. @type {string[]} */
  names = [];

  #boards;

  /** @param {Service} service @param {What[]} boards @param {Reading["take"]} take */
  constructor(service, boards, take) {
    this.#service = service;
    this.#boards = boards;
    this.keys = new Set(boards.map(keyOf));
    this.#take = take;
  }

  /** Aborted when the stream is over. */
  get signal() {
    return this.#controller.signal;
  }

  /** True where the stream should have been heard of by now, also while timers stood still. */
  get silent() {
    return Date.now() - this.#heardAt >= SILENCE;
  }

  /**
   * The boards that the service calls so: one may be asked for in several spellings.
   * @param {string} name
   * @param {string} [period] in all, where it is not given
   */
  called(name, period) {
    return this.#boards.filter((what) => {
      const { board } = what;
      const same = board === name || (!this.names.includes(board) && normal(board) === name);
      return same && (period ?? what.period) === what.period && this.keys.has(keyOf(what));
    });
  }

  /**
   * Resolves when the stream is over, with the reason. Never rejects.
   * @param {string} path
   * @param {string} lastEventId
   * @param {boolean} wary whether the last one failed, so that the reason matters should this one fail
   * @returns {Promise<Refusal>}
   */
  async run(path, lastEventId, wary) {
    const { signal } = this.#controller;
    /** @type {Promise<never>} */
    const stopped = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const read = !wary && eventSource(this.#service) ? readEventSource : readFetch;
    const heard = () => this.#heard();
    try {
      heard();
      const reading = read(this.#service, path, { lastEventId, signal, heard, take: this.#take });
      // The race is for what can't be aborted: a getToken that never answers.
      await Promise.race([stopped, reading]);
      return new Refusal(0, "closed", "the stream ended");
    } catch (cause) {
      return refusalFrom(cause);
    } finally {
      this.stop();
    }
  }

  stop() {
    clearTimeout(this.#watchdog);
    this.#controller.abort(new Refusal(0, "closed", "the stream was stopped"));
  }

  #heard() {
    this.#heardAt = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      this.fellSilent = true;
      const message = `nothing was heard for ${SILENCE / 1000} s`;
      this.#controller.abort(new Refusal(0, "network", message));
    }, SILENCE);
  }
}
