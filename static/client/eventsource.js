// @ts-check
/** @import { Service } from "./http.js" */
/** @import { Reading } from "./stream.js" */

import { readFetch } from "./fetching.js";

const TYPES = [
  "authenticated",
  "leaderboard:updated",
  "position_change",
  "rank_changed",
  "error",
  "ping",
  "goodbye",
];

/** Whether the page's cookie speaks, and the browser's own client can send it. @param {Service} service */
export function eventSource(service) {
  return !service.asksForToken && service.ownOrigin && globalThis.EventSource !== undefined;
}

/**
 * Reads a stream with the page's cookie. An EventSource does not say why it was refused, so one that ended
 * before it had begun is followed by another way of reading the same.
 * @param {Service} service
 * @param {string} path
 * @param {Reading} reading
 */
export async function readEventSource(service, path, reading) {
  if (await opened(service, path, reading)) return;
  reading.heard();
  await readFetch(service, path, reading);
}

/**
 * Resolves when the stream has ended, and tells whether it had begun.
 * @param {Service} service
 * @param {string} path
 * @param {Reading} reading
 * @returns {Promise<boolean>}
 */
function opened(service, path, { lastEventId, signal, heard, take }) {
  const from = lastEventId === "" ? "" : `&last_event_id=${encodeURIComponent(lastEventId)}`;
  return new Promise((resolve, reject) => {
    const source = new EventSource(service.address(path) + from);
    let begun = false;
    // When to come back is decided elsewhere: its own way of reconnecting knows no bound.
    const end = () => source.close();
    signal.addEventListener("abort", end, { once: true });
    for (const type of TYPES) {
      source.addEventListener(type, (event) => {
        if (signal.aborted) return;
        const { data, lastEventId: id } = /** @type {MessageEvent} */ (event);
        if (type === "error" && typeof data !== "string") {
          end();
          resolve(begun);
          return;
        }
        heard();
        begun = true;
        try {
          take({ type, data, id });
        } catch (cause) {
          end();
          reject(cause);
        }
      });
    }
  });
}
