// @ts-check
/** @import { Entry, Snapshot } from "../marcador.d.ts" */
/** @import { Site } from "./refusal.js" */
/** @import { Rows } from "./rows.js" */
/** @import { Voice } from "./words.js" */

import { fitScores } from "./cells.js";
import { say } from "./dom.js";
import { refusal } from "./refusal.js";

/**
 * The elements that a view fills. The page has them in its markup, the element makes them.
 * @typedef {object} Parts
 * @property {HTMLElement} status has the status in `data-status`
 * @property {HTMLElement} statusText
 * @property {HTMLElement} table
 * @property {HTMLElement} notice is shown in place of the table
 * @property {HTMLElement} noticeText
 * @property {HTMLElement} noticeHelp
 * @property {HTMLElement} total
 * @property {HTMLElement} updated
 * @property {HTMLElement} updatedLabel
 * @property {HTMLTimeElement} updatedTime
 */

/**
 * @typedef {object} Settings
 * @property {number} most how many rows are shown
 * @property {number} stones how many rows of stone are shown before the first data
 * @property {number} leastScore the least width of the column of scores, in characters
 * @property {string} [emptyHelp] a help text for a board without rows
 */

/**
 * Shows one board: its rows or why there are none, its status, and how old it is. The page and
 * `<marcador-board>` both mount it, and add their own parts.
 */
export class BoardView {
  /** @type {Site} */
  site;

  #parts;
  #rows;
  #voice;
  #settings;
  #entries = /** @type {readonly Entry[] | null} */ (null);

  /** @param {Parts} parts @param {Rows} rows @param {Settings} settings @param {Site} site */
  constructor(parts, rows, settings, site) {
    this.site = site;
    this.#parts = parts;
    this.#rows = rows;
    this.#voice = rows.voice;
    this.#settings = settings;
  }

  /** The rows in view. */
  get shown() {
    return this.#entries?.slice(0, this.#settings.most) ?? [];
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    const { status, entries, version, error } = snapshot;
    const { status: frame, statusText, table } = this.#parts;
    frame.dataset.status = status;
    say(statusText, this.#voice.words[status]);
    // While another try is under way, an error is not the last word.
    const refused = version === null && (status === "readonly" || status === "offline");
    const reason = refused ? error : null;
    table.setAttribute("aria-busy", String(version === null && reason === null));
    if (version !== null) {
      if (entries !== this.#entries) this.#showRows(entries);
    } else if (reason !== null) {
      this.#rows.clear();
      this.explain(...refusal(reason, this.#voice, this.site));
    } else {
      if (this.#rows.empty) this.wait();
      this.#showTable(true);
    }
    this.tick(snapshot);
  }

  /** Shows rows of stone, until there is something else to show. */
  wait() {
    this.#rows.waitFor(Math.min(this.#settings.most, this.#settings.stones));
    this.#entries = null;
  }

  /** Says something in place of the rows. @param {string} text @param {string} help */
  explain(text, help) {
    say(this.#parts.noticeText, text);
    say(this.#parts.noticeHelp, help);
    this.#showTable(false);
  }

  /** Brings the relative time up to date. @param {Snapshot} snapshot */
  tick({ totalEntries, lastUpdated, version, error, status }) {
    const { words, figure, moment, ago } = this.#voice;
    const { total, updated, updatedLabel, updatedTime } = this.#parts;
    say(total, version === null ? "" : words.people(totalEntries, figure(totalEntries)));
    updated.hidden = lastUpdated === null;
    if (lastUpdated === null) return;
    const failed = (status === "readonly" || status === "polling") && error !== null;
    say(updatedLabel, failed ? words.notUpdated : words.lastUpdate);
    if (updatedTime.dateTime !== lastUpdated) {
      updatedTime.dateTime = lastUpdated;
      updatedTime.title = moment(lastUpdated);
    }
    say(updatedTime, ago(lastUpdated, Date.now()));
  }

  /** @param {readonly Entry[]} entries */
  #showRows(entries) {
    this.#entries = entries;
    const { words, figure } = this.#voice;
    const { table } = this.#parts;
    const { shown } = this;
    this.#rows.show(shown);
    fitScores(table, shown, this.#settings.leastScore, figure);
    table.classList.toggle("coinless", !shown.some((one) => one.mlCoins > 0));
    if (shown.length === 0) this.explain(words.empty, this.#settings.emptyHelp ?? words.emptyHelp);
    else this.#showTable(true);
  }

  /** @param {boolean} there whether the table is shown, or the notice */
  #showTable(there) {
    this.#parts.table.hidden = !there;
    this.#parts.notice.hidden = there;
  }
}
