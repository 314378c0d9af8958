// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { make } from "./dom.js";
import { MovingRows } from "./moving.js";
import { Row } from "./row.js";

/**
 * The rows of a board in a table's body. Rows of stone reserve their room before they come.
 * @extends {MovingRows<Row>}
 */
export class Rows extends MovingRows {
  /**
   * @param {HTMLTableSectionElement} body
   * @param {Voice} voice
   * @param {() => void} [grown] called when rows have come by themselves, after the first
   */
  constructor(body, voice, grown) {
    super(body, grown);
    this.voice = voice;
  }

  /** @override @param {Entry} entry @returns {Row} */
  rowOf(entry) {
    return new Row(this.voice, entry);
  }

  /** Shows so many rows of stone. @param {number} count */
  waitFor(count) {
    this.wait(Array.from({ length: count }, (_, index) => this.stone(index)));
  }

  /** A row of stone. @param {number} _index from 0 */
  stone(_index) {
    const block = (/** @type {string} */ name = "") => make("i", name);
    const person = make("span", "person", block("avatar"), make("span", "names", block(), block()));
    const row = make("tr", "stone", make("td", "rank", block()), make("td", "change", block()));
    row.append(make("td", "who", person), make("td", "coins", block()));
    row.append(make("td", "points", block()));
    row.setAttribute("aria-hidden", "true");
    return row;
  }
}
