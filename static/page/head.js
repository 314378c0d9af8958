// @ts-check
/** @import { Snapshot } from "../marcador.d.ts" */

import { say } from "../view/dom.js";
import { find } from "./find.js";
import { words } from "./words.js";

const BANNER = 3_000;

/** The header: the board's name, a button while the page is offline, and a banner for news. */
export class Head {
  #board = find("board");
  #period = find("period");
  #retry = find("retry");
  #banner = find("banner");
  #hiding = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /** @param {string} board @param {string} period as people call them */
  name(board, period) {
    say(this.#board, board);
    this.#board.title = board;
    say(this.#period, period);
    document.title = `${board} · ${period} · Marcador`;
  }

  /** @param {Snapshot} snapshot */
  show({ status }) {
    this.#retry.hidden = status !== "offline";
  }

  /** Says for a while that the board has moved. The banner covers the page, and moves nothing. */
  announce() {
    clearTimeout(this.#hiding);
    // Emptied first, so that a screen reader says it each time.
    this.#banner.textContent = "";
    this.#banner.textContent = words.banner;
    this.#banner.classList.add("shown");
    this.#hiding = setTimeout(() => this.#banner.classList.remove("shown"), BANNER);
  }
}
