// @ts-check
/** @import { Snapshot } from "../marcador.d.ts" */

import { say } from "../view/cells.js";
import { find } from "./find.js";
import { ago, figure, moment, words } from "./words.js";

const BANNER = 3_000;

/** The header: what is shown, how the stream is, and when it last moved. */
export class Head {
  #board = find("board");
  #period = find("period");
  #status = find("status");
  #text = find("status-text");
  #retry = find("retry");
  #total = find("total");
  #when = find("when");
  #label = find("when-label");
  #time = /** @type {HTMLTimeElement} */ (find("time"));
  #banner = find("banner");
  #hiding = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /** @param {string} board @param {string} period what they are called */
  name(board, period) {
    say(this.#board, board);
    this.#board.title = board;
    say(this.#period, period);
    document.title = `${board} · ${period} · Marcador`;
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    const { status } = snapshot;
    this.#status.dataset.status = status;
    say(this.#text, words[status]);
    this.#retry.hidden = status !== "offline";
    this.tick(snapshot);
  }

  /** Brings the relative time up to now. @param {Snapshot} snapshot */
  tick({ totalEntries, lastUpdated, version, error, status }) {
    say(this.#total, version === null ? "" : words.people(totalEntries, figure(totalEntries)));
    this.#when.hidden = lastUpdated === null;
    if (lastUpdated === null) return;
    const failed = (status === "readonly" || status === "polling") && error !== null;
    say(this.#label, failed ? words.notUpdated : words.lastUpdate);
    if (this.#time.dateTime !== lastUpdated) {
      this.#time.dateTime = lastUpdated;
      this.#time.title = moment(lastUpdated);
    }
    say(this.#time, ago(lastUpdated, Date.now()));
  }

  /** Says that the board has moved, over the page and without moving it. */
  announce() {
    clearTimeout(this.#hiding);
    // Emptied first, so that a screen reader says it each time.
    this.#banner.textContent = "";
    this.#banner.textContent = words.banner;
    this.#banner.classList.add("shown");
    this.#hiding = setTimeout(() => this.#banner.classList.remove("shown"), BANNER);
  }
}
