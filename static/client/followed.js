// @ts-check
/** @import { Entry, Me, Page, RankChanged, Ranks, Snapshot } from "../marcador.d.ts" */
/** @import { Top } from "./check.js" */
/** @import { State } from "./connection.js" */
/** @import { complete } from "./options.js" */
/** @import { SharedStream } from "./shared.js" */

import { Refusal, refusalFrom, Service } from "./http.js";
import { Pages } from "./pages.js";
import { flagOwn, placeIn } from "./place.js";
import { Subscription } from "./subscription.js";

const NEIGHBOURS = 5;
/** How many rows are read if no option says it, unless a stream has brought more. */
const ROWS = 100;
/** Time between two reads of the page while no stream brings news, in milliseconds. */
const POLL = 15_000;
/** Readers of a large board ask for their own rank at random times within this, in milliseconds. */
const SPREAD = 2_000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/** A board that is followed: a stream's events and the pages that are read make its snapshot. */
export class FollowedBoard {
  /** @type {Snapshot} */
  snapshot;

  #service;
  #pages;
  #subscription;
  #rows;
  /** All known rows. The snapshot shows the first of them. */
  #all = /** @type {readonly Entry[]} */ ([]);
  /** The epoch of `snapshot.version`, null while it is not known. */
  #epoch = /** @type {string | null} */ (null);

  /** How equal scores are numbered; null until the service has said it. */
  #ranks = /** @type {Ranks | null} */ (null);
  /** Whether the rows tell the user's own place, so that no page has to be read for it. */
  #told = false;

  #listeners = /** @type {Set<() => void>} */ (new Set());
  #watchers = /** @type {Set<(move: RankChanged) => void>} */ (new Set());
  #closing = new AbortController();
  /** The page is frozen, or in the browser's back/forward cache. */
  #away = false;

  /** The status of the stream. */
  #stream = /** @type {State["status"]} */ ("waiting");
  #polling = /** @type {Timer} */ (undefined);
  #reading = /** @type {Promise<void> | null} */ (null);
  #meTimer = /** @type {Timer} */ (undefined);
  /** Whether the timer was set after an update. */
  #meSoon = false;
  #meReading = false;
  #meWanted = false;

