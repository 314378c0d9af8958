// @ts-check
/** @import { Board, ConnectOptions, Entry, Page, RankChanged, Snapshot } from "./marcador.d.ts" */
/** @import { Standing } from "./marcador/check.js" */
/** @import { StreamEvent } from "./marcador/sse.js" */

import * as check from "./marcador/check.js";
import { Refusal, refusalFrom, Service } from "./marcador/http.js";
import { complete } from "./marcador/options.js";
import { mark, placeIn } from "./marcador/place.js";
import { Stream } from "./marcador/stream.js";

const NEIGHBOURS = 5;
const TRIES = 5;
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const POLL = 15_000;
/** Keeps the readers of a large board from asking for their own rank all at once. */
const SPREAD = 2_000;
/** A stream that lived this long may have its token renewed when that runs out. */
const SETTLED = 10_000;

/** @param {ConnectOptions} [options] @returns {Board} */
export function connect(options = {}) {
  const connection = new Connection(complete(options));
  connection.open();
  return {
    subscribe: (listener) => connection.subscribe(listener),
    getSnapshot: () => connection.snapshot,
    on: (type, listener) => connection.on(type, listener),
    refresh: () => connection.refresh(),
    around: (neighbours) => connection.around(neighbours),
    read: (path) => connection.read(path),
    retry: () => connection.retry(),
    close: () => connection.close(),
  };
}

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

class Connection {
  /** @type {Snapshot} */
  snapshot;

  #service;
  #rows;
  /** All the rows that are known, of which the snapshot shows the first. */
  #all = /** @type {readonly Entry[]} */ ([]);
  #watchers = /** @type {Set<(move: RankChanged) => void>} */ (new Set());
  #listeners = /** @type {Set<() => void>} */ (new Set());
  #closing = new AbortController();

  /** The stream under way; one that is not this one any more has no say. */
  #stream = /** @type {Stream | null} */ (null);
  /** The next try, or the next poll. */
  #timer = /** @type {Timer} */ (undefined);
  #failures = 0;
  /** Before this time the server wants no try. */
  #notBefore = 0;
  /** When the stream delivered `authenticated`. */
  #welcomedAt = Number.POSITIVE_INFINITY;
  /** A fresh token was asked for and no stream has settled since. */
  #renewed = false;

  #lastEventId = "";
  /** The epoch that `snapshot.version` counts in; null where it is not known. */
  #epoch = /** @type {string | null} */ (null);

  #reading = /** @type {Promise<void> | null} */ (null);
  #meTimer = /** @type {Timer} */ (undefined);
  /** Whether the timer is that of an update. */
  #meSoon = false;
  #meReading = false;
  #meWanted = false;

