// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { still } from "../marcador/motion.js";
import { Row } from "./row.js";

/** The moving rows of a table. */
export class Rows {
  #body;
  #template;
  #stone;
  #ranked;
  #rows = /** @type {Map<string, Row>} */ (new Map());
  #shown = /** @type {readonly Entry[] | null} */ (null);
  #left = false;

  /**
   * @param {HTMLTableSectionElement} body
   * @param {HTMLTemplateElement} template of a row
   * @param {HTMLTemplateElement} stone of a row that is not there yet
   * @param {boolean} [podium] whether the first three stand on one
   */
  constructor(body, template, stone, podium = true) {
    this.#body = body;
    this.#template = template;
    this.#stone = stone;
    this.#ranked = podium;
  }

  /** Whether nothing is shown, not even stone. */
  get empty() {
    return this.#body.childElementCount === 0;
  }

  /** Rows of stone, in the geometry of what will come. @param {number} count */
  wait(count) {
    this.clear();
    const stones = Array.from({ length: count }, (_, index) => {
      const stone = /** @type {DocumentFragment} */ (this.#stone.content.cloneNode(true));
      const row = /** @type {HTMLElement} */ (stone.firstElementChild);
      if (this.#ranked && index < 3) row.dataset.step = String(index + 1);
      return stone;
    });
    this.#body.replaceChildren(...stones);
  }

  clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#shown = null;
    this.#left = false;
    this.#body.replaceChildren();
  }

  /** Keeps what is shown until another board's rows come, which then appear without a way from here. */
  leave() {
    this.#left = true;
  }

  /** The row of a user, null where it is not here. @param {string} userId */
  find(userId) {
    return this.#rows.get(userId)?.element ?? null;
  }

  /**
   * Shows these entries; people who were there before glide to their new place. Only rows that
   * change their place are measured, so that an update of a thousand costs what moves.
   * @param {readonly Entry[]} entries
   */
  show(entries) {
    if (this.#left) this.clear();
    if (entries === this.#shown) return;
    const before = this.#shown ?? [];
    const first = this.#shown === null;
    this.#shown = entries;
    if (first) this.#body.replaceChildren();
    const moving = !first && document.visibilityState === "visible";

    const places = moving && !still() ? this.#leave(before, entries) : null;
    const there = new Set(entries.map((entry) => entry.userId));
    for (const [userId, row] of this.#rows) {
      if (there.has(userId)) continue;
      row.remove();
      this.#rows.delete(userId);
    }
    this.#fill(entries, moving, places !== null);
    if (places === null) return;
    const glides = [];
    for (const [row, from] of places) {
      const to = place(row);
      if (seen(from) || seen(to))
        glides.push({ row, x: from.left - to.left, y: from.top - to.top });
    }
    for (const { row, x, y } of glides) row.glide(Math.abs(x) < 1 ? 0 : x, Math.abs(y) < 1 ? 0 : y);
  }

  /**
   * Where the rows that will move are seen now, on their way perhaps; from there they go on.
   * @param {readonly Entry[]} before
   * @param {readonly Entry[]} entries
   */
  #leave(before, entries) {
    /** @type {Map<Row, DOMRect>} */
    const places = new Map();
    for (const [index, { userId }] of entries.entries()) {
      const row = this.#rows.get(userId);
      if (row === undefined || (before[index]?.userId === userId && !row.gliding)) continue;
      places.set(row, place(row));
    }
    for (const row of places.keys()) row.rest();
    return places;
  }

  /** @param {readonly Entry[]} entries @param {boolean} moving @param {boolean} gliding */
  #fill(entries, moving, gliding) {
    let next = this.#body.firstElementChild;
    for (const [index, entry] of entries.entries()) {
      let row = this.#rows.get(entry.userId);
      if (row === undefined) {
        row = new Row(this.#template.content, entry);
        this.#rows.set(entry.userId, row);
        if (gliding) row.appear();
      } else {
        row.update(entry, moving);
      }
      row.stand(this.#ranked ? index : -1);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
  }
}

/** Where a row is, in the window. @param {Row} row */
function place(row) {
  return row.element.getBoundingClientRect();
}

/** Whether a place is in the window. @param {DOMRect} place */
function seen({ top, bottom }) {
  return bottom > 0 && top < innerHeight;
}
