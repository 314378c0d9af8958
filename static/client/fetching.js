// @ts-check
/** @import { Service } from "./http.js" */
/** @import { Reading } from "./stream.js" */

import { Refusal } from "./http.js";
import { EventParser } from "./sse.js";

/**
 * Reads a stream of any origin with `fetch`. A token is sent in a header.
 * @param {Service} service
 * @param {string} path
 * @param {Reading} reading
 */
export async function readFetch(service, path, { lastEventId, signal, heard, take }) {
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
    take(event);
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
