// @ts-check
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import { eventSource, readEventSource } from "./eventsource.js";
import { Refusal, refusalFrom } from "./http.js";
import { EventParser } from "./sse.js";

/** The server is never silent for longer than its heartbeat, 15 s. */
const SILENCE = 40_000;

/**
 * What reads a stream: resolves where it ends, rejects with why it ended or did not begin.
 * @typedef {object} Reading
 * @property {string} lastEventId from which it goes on, "" for a fresh one
 * @property {AbortSignal} signal ends it; nothing is taken after that
 * @property {() => void} heard called with whatever comes
 * @property {(event: StreamEvent, retry: number | null) => void} take called in order with each event and
 *   the stream's last `retry:`; what it throws ends the stream. An id is "" until the stream names one.
 */

/** One stream, from its request to its end. It is run once; the next try is another one. */
export class Stream {
  #service;
  #take;
  #controller = new AbortController();
  #watchdog = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #heardAt = Date.now();

  /** @param {Service} service @param {Reading["take"]} take */
  constructor(service, take) {
    this.#service = service;
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
   * Resolves when the stream is over, with the reason. Never rejects.
   * @param {string} path
   * @param {string} lastEventId
   * @returns {Promise<Refusal>}
   */
  async run(path, lastEventId) {
    const { signal } = this.#controller;
    /** @type {Promise<never>} */
    const stopped = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const read = eventSource(this.#service) ? readEventSource : readFetch;
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
      const message = `nothing was heard for ${SILENCE / 1000} s`;
      this.#controller.abort(new Refusal(0, "network", message));
    }, SILENCE);
  }
}

/** Sends the token in a header, to any origin. @param {Service} service @param {string} path @param {Reading} reading */
async function readFetch(service, path, { lastEventId, signal, heard, take }) {
  if (service.asksForToken && (await service.token()) === null) {
    throw new Refusal(401, "no_token", "there is no token");
  }
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream" };
  if (lastEventId !== "") headers["Last-Event-ID"] = lastEventId;
  const response = await service.get(path, headers, signal);
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith("text/event-stream") || response.body === null) {
    throw new Refusal(0, "malformed", "the answer is not an event stream");
  }
  const parser = new EventParser((event) => {
    signal.throwIfAborted();
    take(event, parser.retry);
  });
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    signal.throwIfAborted();
    heard();
    parser.feed(value);
  }
}
