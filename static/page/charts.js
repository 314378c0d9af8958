// @ts-check
/** @import { Board, Snapshot } from "../marcador.d.ts" */

import { find } from "./find.js";

/** Least time between two reads of the past, in milliseconds. */
const LEAST = 30_000;
const DAYS = 7;
/** How far back charts go, in milliseconds. */
export const WEEK = DAYS * 24 * 60 * 60 * 1000;

/**
 * The answer of `GET /v1/leaderboards/{board}/trend`: people's ranks and scores at some times.
 *
 * @typedef {object} Course
 * @property {string} userId
 * @property {string} username
 * @property {(number | null)[]} ranks
 * @property {number[]} scores
 *
 * @typedef {{ times: string[], entries: Course[], me: Course | null }} Trend
 */

/**
 * A chart's series: values at times in milliseconds.
 * @typedef {{ times: number[], values: (number | null)[] }} Series
 */

/** The charts of the last days. The library that draws them is loaded when they come into view. */
export class Charts {
  #race = find("race");
  #own = find("own-chart");
  #seen = false;
  #plots = /** @type {Promise<typeof import("./plots.js")> | null} */ (null);
  #board = /** @type {Board | null} */ (null);
  #readAt = 0;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #version = /** @type {number | null} */ (null);

  constructor() {
    const observer = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      observer.disconnect();
      this.#seen = true;
      if (this.#board !== null) this.show(this.#board.getSnapshot());
    });
    const side = find("side");
    observer.observe(side);
    // If the side is taller than the window, CSS keeps its end in view by its height.
    new ResizeObserver(() => {
      side.style.setProperty("--height", `${side.offsetHeight}px`);
    }).observe(side);
  }

  /** @param {Board} board */
  follow(board) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#board = board;
    this.#version = null;
    this.#readAt = 0;
    this.#own.hidden = false;
  }

  /** @param {Snapshot} snapshot */
  show({ version }) {
    if (version === null || version === this.#version || !this.#seen) return;
    if (this.#timer !== undefined || document.visibilityState === "hidden") return;
    const wait = Math.max(0, this.#readAt + LEAST - Date.now());
    this.#timer = setTimeout(() => this.#read(), wait);
  }

  async #read() {
    const board = this.#board;
    if (board === null) return;
    this.#readAt = Date.now();
    const { version, userId } = board.getSnapshot();
    try {
      this.#plots ??= import("./plots.js").catch((cause) => {
        this.#plots = null; // the next read tries again
        throw cause;
      });
      const [plots, trend] = await Promise.all([this.#plots, trendOf(board)]);
      if (board !== this.#board) return;
      this.#version = version;
      const { period } = board.getSnapshot();
      this.#race.hidden = trend === null || trend.entries.length < 2 || trend.times.length < 2;
      if (trend !== null && !this.#race.hidden) plots.race(this.#race, trend, period, userId);
      if (userId === null) return;
      const [points, places] = await Promise.all([pointsOf(board, userId), placesOf(board, trend)]);
      if (board !== this.#board) return;
      this.#own.hidden = points.times.length < 2;
      if (!this.#own.hidden) plots.own(this.#own, points, places);
    } catch (cause) {
      console.warn("marcador: the last days could not be read:", cause);
    } finally {
      if (board === this.#board) {
        this.#timer = undefined;
        this.show(board.getSnapshot());
      }
    }
  }
}

/**
 * The board's trend, null if the board has none that the reader may see.
 * @param {Board} board
 * @returns {Promise<Trend | null>}
 */
async function trendOf(board) {
  const { board: name, period } = board.getSnapshot();
  const query = new URLSearchParams({ period, points: String(DAYS + 1), limit: "10" });
  try {
    const trend = await board.read(`/v1/leaderboards/${encodeURIComponent(name)}/trend?${query}`);
    return /** @type {Trend} */ (trend);
  } catch (cause) {
    if (/** @type {{ code?: unknown }} */ (cause)?.code !== "closed")
      console.warn("marcador: the trend could not be read:", cause);
    return null;
  }
}

/**
 * The reader's points in the last days, from their history.
 * @param {Board} board
 * @param {string} userId
 * @returns {Promise<Series>}
 */
async function pointsOf(board, userId) {
  const answer = await board.read(`/v1/users/${encodeURIComponent(userId)}/history?limit=500`);
  const { entries } = /** @type {{ entries: { xpAfter: number, at: string }[] }} */ (answer);
  const since = Date.now() - WEEK;
  /** @type {Series} */
  const series = { times: [], values: [] };
  for (const { at, xpAfter } of entries.toReversed()) {
    const time = Date.parse(at);
    // The last value before the week is the series' first.
    if (time < since) {
      series.times[0] = since;
      series.values[0] = xpAfter;
    } else {
      series.times.push(time);
      series.values.push(xpAfter);
    }
  }
  if (series.times.length > 0) {
    series.times.push(Date.now());
    series.values.push(series.values[series.values.length - 1]);
  }
  return series;
}

/**
 * The reader's places in the last days: on this board if its trend knows them, else on the board of
 * each closed day.
 * @param {Board} board
 * @param {Trend | null} trend
 * @returns {Promise<Series & { ofDay: boolean }>}
 */
async function placesOf(board, trend) {
  const { times, me } = trend ?? { times: [], me: null };
  const { board: name, period } = board.getSnapshot();
  if (period === "all-time" && me !== null && me.ranks.filter((rank) => rank !== null).length > 1) {
    return { times: times.map((time) => Date.parse(time)), values: me.ranks, ofDay: false };
  }
  const archive = `/v1/leaderboards/${encodeURIComponent(name)}/archive`;
  const list = await board.read(`${archive}?period=daily&limit=${DAYS}`);
  const { periods } = /** @type {{ periods: { start: string, end: string }[] }} */ (list);
  const pages = await Promise.all(
    periods.toReversed().map(async ({ start, end }) => {
      const query = new URLSearchParams({ period: "daily", start, limit: "1" });
      const page = await board.read(`${archive}?${query}`);
      const { me: then } = /** @type {{ me: { rank: number } | null }} */ (page);
      return { time: (Date.parse(start) + Date.parse(end)) / 2, rank: then?.rank ?? null };
    }),
  );
  return {
    times: pages.map(({ time }) => time),
    values: pages.map(({ rank }) => rank),
    ofDay: true,
  };
}
