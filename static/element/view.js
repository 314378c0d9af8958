// @ts-check
/** @import { Entry, Me, Problem, Snapshot } from "../marcador.d.ts" */
/** @import { Settings } from "./settings.js" */
/** @import { Voice } from "../view/words.js" */

import { fitScores, say } from "../view/cells.js";
import { ownPlace } from "./own.js";
import { refusal } from "./refusal.js";
import { make, Rows } from "./rows.js";

/** More than this are below the fold anyway; their height is kept free without them. */
const MOST_STONES = 30;
const COLUMNS = /** @type {const} */ (["rank", "change", "name", "coins", "points"]);

/** What is seen of one board in one language: made for it, and replaced where either changes. */
export class View {
  /** Everything; the caller puts it in place. */
  frame = make("div", "frame");

  #voice;
  #settings;
  #reader;
  #shown = /** @type {readonly Entry[] | null} */ (null);
  #lastUpdated = /** @type {string | null} */ (null);

  #statusText = document.createElement("span");
  #status = make("span", "status", dot(), this.#statusText);
  #button = make("button", "button");
  #scroller = make("div", "scroller");
  #room = make("div", "rows");
  #table = make("table", "table");
  #body = document.createElement("tbody");
  #own = make("div", "me");
  #notice = make("div", "notice", make("p", ""), make("p", ""));
  #total = make("span", "total");
  #time = document.createElement("time");
  #updated = make("span", "updated");
  #rows;
  #me = /** @type {Me | null} */ (null);
  #watch = new ResizeObserver(() => this.#reach());

