// @ts-check
/** @import { Service } from "./http.js" */
/** @import { StreamEvent } from "./sse.js" */

import { Refusal, refusalFrom } from "./http.js";
import { EventParser } from "./sse.js";

/** The server is never silent for longer than its heartbeat, 15 s. */
const SILENCE = 40_000;

/** One stream, from its request to its end. It is run once; the next try is another one. */
export class Stream {
  /** What `Last-Event-ID` of the next stream should say. */
  lastEventId;

  #service;
  #onEvent;
  #controller = new AbortController();
  #watchdog = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #heardAt = Date.now();

  /**
   * @param {Service} service
   * @param {string} lastEventId
   * @param {(event: StreamEvent, retry: number | null) => void} onEvent called in order with each event and the
   *   stream's last `retry:`; what it throws ends the stream. Never called after `stop`.
   */
  constructor(service, lastEventId, onEvent) {
    this.#service = service;
    this.#onEvent = onEvent;
    this.lastEventId = lastEventId;
  }

  /** True where the stream should have been heard of by now, also while timers stood still. */
  get silent() {
    return Date.now() - this.#heardAt >= SILENCE;
  }

  /**
   * Resolves when the stream is over, with the reason. Never rejects.
   * @param {string} path
   * @returns {Promise<Refusal>}
   */
  async run(path) {
    const { signal } = this.#controller;
    /** @type {Promise<never>} */
    const stopped = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    try {
      this.#heard();
      // The race is for what can't be aborted: a getToken that never answers.
      await Promise.race([stopped, this.#read(path, signal)]);
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

  /** @param {string} path @param {AbortSignal} signal */
  async #read(path, signal) {
    if (this.#service.asksForToken && (await this.#service.token()) === null) {
      throw new Refusal(401, "no_token", "there is no token");
    }
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (this.lastEventId !== "") headers["Last-Event-ID"] = this.lastEventId;
    const response = await this.#service.get(path, headers, signal);
    const type = response.headers.get("Content-Type") ?? "";
    if (!type.startsWith("text/event-stream") || response.body === null) {
      throw new Refusal(0, "malformed", "the answer is not an event stream");
    }
    const parser = new EventParser((event) => {
      signal.throwIfAborted();
      this.lastEventId = event.id;
      this.#onEvent(event, parser.retry);
    }, this.lastEventId);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      signal.throwIfAborted();
      this.#heard();
      parser.feed(value);
    }
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
