// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { MovingRows } from "../view/moving.js";
import { template } from "./find.js";
import { Row } from "./row.js";

/** How many stand on the podium. */
const PODIUM = 3;

/**
 * The page's rows in a table's body.
 * @extends {MovingRows<Row>}
 */
export class Rows extends MovingRows {
  #podium;

  /**
   * @param {HTMLTableSectionElement} body
   * @param {boolean} podium whether the first three stand on one
   * @param {() => void} [grown] called when rows have come by themselves, after the first
   */
  constructor(body, podium, grown) {
    const row = template("row");
    super(body, (entry) => new Row(row.content, entry, podium ? PODIUM : 0), grown);
    this.#podium = podium ? PODIUM : 0;
  }

  /** So many rows of stone. @param {number} count */
  waitFor(count) {
    const stone = template("stone");
    this.wait(
      Array.from({ length: count }, (_, index) => {
        const copy = document.importNode(stone.content, true);
        const row = /** @type {HTMLElement} */ (copy.firstElementChild);
        if (index < this.#podium) row.dataset.step = String(index + 1);
        return row;
      }),
    );
  }
}