  /**
   * @param {ReturnType<typeof complete>} options
   * @param {Map<string, SharedStream>} streams the page's, by name
   */
  constructor({ board, period, rows, baseUrl, getToken, shared }, streams) {
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
    const listener = {
      state: (/** @type {State} */ state) => this.#changeState(state),
      top: (/** @type {Top} */ top, /** @type {string | null} */ epoch) => this.#update(top, epoch),
      move: (/** @type {RankChanged} */ move) => this.#moved(move),
    };
    const topic = { board, period };
    this.#pages = new Pages(this.#service, topic, this.#closing.signal);
    this.#subscription = new Subscription(this.#service, topic, shared, listener, streams);
    this.#listen();
    this.#subscription.open();
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    if (typeof listener !== "function") throw new TypeError("subscribe takes a function");
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

  retry() {
    if (this.#closing.signal.aborted) return;
    if (this.snapshot.status === "readonly") this.#service.forgetToken();
    this.#subscription.retry();
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
    return this.#pages.page({ around: "me", neighbours: String(neighbours) });
  }

  /** @param {string} path @returns {Promise<unknown>} */
  async read(path) {
    if (typeof path !== "string" || !/^\/(?!\/)/.test(path)) {
      throw new TypeError(`read takes a path of the service, such as "/v1/users/u7/history"`);
    }
    return this.#pages.json(path);
  }

  close() {
    this.#closing.abort(new Refusal(0, "closed", "the board was closed"));
    this.#subscription.close();
    clearTimeout(this.#polling);
    clearTimeout(this.#meTimer);
    this.#listeners.clear();
    this.#watchers.clear();
  }

  /** Hears when the page is hidden, frozen, visible again, or looked at. */
  #listen() {
    const { signal } = this.#closing;
    const { document } = globalThis;
    const wake = () => {
      if (visible() && !this.#away) this.#wake();
    };
    const leave = () => {
      this.#away = true;
      this.#subscription.close();
    };
    const back = () => {
      if (!this.#away) return;
      this.#away = false;
      if (this.#stream === "readonly") this.#poll();
      else this.#subscription.open();
    };
    const touch = () => {
      if (this.#stream === "replaced") wake();
    };
    globalThis.addEventListener?.("online", wake, { signal });
    for (const type of ["focus", "pointerdown", "keydown"]) {
      globalThis.addEventListener?.(type, touch, { signal, passive: true });
    }
    globalThis.addEventListener?.("pagehide", leave, { signal });
    globalThis.addEventListener?.("pageshow", back, { signal });
    document?.addEventListener("visibilitychange", wake, { signal });
    document?.addEventListener("freeze", leave, { signal });
    document?.addEventListener("resume", back, { signal });
  }

  #wake() {
    if (this.#stream === "readonly") this.#poll();
    else this.#subscription.wake();
  }

  /** The stream has another state. @param {State} state */
  #changeState({ status: stream, userId, error, ranks }) {
    const { version } = this.snapshot;
    const before = this.#stream;
    this.#stream = stream;
    this.#ranks = ranks ?? this.#ranks;
    const status = this.#statusOf(stream);
    if (userId === this.snapshot.userId || stream !== "live") {
      this.#set({ status, error });
    } else {
      this.#all = flagOwn(this.#all, userId);
      const me = this.#placeOf(userId, this.snapshot.totalEntries);
      this.#set({ status, error, userId, me, entries: this.#shown() });
      if (version !== null) this.#wantMe();
    }
    if (!this.#polls) clearTimeout(this.#polling);
    else if (stream !== before) this.#poll();
  }

  /**
   * The user's own place, null if the rows do not tell it.
   * @param {string | null} userId
   * @param {number} totalEntries
   */
  #placeOf(userId, totalEntries) {
    const me = placeIn(this.#all, userId, totalEntries, this.#ranks);
    this.#told = me !== null;
    return me;
  }

  /** Whether pages are read because no stream brings news. */
  get #polls() {
    return ["readonly", "buffered", "replaced"].includes(this.#stream);
  }

  /** @param {State["status"]} stream @returns {Snapshot["status"]} */
  #statusOf(stream) {
    const { status, version } = this.snapshot;
    if (stream === "waiting") return version === null ? "connecting" : "stale";
    if (stream === "replaced") return "polling";
    if (stream !== "buffered") return stream;
    // The status stays until a page has come, or could not be read either.
    return status === "live" ? "stale" : status;
  }

  /**
   * The user's own rank has moved. If the rows do not tell the rest of it, a page is read.
   * @param {RankChanged} move
   */
  #moved(move) {
    const { me, userId } = this.snapshot;
    if (move.userId !== userId) return;
    if (move.newRank !== (me?.rank ?? null)) this.#wantMe();
    for (const watcher of [...this.#watchers]) call(() => watcher(move));
  }

  /** @param {Top} top @param {string | null} epoch */
  #update(top, epoch) {
    const { version, userId, me } = this.snapshot;
    const same = (epoch ?? this.#epoch ?? "") === this.#epoch;
    if (same && version !== null && top.version < version) return;
    this.#epoch = epoch ?? this.#epoch ?? "";
    this.#apply(top, userId, (told) => told ?? me);
    this.#wantMe();
  }

  /**
   * @param {Top} top
   * @param {string | null} userId
   * @param {(told: Me | null) => Me | null} choose returns the user's place, given the one that the
   *   rows tell
   */
  #apply({ entries, totalEntries, version, lastUpdated }, userId, choose) {
    const old = this.snapshot;
    this.#all = flagOwn(entries, userId);
    const me = choose(this.#placeOf(userId, totalEntries));
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

  /** The rows of the snapshot: the same array as before if no row has changed. */
  #shown() {
    const { entries } = this.snapshot;
    const shown = this.#all.slice(0, this.#rows ?? undefined);
    return same(shown, entries) ? entries : Object.freeze(shown);
  }

  async #poll() {
    clearTimeout(this.#polling);
    if (visible()) {
      await this.refresh();
      if (this.#stream === "buffered") {
        this.#set({ status: this.snapshot.error === null ? "polling" : "offline" });
      }
    }
    if (this.#closing.signal.aborted || this.#away || !this.#polls) return;
    clearTimeout(this.#polling);
    this.#polling = setTimeout(() => this.#poll(), POLL);
  }

  async #read() {
    try {
      const page = await this.#pages.page({
        limit: String(this.#rows ?? Math.max(ROWS, this.#all.length)),
      });
      const { status, version, userId } = this.snapshot;
      if (version !== null && page.version < version) {
        // A live stream is newer than the page. Without one, the database is another one.
        if (status === "live") return;
        this.#epoch = null;
      }
      const reader = page.me?.userId ?? (status === "readonly" ? null : userId);
      this.#ranks = page.ranks;
      this.#apply(page, reader, () => page.me && Object.freeze(page.me));
    } catch (cause) {
      this.#set({ error: refusalFrom(cause).problem });
    }
  }

  /**
   * Asks for the user's own place if the rows do not tell it: soon after an update, and every 15 s
   * without one, since the stream tells nothing about points that move no row.
   */
  #wantMe(soon = true) {
    const { userId, me } = this.snapshot;
    this.#meWanted = userId !== null && !this.#told;
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
      const me = asked ? (await this.#pages.page({ limit: "1" })).me : this.snapshot.me;
      const { userId } = this.snapshot;
      const own = me === null || me.userId === userId;
      if (!this.#told && own && !same(me, this.snapshot.me))
        this.#set({ me: me && Object.freeze(me) });
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

/**
 * Calls a listener of the page. Its errors are logged and change nothing here.
 * @param {() => void} listener
 */
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
