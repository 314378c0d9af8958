// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { Row, still } from "./row.js";

/** The moving rows of a table. */
export class Rows {
  #body;
  #template;
  #stone;
  #rows = /** @type {Map<string, Row>} */ (new Map());
  #shown = /** @type {readonly Entry[] | null} */ (null);

  /**
   * @param {HTMLTableSectionElement} body
   * @param {HTMLTemplateElement} template of a row
   * @param {HTMLTemplateElement} stone of a row that is not there yet
   */
  constructor(body, template, stone) {
    this.#body = body;
    this.#template = template;
    this.#stone = stone;
  }

  /** Whether nobody is shown. */
  get empty() {
    return this.#rows.size === 0;
  }

  /** Rows of stone, in the geometry of what will come. @param {number} count */
  wait(count) {
    this.clear();
    const stones = Array.from({ length: count }, () => this.#stone.content.cloneNode(true));
    this.#body.replaceChildren(...stones);
  }

  clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#shown = null;
    this.#body.replaceChildren();
  }

  /** The row of a user, null where it is not on the page. @param {string} userId */
  find(userId) {
    return this.#rows.get(userId)?.element ?? null;
  }

  /** Shows these entries; people who were there before glide to their new place. @param {readonly Entry[]} entries */
  show(entries) {
    if (entries === this.#shown) return;
    const first = this.#shown === null;
    this.#shown = entries;
    if (first) this.#body.replaceChildren();
    const moving = !first && document.visibilityState === "visible";
    const gliding = moving && !still.matches;

    /** @type {Map<Row, number>} */
    const tops = new Map();
    if (gliding) {
      // Where they are seen now, on their way perhaps; from there they go on.
      for (const row of this.#rows.values()) tops.set(row, top(row));
      for (const row of this.#rows.values()) row.rest();
    }
    const there = new Set(entries.map((entry) => entry.userId));
    for (const [userId, row] of this.#rows) {
      if (there.has(userId)) continue;
      row.remove();
      this.#rows.delete(userId);
    }
    let next = this.#body.firstElementChild;
    for (const entry of entries) {
      let row = this.#rows.get(entry.userId);
      if (row === undefined) {
        row = new Row(this.#template.content, entry);
        this.#rows.set(entry.userId, row);
        if (gliding) row.appear();
      } else {
        row.update(entry, moving);
      }
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
    if (!gliding) return;
    const glides = [];
    for (const [row, from] of tops) {
      if (row.element.isConnected) glides.push({ row, way: from - top(row) });
    }
    for (const { row, way } of glides) row.glide(Math.abs(way) < 1 ? 0 : way);
  }
}

/** Where a row is seen, in the window. @param {Row} row */
function top(row) {
  return row.element.getBoundingClientRect().top;
}
