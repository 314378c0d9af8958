// @ts-check
/** @import { Board, ConnectOptions, Problem, Snapshot } from "../marcador.d.ts" */

import { connect } from "../marcador.js";
import { Demo } from "./demo.js";
import { Own } from "./own.js";
import { Rows } from "./rows.js";
import { ago, figure, language, moment, words } from "./words.js";

const BANNER = 3_000;
const STONES = 12;

/** @param {string} id */
function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** @param {HTMLElement} element @param {string} text */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const demo = document.documentElement.dataset.demo !== undefined;
const [status, statusText, retry, refresh] = ["status", "status-text", "retry", "refresh"].map(
  find,
);
const [total, when, whenLabel, banner] = ["total", "when", "when-label", "banner"].map(find);
const [table, notice, noticeTitle, noticeText] = [
  "table",
  "notice",
  "notice-title",
  "notice-text",
].map(find);
const noticeRetry = find("notice-retry");
const time = /** @type {HTMLTimeElement} */ (find("time"));
const rows = new Rows(
  /** @type {HTMLTableSectionElement} */ (find("rows")),
  /** @type {HTMLTemplateElement} */ (find("row")),
  /** @type {HTMLTemplateElement} */ (find("stone")),
);
const own = new Own(find, rows);

/** @type {Board | null} */
let board = null;
/** The version last shown of this board, null before the first. */
let shown = /** @type {number | null} */ (null);
let waiting = false;
let hiding = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

/** Puts the page's own texts into the reader's language. */
function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) {
    const word = /** @type {HTMLElement} */ (element).dataset.word;
    const text = words[/** @type {keyof typeof words} */ (word)];
    if (typeof text === "string") element.textContent = text;
  }
}

/** @param {ConnectOptions} options */
function follow(options) {
  board?.close();
  board = connect(options);
  shown = null;
  board.subscribe(render);
  render();
}

function render() {
  if (board === null) return;
  const snapshot = board.getSnapshot();
  renderStatus(snapshot);
  renderTable(snapshot);
  renderUpdated(snapshot);
  own.show(snapshot);
}

/** @param {Snapshot} snapshot */
function renderStatus({ status: now }) {
  status.dataset.status = now;
  say(statusText, now === "stale" ? words.connecting : words[now]);
  retry.hidden = now !== "offline";
}

/** @param {Snapshot} snapshot */
function renderTable(snapshot) {
  const { entries, version, error, status: now } = snapshot;
  const given = error !== null && (now === "readonly" || now === "offline");
  table.setAttribute("aria-busy", String(version === null && !given));
  if (version === null) {
    table.hidden = given;
    notice.hidden = !given;
    if (given) {
      rows.clear();
      waiting = false;
      renderProblem(error);
    } else if (!waiting && rows.empty) {
      rows.wait(STONES);
      waiting = true;
    }
    return;
  }
  waiting = false;
  rows.show(entries);
  table.hidden = entries.length === 0;
  notice.hidden = entries.length > 0;
  if (entries.length === 0) {
    say(noticeTitle, words.emptyTitle);
    say(noticeText, words.emptyText);
    noticeRetry.hidden = true;
  }
  const widest = entries.reduce((most, one) => Math.max(most, figure(one.score).length), 7);
  table.style.setProperty("--score", `${widest}ch`);
  if (shown !== null && now === "live" && version !== shown) announce();
  shown = version;
}

/** Says why there is nothing to see, and what helps. @param {Problem} problem */
function renderProblem({ status: code }) {
  const closed = code === 401;
  const forbidden = code === 403;
  say(noticeTitle, closed ? words.closedTitle : forbidden ? words.forbiddenTitle : words.lostTitle);
  const help = demo ? words.closedDemo : words.closedText;
  say(noticeText, closed ? help : forbidden ? words.forbiddenText : words.lostText);
  noticeRetry.hidden = false;
}

/** @param {Snapshot} snapshot */
function renderUpdated({ totalEntries, lastUpdated, version, error, status: now }) {
  say(total, version === null ? "" : words.people(totalEntries, figure(totalEntries)));
  when.hidden = lastUpdated === null;
  if (lastUpdated === null) return;
  say(whenLabel, now === "readonly" && error !== null ? words.notUpdated : words.lastUpdate);
  if (time.dateTime !== lastUpdated) {
    time.dateTime = lastUpdated;
    time.title = moment(lastUpdated);
  }
  say(time, ago(lastUpdated, Date.now()));
}

function announce() {
  clearTimeout(hiding);
  // Emptied first, so that a screen reader says it each time.
  banner.textContent = "";
  banner.textContent = words.banner;
  banner.classList.add("shown");
  hiding = setTimeout(() => banner.classList.remove("shown"), BANNER);
}

/** What a board is called: its kind's word, and which of them it is. @param {string} board */
function nameOf(board) {
  const [kind, ...id] = board.split(":");
  const { global, school, classroom, friends } = words;
  const word = new Map(Object.entries({ global, school, classroom, friends })).get(kind) ?? kind;
  return kind === "friends" ? word : [word, id.join(":")].join(" ").trim();
}

translate();
// The address says which board is shown: /?board=school:42&period=weekly
const asked = new URLSearchParams(location.search);
const what = { board: asked.get("board") ?? "global", period: asked.get("period") ?? "all-time" };
say(find("board"), nameOf(what.board));
const { daily, weekly, monthly, "all-time": allTime } = words;
const periods = new Map(Object.entries({ daily, weekly, monthly, "all-time": allTime }));
say(find("period"), periods.get(what.period) ?? what.period);
document.title = `${nameOf(what.board)} · Marcador`;

retry.addEventListener("click", () => board?.retry());
noticeRetry.addEventListener("click", () => board?.retry());
refresh.addEventListener("click", async () => {
  refresh.classList.add("busy");
  await board?.refresh();
  refresh.classList.remove("busy");
});
setInterval(() => {
  if (board !== null && document.visibilityState === "visible") renderUpdated(board.getSnapshot());
}, 1_000);

if (demo) {
  rows.wait(STONES);
  new Demo(
    find,
    (getToken) => follow({ ...what, getToken }),
    () => board?.refresh(),
  ).start();
} else {
  follow(what);
}