  /** @param {ReturnType<typeof complete>} options */
  constructor({ board, period, rows, baseUrl, getToken }) {
    this.#service = new Service(baseUrl, getToken);
    this.#rows = rows;
    this.snapshot = Object.freeze({
      status: /** @type {const} */ ("connecting"),
      board,
      period,
      entries: Object.freeze([]),
      totalEntries: 0,
      version: null,
      lastUpdated: null,
      me: null,
      userId: null,
      error: null,
    });
    const { signal } = this.#closing;
    const wake = () => {
      if (visible()) this.#wake();
    };
    globalThis.addEventListener?.("online", wake, { signal });
    globalThis.document?.addEventListener("visibilitychange", wake, { signal });
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** @param {string} type @param {(move: RankChanged) => void} listener */
  on(type, listener) {
    if (type !== "rank_changed") {
      throw new TypeError(`there is no event ${JSON.stringify(type)}; give "rank_changed"`);
    }
    this.#watchers.add(listener);
    return () => {
      this.#watchers.delete(listener);
    };
  }

  /** Begins a try, in place of whatever was under way. */
  async open() {
    if (this.#closing.signal.aborted) return;
    this.#stop();
    this.#welcomedAt = Number.POSITIVE_INFINITY;
    this.#set({ status: this.#waiting });
    const { board, period } = this.snapshot;
    const stream = new Stream(this.#service, this.#lastEventId, (event, retry) => {
      this.#take(event, retry);
    });
    this.#stream = stream;
    const ending = await stream.run(`/v1/events?${new URLSearchParams({ board, period })}`);
    if (this.#stream !== stream) return;
    this.#lastEventId = stream.lastEventId;
    this.#stop();
    this.#ended(ending);
  }

  retry() {
    this.#failures = 0;
    this.#renewed = false;
    if (this.snapshot.status === "readonly") this.#service.forgetToken();
    if (this.snapshot.status !== "live") this.open();
  }

  /** Reads the page, at most once at a time. */
  refresh() {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** @param {number} [neighbours] */
  async around(neighbours = NEIGHBOURS) {
    return this.#getPage({ around: "me", neighbours: String(neighbours) });
  }

  /** @param {string} path @returns {Promise<unknown>} */
  async read(path) {
    if (typeof path !== "string" || !/^\/(?!\/)/.test(path)) {
      throw new TypeError(`read takes a path of the service, such as "/v1/users/u7/history"`);
    }
    return this.#getJSON(path);
  }

  close() {
    this.#closing.abort(new Refusal(0, "closed", "the board was closed"));
    this.#stop();
    clearTimeout(this.#meTimer);
    this.#listeners.clear();
    this.#watchers.clear();
  }

  /** What a board without a stream is: waiting for its first data, or holding old data. */
  get #waiting() {
    return this.snapshot.version === null ? "connecting" : "stale";
  }

  #stop() {
    if (this.#stream !== null) {
      this.#lastEventId = this.#stream.lastEventId;
      this.#stream.stop();
      this.#stream = null;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Takes an event in; throws a Refusal where it ends the stream. @param {StreamEvent} event @param {number | null} retry */
  #take({ type, data, id }, retry) {
    let ending = null;
    try {
      if (type === "authenticated") {
        this.#welcome(check.authenticated(JSON.parse(data)));
      } else if (type === "leaderboard:updated") {
        const { board, period } = this.snapshot;
        this.#update(check.update(JSON.parse(data), board, period), id);
      } else if (type === "rank_changed") {
        this.#moved(check.move(JSON.parse(data), this.snapshot.board, this.snapshot.period));
      } else if (type === "error") {
        const { code, message } = check.failure(JSON.parse(data));
        ending = new Refusal(code === "forbidden" ? 403 : 0, code, message);
      } else if (type === "goodbye") {
        ending = new Refusal(0, "closed", check.goodbye(JSON.parse(data)).reason, retry);
      }
    } catch (cause) {
      console.warn(`marcador: ${type} ignored:`, refusalFrom(cause).message);
    }
    if (ending !== null) throw ending;
  }

  /** @param {check.Authenticated} hello */
  #welcome({ userId }) {
    this.#failures = 0;
    this.#welcomedAt = Date.now();
    if (userId === this.snapshot.userId) {
      this.#set({ status: "live", error: null });
      return;
    }
    this.#all = mark(this.#all, userId);
    const me = placeIn(this.#all, userId, this.snapshot.totalEntries);
    this.#set({ status: "live", error: null, userId, me, entries: this.#shown() });
    if (this.snapshot.version !== null) this.#wantMe();
  }

  /**
   * The user's own rank has moved; where the rows do not tell the rest of it, it is asked for.
   * @param {RankChanged} move
   */
  #moved(move) {
    const { me, userId } = this.snapshot;
    if (move.userId !== userId) return;
    if (move.newRank !== (me?.rank ?? null)) this.#wantMe();
    for (const watcher of [...this.#watchers]) call(() => watcher(move));
  }

  /** @param {Standing} standing @param {string} id */
  #update(standing, id) {
    const { version, userId, me } = this.snapshot;
    const dash = id.lastIndexOf("-");
    const epoch = dash < 0 ? (this.#epoch ?? "") : id.slice(0, dash);
    if (epoch === this.#epoch && version !== null && standing.version < version) return;
    this.#epoch = epoch;
    this.#apply(standing, userId, me);
    this.#wantMe();
  }

  /**
   * @param {Standing} standing
   * @param {string | null} userId
   * @param {Snapshot["me"]} elsewhere the user's place where it is not among the rows
   */
  #apply({ entries, totalEntries, version, lastUpdated }, userId, elsewhere) {
    const old = this.snapshot;
    this.#all = mark(entries, userId);
    const me = placeIn(this.#all, userId, totalEntries) ?? elsewhere;
    this.#set({
      entries: this.#shown(),
      totalEntries,
      version,
      lastUpdated,
      userId,
      me: same(me, old.me) ? old.me : me,
      error: null,
    });
  }

  /** The first rows, as they were where nothing in them changed. */
  #shown() {
    const { entries } = this.snapshot;
    const shown = this.#all.slice(0, this.#rows);
    return same(shown, entries) ? entries : Object.freeze(shown);
  }

  /** Decides what follows a stream that is over. @param {Refusal} ending */
  #ended(ending) {
    const expired = ending.status === 0 && ending.code === "token_expired";
    if (expired) {
      if (Date.now() - this.#welcomedAt >= SETTLED) this.#renewed = false;
      if (!this.#renewed) {
        this.#renewed = true;
        this.#service.forgetToken();
        this.open();
        return;
      }
    }
    if (expired || ending.status === 401 || ending.status === 403) {
      // A token that is refused is not sent again; what may be read without one still is.
      if (ending.status !== 403) this.#service.dropToken();
      this.#set({ status: "readonly" });
      this.#poll();
      return;
    }
    this.#failures += 1;
    if (this.#failures > TRIES) {
      this.#notBefore = 0;
      this.#set({ status: "offline", error: ending.problem });
      return;
    }
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1));
    const delay = ending.wait ?? Math.random() * ceiling;
    this.#notBefore = ending.wait === null ? 0 : Date.now() + delay;
    this.#set({ status: this.#waiting, error: ending.problem });
    this.#timer = setTimeout(() => this.open(), delay);
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  #wake() {
    this.#failures = 0;
    if (this.snapshot.status === "readonly") {
      this.#poll();
    } else if (this.#stream === null) {
      if (Date.now() >= this.#notBefore) this.open();
    } else if (this.#stream.silent) {
      this.open();
    }
  }

  async #poll() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (visible()) await this.refresh();
    if (this.#closing.signal.aborted || this.snapshot.status !== "readonly") return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), POLL);
  }

  async #read() {
    try {
      const page = await this.#getPage({ limit: String(this.#rows) });
      const { status, version, userId } = this.snapshot;
      if (version !== null && page.version < version) {
        // A live stream is the newer source; otherwise the database is another one.
        if (status === "live") return;
        this.#epoch = null;
      }
      const reader = page.me?.userId ?? (status === "readonly" ? null : userId);
      this.#apply(page, reader, page.me && Object.freeze(page.me));
    } catch (cause) {
      this.#set({ error: refusalFrom(cause).problem });
    }
  }

