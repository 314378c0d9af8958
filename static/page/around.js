// @ts-check
/** @import { Board, Ranks, Snapshot } from "../marcador.d.ts" */

import { say } from "../view/dom.js";
import { Rows } from "../view/rows.js";
import { find } from "./find.js";
import { figure, voice, words } from "./words.js";

const NEIGHBOURS = 5;
/** Least time between two reads, in milliseconds: below the top, places change all the time. */
const LEAST = 5_000;

/** The rows around the reader's own, below the top rows, while the top rows lack the reader's. */
export class Around {
  #rows = new Rows(/** @type {HTMLTableSectionElement} */ (find("around")), voice);
  #gap = find("gap");
  #gapText = find("gap-text");
  #changed;
  #board = /** @type {Board | null} */ (null);
  /** The state that was last read for. Nothing is read again while it stays the same. */
  #seen = "";
  #readAt = 0;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /** @param {() => void} changed called when rows have come or gone */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {string} userId */
  find(userId) {
    return this.#rows.find(userId);
  }

  /** Follows another board, from nothing. @param {Board} board */
  follow(board) {
    this.#board = board;
    this.clear();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#seen = "";
    this.#readAt = 0;
    this.#rows.clear();
    this.#gap.hidden = true;
  }

  /** @param {Snapshot} snapshot */
  show({ me, entries, version }) {
    if (me === null || me.rank === null || entries.some((one) => one.userId === me.userId)) {
      if (!this.#rows.empty) this.clear();
      return;
    }
    const now = `${me.userId} ${me.rank} ${me.score} ${version}`;
    if (now === this.#seen || this.#timer !== undefined) return;
    this.#seen = now;
    const wait = Math.max(0, this.#readAt + LEAST - Date.now());
    this.#timer = setTimeout(() => this.#read(), wait);
  }

  /** @param {number} skipped ranks between the top rows and these @param {Ranks} ranks */
  #showGap(skipped, ranks) {
    this.#gap.hidden = skipped <= 0;
    // Where equal scores share a rank, ranks do not tell how many people are between.
    const text = ranks === "ordinal" ? words.skipped(skipped, figure(skipped)) : words.someSkipped;
    say(this.#gapText, text);
  }

  async #read() {
    this.#readAt = Date.now();
    const board = this.#board;
    if (board === null) return;
    try {
      const page = await board.around(NEIGHBOURS);
      if (board !== this.#board) return;
      const { entries, me } = board.getSnapshot();
      const top = new Set(entries.map((one) => one.userId));
      const below = page.entries.filter((one) => !top.has(one.userId));
      if (me === null || top.has(me.userId) || below.length === 0) return;
      this.#rows.show(below);
      const overlaps = below.length < page.entries.length;
      this.#showGap(overlaps ? 0 : below[0].rank - (entries.at(-1)?.rank ?? 0) - 1, page.ranks);
      this.#changed();
    } catch (cause) {
      console.warn("marcador: the rows around the reader's own could not be read:", cause);
    } finally {
      if (board === this.#board) {
        this.#timer = undefined;
        this.show(board.getSnapshot());
      }
    }
  }
}
