// @ts-check
/** @import { Me, Snapshot } from "../marcador.d.ts" */
/** @import { Settings } from "./settings.js" */
/** @import { Voice } from "../view/words.js" */

import { BoardView } from "../view/board.js";
import { make, part, say } from "../view/dom.js";
import { Rows } from "../view/rows.js";
import { ownRow } from "./own.js";

/** More rows of stone would be below the fold. The frame has its full height without them. */
const MOST_STONES = 30;
const LEAST_SCORE = 5;
const COLUMNS = /** @type {const} */ (["rank", "change", "name", "coins", "points"]);

/** The shadow tree of one board in one language. It is replaced when either changes. */
export class Frame {
  /** Everything. The caller puts it into the document. */
  element = part("div", "frame");

  #voice;
  #settings;
  #view;
  #rows;
  #me = /** @type {Me | null} */ (null);
  #snapshot = /** @type {Snapshot | null} */ (null);

  #status = part("span", "status", dot());
  #button = part("button", "button");
  #scroller = part("div", "scroller");
  #room = part("div", "rows");
  #table = part("table", "table");
  #own = part("div", "me");
  #notice = part("div", "notice");
  #watch = new ResizeObserver(() => this.#makeReachable());

  /**
   * @param {Voice} voice
   * @param {Settings} settings
   * @param {string} label
   * @param {boolean} givesTokens whether there is a reader, whose own place will be shown
   * @param {(action: "retry" | "refresh") => Promise<void> | void} act
   */
  constructor(voice, settings, label, givesTokens, act) {
    this.#voice = voice;
    this.#settings = settings;
    const { words } = voice;
    const { board, period, rows, baseUrl } = settings;
    const name = label || voice.nameOf(board);
    const when = words[/** @type {"daily"} */ (period)] ?? period;

    const body = document.createElement("tbody");
    this.#rows = new Rows(body, voice);
    this.#fillTable(`${name}, ${when}`, body);
    this.#fillRoom(rows, givesTokens);
    this.#fillButton(act);
    const header = this.#header(name, when);
    const parts = this.#parts();
    const footer = part("div", "footer", make("p", "", parts.total, parts.updated));
    this.element.lang = voice.language;
    this.element.append(header, this.#scroller, footer);
    const sizes = { most: rows, stones: MOST_STONES, leastScore: LEAST_SCORE };
    const help = { absent: words.checkAttributes };
    this.#view = new BoardView(parts, this.#rows, sizes, { baseUrl, givesTokens, help });
    this.#explainWrong(header, footer);
    this.#watch.observe(this.#scroller);
    this.#watch.observe(this.#room);
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    const { status, version, me, userId } = snapshot;
    const { words } = this.#voice;
    this.#snapshot = snapshot;
    this.element.dataset.status = status;
    this.#view.show(snapshot);
    const action = status === "offline" ? "retry" : "refresh";
    this.#button.hidden = !/offline|polling|readonly/.test(status);
    this.#button.dataset.action = action;
    say(this.#button, words[action]);
    if (version !== null) this.#showOwn(me, userId);
  }

  /** Brings the relative time up to date. */
  tick() {
    if (this.#snapshot !== null) this.#view.tick(this.#snapshot);
  }

  /** Stops observers and timers. */
  close() {
    this.#watch.disconnect();
    this.#rows.clear();
  }

  /** The elements that the view fills. */
  #parts() {
    const [statusText, updatedLabel] = [make("span", ""), make("span", "")];
    const [noticeText, noticeHelp, updatedTime] = [make("p", ""), make("p", ""), make("time", "")];
    this.#status.append(statusText);
    this.#status.setAttribute("role", "status");
    this.#notice.append(noticeText, noticeHelp);
    this.#notice.hidden = true;
    const updated = part("span", "updated", updatedLabel, " ", updatedTime);
    updated.hidden = true;
    return {
      status: this.#status,
      statusText,
      table: this.#table,
      notice: this.#notice,
      noticeText,
      noticeHelp,
      total: part("span", "total"),
      updated,
      updatedLabel,
      updatedTime,
    };
  }

  /** @param {string} name @param {string} when */
  #header(name, when) {
    const heading = part(
      "div",
      "heading",
      part("span", "label", name),
      part("span", "period", when),
    );
    // Screen readers get the same text from the table's caption.
    heading.setAttribute("aria-hidden", "true");
    return part("div", "header", heading, part("div", "state", this.#status, this.#button));
  }

  /** @param {(action: "retry" | "refresh") => Promise<void> | void} act */
  #fillButton(act) {
    this.#button.type = "button";
    this.#button.hidden = true;
    this.#button.addEventListener("click", async () => {
      this.#button.setAttribute("aria-busy", "true");
      await act(this.#button.dataset.action === "retry" ? "retry" : "refresh");
      this.#button.removeAttribute("aria-busy");
    });
  }

  /** @param {string} caption @param {HTMLTableSectionElement} body */
  #fillTable(caption, body) {
    const { words } = this.#voice;
    const title = part("caption", "caption", caption);
    title.classList.add("unseen");
    const columns = document.createElement("colgroup");
    const head = document.createElement("tr");
    for (const column of COLUMNS) {
      columns.append(make("col", `c-${column}`));
      const cell = make("th", column === "name" ? "" : column, make("span", "", words[column]));
      cell.setAttribute("part", "column");
      cell.scope = "col";
      head.append(cell);
    }
    this.#table.append(title, columns, make("thead", "", head), body);
  }

  /** @param {number} rows @param {boolean} reader */
  #fillRoom(rows, reader) {
    this.#room.style.setProperty("--count", String(rows));
    this.#room.classList.toggle("reader", reader);
    this.#own.setAttribute("role", "group");
    this.#own.setAttribute("aria-label", this.#voice.words.yourPlace);
    this.#own.hidden = true;
    this.#room.append(this.#table, this.#own, this.#notice);
    this.#scroller.append(this.#room);
  }

  /**
   * Says which attributes are wrong: in place of the rows if nothing can be shown, else below them.
   * @param {HTMLElement} header
   * @param {HTMLElement} footer
   */
  #explainWrong(header, footer) {
    const { words } = this.#voice;
    const { wrong, broken } = this.#settings;
    const problems = wrong.map(({ name, value }) =>
      part("p", "problem", `${words.attribute(name, value)} ${words.remedies[name]}`),
    );
    if (!broken) {
      footer.append(...problems);
      this.#view.wait();
      return;
    }
    this.#view.explain(words.wrong, "");
    this.#notice.append(...problems);
    this.#room.classList.add("broken");
    /** @type {HTMLElement} */ (header.lastElementChild).hidden = true;
  }

  /**
   * Shows the reader's own place under the rows.
   * @param {Me | null} me
   * @param {string | null} userId
   */
  #showOwn(me, userId) {
    if (userId !== null) this.#room.classList.add("reader");
    if (me === this.#me) return;
    this.#me = me;
    this.#own.hidden = me === null;
    if (me === null) return;
    const above = this.#view.shown.some((one) => one.userId === me.userId);
    this.#own.className = above ? "me" : "me own";
    this.#own.setAttribute("part", this.#own.className);
    this.#own.replaceChildren(ownRow(me, this.#settings.period, above, this.#voice));
  }

  /** Lets the keyboard scroll the rows, if they do not all fit. */
  #makeReachable() {
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
  const circle = make("span", "dot");
  circle.setAttribute("aria-hidden", "true");
  return circle;
}
