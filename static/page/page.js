// @ts-check
/** @import { Board, Problem, Snapshot } from "../marcador.d.ts" */
/** @import { View } from "./tabs.js" */

import { connect } from "../client/connect.js";
import { MOST_ROWS } from "../client/options.js";
import { NEVER } from "../client/refused.js";
import { fitScores, say } from "../view/cells.js";
import { Around } from "./around.js";
import { Card } from "./card.js";
import { Charts } from "./charts.js";
import { Demo } from "./demo.js";
import { base, find } from "./find.js";
import { Head } from "./head.js";
import { isKiosk, keepAwake } from "./kiosk.js";
import { Own } from "./own.js";
import { Rows } from "./rows.js";
import { boardsOf, periodName, Tabs } from "./tabs.js";
import { Toasts } from "./toasts.js";
import { figure, language, words } from "./words.js";

const STONES = 12;
/** When the reader's boards are asked for again, in milliseconds. */
const LATER = 30_000;

translate();
const demo = document.documentElement.dataset.demo !== undefined;
const [table, notice, noticeTitle, noticeText] = [
  "table",
  "notice",
  "notice-title",
  "notice-text",
].map(find);
const noticeRetry = find("notice-retry");
const rows = new Rows(/** @type {HTMLTableSectionElement} */ (find("rows")), true, showOwn);
const head = new Head();
const toasts = new Toasts();
const around = new Around(showOwn);
const own = new Own((userId) => rows.find(userId) ?? around.find(userId));
const card = new Card();
const charts = new Charts();
const tabs = new Tabs(follow);

/** @type {Board | null} */
let board = null;
/** @type {(() => Promise<string | null>) | undefined} */
let getToken;
/** The version last shown of this board, null before the first. */
let shown = /** @type {number | null} */ (null);
/** Whose boards the tabs offer. */
let reader = /** @type {string | null} */ (null);

/** Puts the page's own texts into the reader's language. */
function translate() {
  document.documentElement.lang = language;
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

/** Follows what the tabs say, in place of what was followed. @param {View} view */
function follow(view) {
  board?.close();
  toasts.leave();
  board = connect({ ...view, baseUrl: base, getToken, ...rowsAsked() });
  shown = null;
  table.setAttribute("aria-busy", "true");
  rows.leave();
  around.follow(board);
  charts.follow(board);
  head.name(tabs.name, periodName(view.period));
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
  head.show(snapshot);
  renderTable(snapshot);
  around.show(snapshot);
  own.show(snapshot);
  card.show(board, snapshot);
  charts.show(snapshot);
  toasts.follow(snapshot.me);
  renderReader(board, snapshot);
}

/** Shows the reader's own place anew, when rows have come or gone. */
function showOwn() {
  if (board !== null) own.show(board.getSnapshot());
}

/** @param {Snapshot} snapshot */
function renderTable(snapshot) {
  const { entries, version, error, status } = snapshot;
  const given = error !== null && (status === "readonly" || status === "offline");
  table.setAttribute("aria-busy", String(version === null && !given));
  if (version === null) {
    if (given) {
      rows.clear();
      renderProblem(error);
    } else if (rows.empty) {
      rows.waitFor(STONES);
    }
    table.hidden = given;
    notice.hidden = !given;
    return;
  }
  rows.show(entries);
  table.hidden = entries.length === 0;
  notice.hidden = entries.length > 0;
  if (entries.length === 0) {
    say(noticeTitle, words.emptyTitle);
    say(noticeText, words.emptyText);
    noticeRetry.hidden = true;
  }
  fitScores(table, entries, 7, figure);
  const lowest = Math.max(snapshot.me?.rank ?? 0, entries.at(-1)?.rank ?? 0);
  document.documentElement.style.setProperty(
    "--digits",
    String(Math.max(3, figure(lowest).length)),
  );
  if (shown !== null && status === "live" && version !== shown) head.announce();
  shown = version;
}

/** Says why there is nothing to see, and what helps. @param {Problem} problem */
function renderProblem({ status: code }) {
  const closed = code === 401;
  const forbidden = code === 403;
  const absent = NEVER.has(code);
  const [title, help] = closed
    ? [words.closedTitle, demo ? words.closedDemo : words.closedText]
    : forbidden
      ? [words.forbiddenTitle, words.forbiddenText]
      : absent
        ? [words.absentTitle, words.absentText]
        : [words.lostTitle, words.lostText];
  say(noticeTitle, title);
  say(noticeText, help);
  noticeRetry.hidden = false;
}

/** Offers a reader that has become known their own boards. @param {Board} from @param {Snapshot} snapshot */
async function renderReader(from, { userId, status }) {
  // A board that is still being asked for does not know its reader yet; the tabs stay meanwhile.
  const known = userId !== null || status === "live" || status === "readonly";
  if (!known || userId === reader) return;
  reader = userId;
  if (userId === null) {
    tabs.reset();
    head.name(tabs.name, periodName(tabs.view.period));
    return;
  }
  try {
    const profile = await from.read(`/v1/users/${encodeURIComponent(userId)}`);
    if (reader !== userId) return;
    const { groups } = /** @type {{ groups: Record<string, string[]> }} */ (profile);
    tabs.offer(boardsOf(userId, groups));
    head.name(tabs.name, periodName(tabs.view.period));
  } catch (cause) {
    console.warn("marcador: the reader's boards are not known:", cause);
    // Somebody may have a token and no profile; what else failed may go well later.
    const status = Number(/** @type {{ status?: unknown }} */ (cause)?.status);
    if (status >= 400 && status < 500) return;
    setTimeout(() => {
      if (reader !== userId) return;
      reader = null;
      render();
    }, LATER);
  }
}

/** Takes in what boards are called. @param {Record<string, string>} names */
function call(names) {
  tabs.call(names);
  head.name(tabs.name, periodName(tabs.view.period));
}

/** Begins anew as somebody else. @param {typeof getToken} token */
function become(token) {
  getToken = token;
  reader = null;
  tabs.reset();
  toasts.reset();
  follow(tabs.view);
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
  if (board !== null && document.visibilityState === "visible") head.tick(board.getSnapshot());
}, 1_000);

if (isKiosk) keepAwake();
rows.waitFor(STONES);
head.name(tabs.name, periodName(tabs.view.period));
if (demo && !isKiosk) new Demo(toasts, become, () => board?.refresh(), call).start();
else become(undefined);
