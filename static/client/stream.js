// @ts-check
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */
/** @import { Topic } from "./topics.js" */

import { eventSource, readEventSource } from "./eventsource.js";
import { readFetch } from "./fetching.js";
import { Refusal, refusalFrom } from "./http.js";
import { keyOf, normal } from "./topics.js";

/** A stream that is silent for longer is lost. The server's longest heartbeat is 30 s. */
export const SILENCE = 40_000;

/**
 * How a stream is read. Readers resolve when it ends, and reject with the reason if it failed.
 * @typedef {object} Reading
 * @property {string} lastEventId where it goes on from, "" for the beginning
 * @property {AbortSignal} signal ends it; `take` is not called after that
 * @property {() => void} heard called when anything comes
 * @property {(event: StreamEvent) => void} take called in order with each event. If it throws, the
 *   stream ends. An event's id is "" until the stream names one.
 */

/** One stream, from its request to its end. It runs once: the next try is another stream. */
export class Stream {
  #service;
  #take;
  #controller = new AbortController();
  #watchdog = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #heardAt = Date.now();
  /** Whether it was ended because nothing came. */
  fellSilent = false;

  /** The keys of its boards. */
  keys;
  /** The service's names of the boards. @type {string[]} */
  names = [];

  #topics;

  /** @param {Service} service @param {Topic[]} topics @param {Reading["take"]} take */
  constructor(service, topics, take) {
    this.#service = service;
    this.#topics = topics;
    this.keys = new Set(topics.map(keyOf));
    this.#take = take;
  }

  /** Aborted when the stream is over. */
  get signal() {
    return this.#controller.signal;
  }

  /**
   * Whether something should have come by now. A timer does not tell this right after the page was
   * frozen.
   */
  get silent() {
    return Date.now() - this.#heardAt >= SILENCE;
  }

  /**
   * The topics for a board's name in the service. There may be several, since a board may be asked
   * for in several spellings.
   * @param {string} name
   * @param {string} [period] without it, topics of all periods
   */
  called(name, period) {
    return this.#topics.filter((topic) => {
      const { board } = topic;
      const same = board === name || (!this.names.includes(board) && normal(board) === name);
      return same && (period ?? topic.period) === topic.period && this.keys.has(keyOf(topic));
    });
  }

  /**
   * Resolves with the reason when the stream is over. Never rejects.
   * @param {string} path
   * @param {string} lastEventId
   * @param {boolean} wary whether the last stream failed. Then `fetch` is used, which tells why a
   *   request fails
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
      // A getToken that never answers can't be aborted, hence the race.
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
