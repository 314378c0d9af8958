// @ts-check
/** @import { Entry, Me, Page, RankChanged, Ranks, Snapshot } from "../marcador.d.ts" */
/** @import { Standing } from "./check.js" */
/** @import { State } from "./connection.js" */
/** @import { complete } from "./options.js" */
/** @import { SharedStream } from "./shared.js" */

import { pageOf } from "./boards.js";
import * as check from "./check.js";
import { Refusal, refusalFrom, Service } from "./http.js";
import { mark, placeIn } from "./place.js";
import { Seat } from "./seat.js";

const NEIGHBOURS = 5;
/** Asked for where nobody says how many, and no stream has brought more. */
const ROWS = 100;
const POLL = 15_000;
/** How long a page may take to come, in milliseconds. */
const PATIENCE = 30_000;
/** Keeps the readers of a large board from asking for their own rank all at once. */
const SPREAD = 2_000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/** What a page knows of a board: made of what a stream brings, and of pages that are read. */
export class Following {
  /** @type {Snapshot} */
  snapshot;

  #service;
  #seat;
  #rows;
  /** All the rows that are known, of which the snapshot shows the first. */
  #all = /** @type {readonly Entry[]} */ ([]);
  /** The epoch that `snapshot.version` counts in; null where it is not known. */
  #epoch = /** @type {string | null} */ (null);

  /** How equal scores are numbered; null until the service has said it. */
  #ranks = /** @type {Ranks | null} */ (null);
  /** Whether the rows tell the user's own place. */
  #told = false;

  #listeners = /** @type {Set<() => void>} */ (new Set());
  #watchers = /** @type {Set<(move: RankChanged) => void>} */ (new Set());
  #closing = new AbortController();
  /** The page may be frozen, or kept to come back to, and takes no part. */
  #away = false;

