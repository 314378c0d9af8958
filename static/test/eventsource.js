// @ts-check

import { EventParser } from "../client/sse.js";

/** The addresses of all EventSources, oldest first. @type {string[]} */
export const opened = [];

/** The browser's EventSource, as far as the client uses it. */
export class EventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;

  readyState = EventSource.CONNECTING;
  #closing = new AbortController();

  /** @param {string} url */
  constructor(url) {
    super();
    opened.push(url);
    this.#run(url);
  }

  close() {
    this.readyState = EventSource.CLOSED;
    this.#closing.abort();
  }

  /** @param {string} url */
  async #run(url) {
    let fatal = false;
    try {
      const { signal } = this.#closing;
      const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal });
      const type = response.headers.get("Content-Type") ?? "";
      fatal = response.status !== 200 || !type.startsWith("text/event-stream");
      if (!fatal && response.body !== null) {
        this.readyState = EventSource.OPEN;
        this.dispatchEvent(new Event("open"));
        const parser = new EventParser(({ type, data, id }) => {
          if (signal.aborted) return;
          this.dispatchEvent(new MessageEvent(type, { data, lastEventId: id }));
        });
        for await (const bytes of /** @type {any} */ (response.body)) parser.feed(bytes);
      }
    } catch {
      // Browsers do not tell the reason either.
    }
    if (this.#closing.signal.aborted) return;
    this.readyState = fatal ? EventSource.CLOSED : EventSource.CONNECTING;
    this.dispatchEvent(new Event("error"));
  }
}
