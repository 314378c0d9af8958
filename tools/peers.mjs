// Follows a stream with another project's client, and prints each event as a line of JSON:
//   node tools/peers.mjs CLIENT URL [TOKEN]
//   {"type":"position_change","id":"…","data":"…"}
// Three types stand in brackets: "(open)" when a response begins, "(end)" when it ends well, and
// "(failure)" when it ends otherwise. With MARCADOR_HURRY=50 all waits are fifty times as short.
// @ts-check

import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import { EventParser } from "../static/client/sse.js";

const TYPES = [
  "authenticated",
  "leaderboard:updated",
  "position_change",
  "rank_changed",
  "goodbye",
  "ping",
];

/** @param {string} type @param {string} [id] @param {unknown} [data] */
function say(type, id = "", data = "") {
  process.stdout.write(`${JSON.stringify({ type, id, data: String(data) })}\n`);
}

const hurry = Number(process.env.MARCADOR_HURRY ?? 1);
const real = setTimeout;
Object.assign(globalThis, {
  /** @param {() => void} what @param {number} ms @param {unknown[]} given */
  setTimeout: (what, ms, ...given) => real(what, ms / hurry, ...given),
});

/** @type {Record<string, (url: string, headers: Record<string, string>) => unknown>} */
const clients = {
  /** Reads a stream as a page does without a library. */
  async fetch(url, headers) {
    try {
      const response = await fetch(url, { headers });
      say("(open)");
      const parser = new EventParser(({ type, id, data }) => say(type, id, data));
      for await (const bytes of /** @type {any} */ (response.body)) parser.feed(bytes);
      say("(end)");
    } catch (cause) {
      say("(failure)", "", cause);
    }
  },

  eventsource(url, headers) {
    const source = new EventSource(url, {
      fetch: (to, init) => fetch(to, { ...init, headers: { ...init.headers, ...headers } }),
    });
    source.onopen = () => say("(open)");
    for (const type of TYPES) {
      source.addEventListener(type, (event) => say(type, event.lastEventId, event.data));
    }
    source.addEventListener("error", (event) => {
      // An error event of the service differs from a failure only by its data.
      const { data, lastEventId } = /** @type {any} */ (event);
      if (typeof data === "string") say("error", lastEventId, data);
      else say("(failure)", "", event.message);
    });
  },

  /** Comes back after a failure, and stays away after any end that is none. */
  "fetch-event-source": (url, headers) => withFetchEventSource(url, headers, () => say("(end)")),

  /** Comes back after an end as well, since its onclose throws. */
  "fetch-event-source that throws": (url, headers) =>
    withFetchEventSource(url, headers, () => {
      say("(end)");
      throw new Error("come back");
    }),
};

/** @param {string} url @param {Record<string, string>} headers @param {() => void} onclose */
async function withFetchEventSource(url, headers, onclose) {
  Object.assign(globalThis, { window: globalThis });
  await fetchEventSource(url, {
    headers,
    openWhenHidden: true, // there is no document
    onopen: async () => say("(open)"),
    onmessage: ({ event, id, data }) => say(event, id, data),
    onclose,
    onerror: (cause) => say("(failure)", "", cause), // then it comes back after the time of `retry:`
  });
}

const [name, url, token] = process.argv.slice(2);
const follow = clients[name];
if (follow === undefined || url === undefined) {
  console.error(
    `usage: node tools/peers.mjs CLIENT URL [TOKEN], with one of ${Object.keys(clients)}`,
  );
  process.exit(2);
}
follow(url, token === undefined ? {} : { Authorization: `Bearer ${token}` });