  /** @param {Record<string, string>} slice @returns {Promise<Page>} */
  async #getPage(slice) {
    const { board, period } = this.snapshot;
    const query = new URLSearchParams({ period, ...slice });
    const body = await this.#getJSON(`/v1/leaderboards/${encodeURIComponent(board)}?${query}`);
    try {
      return check.page(body, board, period);
    } catch (cause) {
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    }
  }

  /** Rejects with a Refusal. @param {string} path @returns {Promise<unknown>} */
  async #getJSON(path) {
    const { signal } = this.#closing;
    let response;
    try {
      signal.throwIfAborted();
      response = await this.#service.get(path, { Accept: "application/json" }, signal);
      return await response.json();
    } catch (cause) {
      if (response === undefined || signal.aborted) throw refusalFrom(cause);
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    }
  }

  /**
   * Asks for the user's own place where the rows do not tell it: soon after an update, and now and
   * then without one, since points that move nobody are told to nobody below the rows.
   */
  #wantMe(soon = true) {
    const { userId, me } = this.snapshot;
    this.#meWanted = userId !== null && !this.#all.some((one) => one.userId === userId);
    if (this.#meReading || (this.#meSoon && this.#meWanted)) return;
    clearTimeout(this.#meTimer);
    this.#meTimer = undefined;
    this.#meSoon = soon && this.#meWanted;
    if (!this.#meWanted) return;
    const delay = (soon ? 0 : POLL) + (me === null ? 0 : Math.random() * SPREAD);
    this.#meTimer = setTimeout(() => this.#readMe(), delay);
  }

  async #readMe() {
    this.#meTimer = undefined;
    this.#meSoon = false;
    this.#meReading = true;
    this.#meWanted = false;
    try {
      const asked = visible() && this.snapshot.status === "live";
      const me = asked ? (await this.#getPage({ limit: "1" })).me : this.snapshot.me;
      const { userId } = this.snapshot;
      const among = this.#all.some((one) => one.userId === userId);
      const own = me === null || me.userId === userId;
      if (!among && own && !same(me, this.snapshot.me)) this.#set({ me: me && Object.freeze(me) });
    } catch {
      // The next update asks again.
    }
    this.#meReading = false;
    if (this.#closing.signal.aborted) return;
    this.#wantMe(this.#meWanted);
  }

  /** @param {Partial<Snapshot>} change */
  #set(change) {
    if (this.#closing.signal.aborted) return;
    const next = { ...this.snapshot, ...change };
    if (same(next.error, this.snapshot.error)) next.error = this.snapshot.error;
    const keys = /** @type {(keyof Snapshot)[]} */ (Object.keys(next));
    if (keys.every((key) => Object.is(next[key], this.snapshot[key]))) return;
    this.snapshot = Object.freeze(next);
    for (const listener of [...this.#listeners]) call(listener);
  }
}

/** Calls what is not ours: that it throws is its own affair. @param {() => void} listener */
function call(listener) {
  try {
    listener();
  } catch (cause) {
    console.error(cause);
  }
}

/** @param {unknown} one @param {unknown} other */
function same(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function visible() {
  return globalThis.document?.visibilityState !== "hidden";
}