  /**
   * @param {Voice} voice
   * @param {Settings} settings
   * @param {string} label
   * @param {boolean} reader whether there is one whose own place will be shown
   * @param {(what: "retry" | "refresh") => Promise<void> | void} act
   */
  constructor(voice, settings, label, reader, act) {
    this.#voice = voice;
    this.#settings = settings;
    this.#reader = reader;
    const { words } = voice;
    const { board, period, rows, wrong } = settings;
    const named = label || voice.nameOf(board);
    const when = words[/** @type {"daily"} */ (period)] ?? period;
    this.#rows = new Rows(this.#body, voice);
    this.frame.lang = voice.language;
    this.#status.setAttribute("role", "status");
    this.#button.type = "button";
    this.#button.hidden = true;
    this.#button.addEventListener("click", async () => {
      this.#button.setAttribute("aria-busy", "true");
      await act(this.#button.dataset.act === "retry" ? "retry" : "refresh");
      this.#button.removeAttribute("aria-busy");
    });
    // The table's caption says the same to those who can't see it.
    const heading = make("div", "heading", make("span", "label", named));
    heading.append(make("span", "period", when));
    heading.setAttribute("aria-hidden", "true");
    const state = make("div", "state", this.#status, this.#button);
    this.#fillTable(`${named}, ${when}`);
    this.#room.style.setProperty("--count", String(rows));
    this.#room.classList.toggle("reader", reader);
    this.#own.setAttribute("role", "group");
    this.#own.setAttribute("aria-label", words.yourPlace);
    this.#own.hidden = true;
    this.#room.append(this.#table, this.#own, this.#notice);
    this.#notice.hidden = true;
    this.#scroller.append(this.#room);
    this.#updated.hidden = true;
    this.#updated.append(`${words.lastUpdate} `, this.#time);
    const footer = make("div", "footer", make("p", "", this.#total, this.#updated));
    this.frame.append(make("div", "header", heading, state), this.#scroller, footer);
    this.#watch.observe(this.#scroller);
    this.#watch.observe(this.#room);
    if (settings.broken) {
      this.#say(words.wrong, "");
      this.#notice.append(...wrong.map((one) => this.#explain(one)));
      this.#room.classList.add("broken");
      state.hidden = true;
    } else {
      footer.append(...wrong.map((one) => this.#explain(one)));
      this.#rows.waitFor(Math.min(rows, MOST_STONES));
    }
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    const { status, entries, version, error, me, totalEntries, lastUpdated } = snapshot;
    const { words, figure } = this.#voice;
    this.#status.dataset.status = status;
    this.frame.dataset.status = status;
    say(this.#statusText, words[status]);
    const act = status === "offline" ? "retry" : "refresh";
    this.#button.hidden = !/offline|polling|readonly/.test(status);
    this.#button.dataset.act = act;
    say(this.#button, words[act]);
    const given = version === null && error !== null && /readonly|offline/.test(status);
    this.#table.setAttribute("aria-busy", String(version === null && !given));
    if (given) {
      this.#refused(error);
      return;
    }
    if (version === null) {
      if (this.#table.hidden) {
        this.#unsay();
        this.#rows.waitFor(Math.min(this.#settings.rows, MOST_STONES));
      }
      return;
    }
    if (entries !== this.#shown) this.#showRows(entries);
    this.#showOwn(me, snapshot.userId);
    say(this.#total, words.people(totalEntries, figure(totalEntries)));
    this.#lastUpdated = lastUpdated;
    this.tick();
  }

  /** Brings relative times up to now. */
  tick() {
    const time = this.#lastUpdated;
    this.#updated.hidden = time === null;
    if (time === null) return;
    if (this.#time.dateTime !== time) {
      this.#time.dateTime = time;
      this.#time.title = this.#voice.moment(time);
    }
    say(this.#time, this.#voice.ago(time, Date.now()));
  }

  /** Ends what goes on by itself. */
  close() {
    this.#watch.disconnect();
    this.#rows.clear();
  }

  /** @param {string} caption */
  #fillTable(caption) {
    const { words } = this.#voice;
    const title = make("caption", "caption", caption);
    title.classList.add("unseen");
    const columns = document.createElement("colgroup");
    const head = document.createElement("tr");
    for (const column of COLUMNS) {
      const col = document.createElement("col");
      col.className = `c-${column}`;
      columns.append(col);
      const cell = make("th", "", make("span", "", words[column]));
      cell.className = column === "name" ? "" : column;
      cell.setAttribute("part", "column");
      cell.scope = "col";
      head.append(cell);
    }
    const top = document.createElement("thead");
    top.append(head);
    this.#table.append(title, columns, top, this.#body);
  }

  /** @param {readonly Entry[]} entries */
  #showRows(entries) {
    this.#shown = entries;
    const { words, figure } = this.#voice;
    const shown = entries.slice(0, this.#settings.rows);
    this.#rows.show(shown);
    fitScores(this.#table, shown, 5, figure);
    this.#table.classList.toggle("poor", !shown.some((one) => one.mlCoins > 0));
    if (shown.length === 0) this.#say(words.empty, words.emptyHelp);
    else this.#unsay();
  }

  /** The reader's own place, under the rows. @param {Me | null} me @param {string | null} userId */
  #showOwn(me, userId) {
    if (userId !== null) this.#room.classList.add("reader");
    if (me === this.#me) return;
    this.#me = me;
    this.#own.hidden = me === null;
    if (me === null) return;
    const rows = this.#shown?.slice(0, this.#settings.rows) ?? [];
    const above = rows.some(({ userId }) => userId === me.userId);
    this.#own.className = above ? "me" : "me own";
    this.#own.setAttribute("part", this.#own.className);
    this.#own.replaceChildren(ownPlace(me, this.#settings.period, above, this.#voice));
  }

  /** Says why there is nothing to see, and what helps. @param {Problem} problem */
  #refused(problem) {
    this.#say(...refusal(problem, this.#voice, this.#settings.baseUrl, this.#reader));
  }

  /** @param {Settings["wrong"][number]} wrong */
  #explain({ name, value }) {
    const { words } = this.#voice;
    return make("p", "problem", `${words.attribute(name, value)} ${words.remedies[name]}`);
  }

  /** @param {string} text @param {string} help */
  #say(text, help) {
    const [first, second] = this.#notice.children;
    say(/** @type {HTMLElement} */ (first), text);
    say(/** @type {HTMLElement} */ (second), help);
    this.#notice.hidden = false;
    this.#table.hidden = true;
  }

  #unsay() {
    this.#notice.hidden = true;
    this.#table.hidden = false;
  }

  /** Where the rows don't fit, the keyboard gets to them. */
  #reach() {
    if (this.#scroller.scrollHeight <= this.#scroller.clientHeight + 1) {
      for (const name of ["tabindex", "role", "aria-label"]) this.#scroller.removeAttribute(name);
      return;
    }
    this.#scroller.tabIndex = 0;
    this.#scroller.setAttribute("role", "region");
    this.#scroller.setAttribute("aria-label", this.#table.caption?.textContent ?? "");
  }
}

function dot() {
  const mark = document.createElement("span");
  mark.className = "dot";
  mark.setAttribute("aria-hidden", "true");
  return mark;
}
