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

/**
 * Whether the page's cookie speaks, so that the browser's EventSource can be used.
 * @param {Service} service
 */
export function eventSource(service) {
  return !service.asksForToken && service.ownOrigin && globalThis.EventSource !== undefined;
}

/**
 * Reads a stream with the page's cookie. An EventSource does not tell why it was refused, so a
 * stream that ended before it began is read again with `fetch`, which does.
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
 * Resolves when the stream has ended, with whether it had begun.
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
    // Without this it would reconnect by itself, without any bound.
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