  /** How the stream stands. */
  #how = /** @type {State["status"]} */ ("waiting");
  #polling = /** @type {Timer} */ (undefined);
  #reading = /** @type {Promise<void> | null} */ (null);
  #meTimer = /** @type {Timer} */ (undefined);
  /** Whether the timer is that of an update. */
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
    const sink = {
      state: (/** @type {State} */ state) => this.#stand(state),
      standing: (/** @type {Standing} */ standing, /** @type {string | null} */ epoch) =>
        this.#update(standing, epoch),
      move: (/** @type {RankChanged} */ move) => this.#moved(move),
    };
    this.#seat = new Seat(this.#service, { board, period }, shared, sink, streams);
    this.#listen();
    this.#seat.open();
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
    this.#seat.retry();
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
    this.#seat.close();
    clearTimeout(this.#polling);
    clearTimeout(this.#meTimer);
    this.#listeners.clear();
    this.#watchers.clear();
  }

  /** Follows what becomes of the page. */
  #listen() {
    const { signal } = this.#closing;
    const { document } = globalThis;
    const wake = () => {
      if (visible() && !this.#away) this.#wake();
    };
    const leave = () => {
      this.#away = true;
      this.#seat.close();
    };
    const back = () => {
      if (!this.#away) return;
      this.#away = false;
      if (this.#how === "readonly") this.#poll();
      else this.#seat.open();
    };
    const touch = () => {
      if (this.#how === "replaced") wake();
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
    if (this.#how === "readonly") this.#poll();
    else this.#seat.wake();
  }

  /** The stream stands otherwise. @param {State} state */
  #stand({ status: how, userId, error, ranks }) {
    const { version } = this.snapshot;
    const before = this.#how;
    this.#how = how;
    this.#ranks = ranks ?? this.#ranks;
    const status = this.#statusOf(how);
    if (userId === this.snapshot.userId || how !== "live") {
      this.#set({ status, error });
    } else {
      this.#all = mark(this.#all, userId);
      const me = this.#placeOf(userId, this.snapshot.totalEntries);
      this.#set({ status, error, userId, me, entries: this.#shown() });
      if (version !== null) this.#wantMe();
    }
    if (!this.#polls) clearTimeout(this.#polling);
    else if (how !== before) this.#poll();
  }

  /** The user's own place as the rows tell it, null where they don't. @param {string | null} userId @param {number} totalEntries */
  #placeOf(userId, totalEntries) {
    const me = placeIn(this.#all, userId, totalEntries, this.#ranks);
    this.#told = me !== null;
    return me;
  }

  /** Whether pages are read because no stream brings them. */
  get #polls() {
    return this.#how === "readonly" || this.#how === "held" || this.#how === "replaced";
  }

  /** @param {State["status"]} how @returns {Snapshot["status"]} */
  #statusOf(how) {
    const { status, version } = this.snapshot;
    if (how === "waiting") return version === null ? "connecting" : "stale";
    if (how === "replaced") return "polling";
    if (how !== "held") return how;
    // It stays as it was until a page has come, or could not be read either.
    return status === "live" ? "stale" : status;
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

  /** @param {Standing} standing @param {string | null} epoch */
  #update(standing, epoch) {
    const { version, userId, me } = this.snapshot;
    const same = (epoch ?? this.#epoch ?? "") === this.#epoch;
    if (same && version !== null && standing.version < version) return;
    this.#epoch = epoch ?? this.#epoch ?? "";
    this.#apply(standing, userId, (told) => told ?? me);
    this.#wantMe();
  }

  /**
   * @param {Standing} standing
   * @param {string | null} userId
   * @param {(told: Me | null) => Me | null} choose gives the user's place, from what the rows tell of it
   */
  #apply({ entries, totalEntries, version, lastUpdated }, userId, choose) {
    const old = this.snapshot;
    this.#all = mark(entries, userId);
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

  /** The first rows, as they were where nothing in them changed. */
  #shown() {
    const { entries } = this.snapshot;
    const shown = this.#all.slice(0, this.#rows ?? undefined);
    return same(shown, entries) ? entries : Object.freeze(shown);
  }

  async #poll() {
    clearTimeout(this.#polling);
    if (visible()) {
      await this.refresh();
      if (this.#how === "held") {
        this.#set({ status: this.snapshot.error === null ? "polling" : "offline" });
      }
    }
    if (this.#closing.signal.aborted || this.#away || !this.#polls) return;
    clearTimeout(this.#polling);
    this.#polling = setTimeout(() => this.#poll(), POLL);
  }

  async #read() {
    try {
      const page = await this.#getPage({
        limit: String(this.#rows ?? Math.max(ROWS, this.#all.length)),
      });
      const { status, version, userId } = this.snapshot;
      if (version !== null && page.version < version) {
        // A live stream is the newer source; otherwise the database is another one.
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

  /** @param {Record<string, string>} slice @returns {Promise<Page>} */
  async #getPage(slice) {
    const { board, period } = this.snapshot;
    const body = await this.#getJSON(pageOf({ board, period }, slice));
    try {
      return check.page(body, board, period);
    } catch (cause) {
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    }
  }

  /** Rejects with a Refusal. @param {string} path @returns {Promise<unknown>} */
  async #getJSON(path) {
    const { signal } = this.#closing;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`no answer within ${PATIENCE / 1000} s`)),
      PATIENCE,
    );
    const soon = AbortSignal.any([signal, late.signal]);
    let response;
    try {
      signal.throwIfAborted();
      response = await this.#service.get(path, { Accept: "application/json" }, soon);
      return await response.json();
    } catch (cause) {
      if (response === undefined || soon.aborted) throw refusalFrom(cause);
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Asks for the user's own place where the rows do not tell it: soon after an update, and now and
   * then without one, since points that move nobody are told to nobody below the rows.
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
      const me = asked ? (await this.#getPage({ limit: "1" })).me : this.snapshot.me;
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
