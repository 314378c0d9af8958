// @ts-check
/** @import { Board, Snapshot } from "../marcador.d.ts" */
/** @import { Choice } from "./tabs.js" */

import { connect } from "../client/connect.js";
import { MOST_ROWS } from "../client/options.js";
import { BoardView } from "../view/board.js";
import { Around } from "./around.js";
import { Card } from "./card.js";
import { Charts } from "./charts.js";
import { Demo } from "./demo.js";
import { Dock } from "./dock.js";
import { base, find } from "./find.js";
import { Head } from "./head.js";
import { isKiosk, keepAwake } from "./kiosk.js";
import { PodiumRows } from "./podium.js";
import { boardsOf, periodName, Tabs } from "./tabs.js";
import { Toasts } from "./toasts.js";
import { figure, voice, words } from "./words.js";

const STONES = 12;
const LEAST_SCORE = 7;
/** After a failure the reader's boards are asked for again, in milliseconds. */
const LATER = 30_000;

/** @typedef {(() => Promise<string | null>) | undefined} GetToken */

translate();
const demo = document.documentElement.dataset.demo !== undefined;
const table = find("table");
const rows = new PodiumRows(bodyOf("rows"), voice, showOwn);
const noticeRetry = find("notice-retry");
const head = new Head();
const view = new BoardView(
  {
    status: find("status"),
    statusText: find("status-text"),
    table,
    notice: find("notice"),
    noticeText: find("notice-title"),
    noticeHelp: find("notice-text"),
    total: find("total"),
    updated: find("when"),
    updatedLabel: find("when-label"),
    updatedTime: /** @type {HTMLTimeElement} */ (find("time")),
  },
  rows,
  { most: MOST_ROWS, stones: STONES, leastScore: LEAST_SCORE, emptyHelp: words.emptyHelp },
  siteWith(undefined),
);
const toasts = new Toasts();
const around = new Around(showOwn);
const dock = new Dock((userId) => rows.find(userId) ?? around.find(userId));
const card = new Card();
const charts = new Charts();
const tabs = new Tabs(follow);

/** @type {Board | null} */
let board = null;
let getToken = /** @type {GetToken} */ (undefined);
/** The version of this board that was last shown, null before the first. */
let version = /** @type {number | null} */ (null);
/** The reader whose boards the tabs offer. */
let reader = /** @type {string | null} */ (null);

/** Translates the texts of the markup. */
function translate() {
  document.documentElement.lang = voice.language;
  /** @type {Record<string, unknown>} */
  const all = words;
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("[data-word], [data-label]")
  )) {
    const { word, label } = element.dataset;
    if (word !== undefined) element.textContent = String(all[word]);
    if (label !== undefined) element.setAttribute("aria-label", String(all[label]));
  }
}

/** @param {string} id */
function bodyOf(id) {
  return /** @type {HTMLTableSectionElement} */ (find(id));
}

/** @param {GetToken} token */
function siteWith(token) {
  const closed = demo ? words.closedDemo : words.closedText;
  return {
    baseUrl: base,
    givesTokens: token !== undefined,
    help: { closed, absent: words.absentText },
  };
}

/** Follows another board. @param {Choice} choice */
function follow(choice) {
  board?.close();
  toasts.leave();
  board = connect({ ...choice, baseUrl: base, getToken, ...rowsAsked() });
  version = null;
  table.setAttribute("aria-busy", "true");
  rows.leave();
  around.follow(board);
  charts.follow(board);
  showName();
  board.subscribe(render);
  board.on("rank_changed", ({ oldRank, newRank }) => toasts.moved(oldRank, newRank));
  render();
}

/** How many rows the address asks for: `?rows=1000`. */
function rowsAsked() {
  const asked = Number(new URLSearchParams(location.search).get("rows"));
  return Number.isInteger(asked) && asked >= 1 && asked <= MOST_ROWS ? { rows: asked } : {};
}

function render() {
  if (board === null) return;
  const snapshot = board.getSnapshot();
  view.show(snapshot);
  head.show(snapshot);
  showNews(snapshot);
  around.show(snapshot);
  dock.show(snapshot);
  card.show(board, snapshot);
  charts.show(snapshot);
  toasts.follow(snapshot.me);
  offerBoards(board, snapshot);
}

function showName() {
  head.name(tabs.name, periodName(tabs.choice.period));
}

/** Shows the reader's own place again after rows have come or gone. */
function showOwn() {
  if (board !== null) dock.show(board.getSnapshot());
}

/**
 * Offers a retry after a failure, makes room for the longest rank, and announces a new version.
 * @param {Snapshot} snapshot
 */
function showNews({ me, entries, version: now, status, error }) {
  if (now === null) {
    noticeRetry.hidden = error === null;
    return;
  }
  noticeRetry.hidden = true;
  const lowest = Math.max(me?.rank ?? 0, entries.at(-1)?.rank ?? 0);
  const digits = Math.max(3, figure(lowest).length);
  document.documentElement.style.setProperty("--digits", String(digits));
  if (version !== null && status === "live" && now !== version) head.announce();
  version = now;
}

/**
 * Offers a reader who has become known the boards of their own.
 * @param {Board} from
 * @param {Snapshot} snapshot
 */
async function offerBoards(from, { userId, status }) {
  // A board that still connects does not know its reader yet. Until it does, the tabs stay.
  const known = userId !== null || status === "live" || status === "readonly";
  if (!known || userId === reader) return;
  reader = userId;
  if (userId === null) {
    tabs.reset();
    showName();
    return;
  }
  try {
    const profile = await from.read(`/v1/users/${encodeURIComponent(userId)}`);
    if (reader !== userId) return;
    const { groups } = /** @type {{ groups: Record<string, string[]> }} */ (profile);
    tabs.offer(boardsOf(userId, groups));
    showName();
  } catch (cause) {
    console.warn("marcador: the reader's boards could not be read:", cause);
    // A token may speak for a user without a profile. Other failures may pass.
    const status = Number(/** @type {{ status?: unknown }} */ (cause)?.status);
    if (status >= 400 && status < 500) return;
    setTimeout(() => {
      if (reader !== userId) return;
      reader = null;
      render();
    }, LATER);
  }
}

/** Learns the names of boards. @param {Record<string, string>} names by board */
function learnNames(names) {
  tabs.learn(names);
  showName();
}

/** Begins again as another reader. @param {GetToken} token */
function become(token) {
  getToken = token;
  reader = null;
  view.site = siteWith(token);
  tabs.reset();
  toasts.reset();
  follow(tabs.choice);
}

find("retry").addEventListener("click", () => board?.retry());
noticeRetry.addEventListener("click", () => board?.retry());
const refresh = find("refresh");
refresh.addEventListener("click", async () => {
  refresh.classList.add("busy");
  await board?.refresh();
  refresh.classList.remove("busy");
});
setInterval(() => {
  if (board !== null && document.visibilityState === "visible") view.tick(board.getSnapshot());
}, 1_000);

if (isKiosk) keepAwake();
view.wait();
showName();
if (demo && !isKiosk) new Demo(toasts, become, () => board?.refresh(), learnNames).start();
else become(undefined);
