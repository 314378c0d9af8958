// @ts-check

import { once } from "node:events";
import { createServer } from "node:http";

/**
 * @typedef {import("node:http").IncomingMessage} Request
 * @typedef {import("node:http").ServerResponse} Response
 * @typedef {(request: Request, response: Response) => void} Answer
 */

/** @param {number} rank @param {Record<string, unknown>} [fields] */
export function entry(rank, fields = {}) {
  return {
    rank,
    userId: `u${rank}`,
    username: `Persona ${rank}`,
    avatar: "",
    rankBadge: "Ajaw",
    score: 1000 - rank * 10,
    xp: 1000 - rank * 10,
    mlCoins: 5,
    change: 0,
    changeType: "same",
    isCurrentUser: false,
    ...fields,
  };
}

/**
 * Data of `leaderboard:updated`.
 * @param {number} version
 * @param {Record<string, unknown>} [fields]
 */
export function update(version, fields = {}) {
  return {
    leaderboard: [entry(1), entry(2), entry(3)],
    timestamp: "2025-11-28T18:30:00.000Z",
    board: "global",
    period: "all-time",
    totalEntries: 200,
    version,
    ...fields,
  };
}

/** A page. @param {number} version @param {Record<string, unknown>} [fields] */
export function page(version, fields = {}) {
  const { leaderboard: entries, timestamp: lastUpdated, ...rest } = update(version);
  return { type: "global", entries, lastUpdated, me: null, resetsAt: null, ...rest, ...fields };
}

/** @param {string} type @param {unknown} data @param {string} [id] */
export function frame(type, data, id) {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `event: ${type}\n${id === undefined ? "" : `id: ${id}\n`}data: ${text}\n\n`;
}

/** @param {string | null} userId */
export function authenticated(userId, boards = ["global"]) {
  const fields = { email: null, socketId: "s1", recovered: false, boards };
  return frame("authenticated", { success: true, userId, ...fields });
}

/**
 * @param {number} status
 * @param {string} code
 * @param {Record<string, string>} [headers]
 * @returns {Answer}
 */
export function refuse(status, code, headers = {}) {
  return (_, response) => {
    response.writeHead(status, { "Content-Type": "application/problem+json", ...headers });
    response.end(JSON.stringify({ title: code, status, code }));
  };
}

/** A service on a real socket. Tests change its answers, and see what it was asked. */
export class Service {
  /** @type {{ method: string, url: string, headers: import("node:http").IncomingHttpHeaders }[]} */
  requests = [];
  /** @type {Response[]} Open streams, oldest first. */
  streams = [];
  userId = /** @type {string | null} */ (null);
  /** What a new stream says that it brings. */
  boards = ["global"];
  /** What a new stream says first. */
  greeting = "";
  /** @type {Answer} */
  onStream = (_, response) => this.welcome(response);
  /** @type {Answer} */
  onPage = (_, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(page(1)));
  };

  #waiting = /** @type {(() => void)[]} */ ([]);
  #server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    this.requests.push({ method, url, headers });
    if (url.startsWith("/v1/events?")) this.onStream(request, response);
    else this.onPage(request, response);
    for (const wake of this.#waiting.splice(0)) wake();
  });

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get baseUrl() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * @param {Response} response
   * @param {unknown} [first] the first page, instead of the usual one
   */
  welcome(response, first) {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const greeting = first === undefined ? this.greeting : frame("leaderboard:updated", first);
    response.write(authenticated(this.userId, this.boards) + greeting);
    this.streams.push(response);
    response.on("close", () => this.streams.splice(this.streams.indexOf(response), 1));
  }

  /** @param {string} part */
  asked(part) {
    return this.requests.filter(({ url }) => url.includes(part));
  }

  /** Waits until a path was asked for so many times. @param {string} part @param {number} times */
  async untilAsked(part, times) {
    while (this.asked(part).length < times) {
      await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    }
  }

  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
