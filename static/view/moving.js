// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { GLIDE, still, WASH } from "./motion.js";

/** How many rows are added at a time when a table is filled, so that a phone stays responsive. */
const PORTION = 12;

/** One person's row. It stays the same element for as long as the person is shown. */
export class MovingRow {
  element;
  /** Whether it is in the window. Rows outside of it change without motion. */
  seen = true;
  #glide = /** @type {Animation | null} */ (null);
  #wash;
  #washing = /** @type {Animation | null} */ (null);

  /**
   * @param {HTMLTableRowElement} element
   * @param {HTMLElement} wash covers the row's ground while it is washed; its opacity is animated,
   *   since browsers do that off the main thread, unlike a colour
   */
  constructor(element, wash) {
    this.element = element;
    this.#wash = wash;
  }

  /**
   * Shows a new state of the person.
   * @param {Entry} _entry
   * @param {boolean} _moving whether changes are animated
   */
  update(_entry, _moving) {}

  /** Learns its position in the table. @param {number} _index from 0 */
  moveTo(_index) {}

  /**
   * The name of the row's layout. A row that changes its layout does not glide, since its new shape
   * would sweep over other rows.
   */
  get layout() {
    return "";
  }

  /** The element that glides when the row moves. */
  get mover() {
    return /** @type {HTMLElement} */ (this.element);
  }

  /**
   * Glides from the old position, so many pixels away.
   * @param {number} x
   * @param {number} y positive from below
   */
  glide(x, y) {
    // A row that rises passes above the rows that make room for it.
    this.element.style.zIndex = y > 0 ? "1" : "";
    this.#come({ transform: `translate(${x}px, ${y}px)` }, "glide");
  }

  /** Fades in, in a layout that the row did not have before. */
  enter() {
    this.#come({ opacity: 0, transform: "scale(0.9)" }, "enter");
  }

  /** @param {Keyframe} from @param {string} id */
  #come(from, id) {
    const to = { opacity: 1, transform: "none" };
    const keyframes = "opacity" in from ? [from, to] : [from, { transform: to.transform }];
    const glide = this.mover.animate(keyframes, { ...GLIDE, id });
    this.#glide = glide;
    glide.onfinish = () => this.rest();
  }

  /** Ends a glide at once. */
  rest() {
    this.#glide?.cancel();
    this.#glide = null;
    this.element.style.zIndex = "";
  }

  /** Whether a glide is under way. */
  get gliding() {
    return this.#glide !== null;
  }

  /** Colours the row's ground for a while. @param {"up" | "down"} way */
  wash(way) {
    this.#washing?.cancel(); // one at a time
    this.#wash.dataset.way = way;
    this.#washing = this.#wash.animate({ opacity: [1, 0] }, WASH);
  }

  appear() {
    this.element.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
  }

  remove() {
    this.element.remove();
  }
}

/**
 * The moving rows of a table's body. `rowOf` makes them.
 * @template {MovingRow} R
 */
export class MovingRows {
  #body;
  #rows = /** @type {Map<string, R>} The rows that are shown, by user id. */ (new Map());
  #shown = /** @type {readonly Entry[] | null} */ (null);
  #left = false;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #grown;
  #watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const row = this.#byElement.get(target);
      if (row !== undefined) row.seen = isIntersecting;
    }
  });
  #byElement = /** @type {WeakMap<Element, R>} */ (new WeakMap());

  /**
   * @param {HTMLTableSectionElement} body
   * @param {() => void} [grown] called when a table that is filled in portions has more rows
   */
  constructor(body, grown) {
    this.#body = body;
    this.#grown = grown;
  }

  /** Makes a person's row. @param {Entry} _entry @returns {R} */
  rowOf(_entry) {
    throw new Error("rowOf is not implemented");
  }

  /** Whether nothing is shown, not even rows of stone. */
  get empty() {
    return this.#body.childElementCount === 0;
  }

  /** Shows rows of stone, which reserve the room of the rows to come. @param {Node[]} stones */
  wait(stones) {
    this.clear();
    this.#body.replaceChildren(...stones);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [userId, row] of this.#rows) this.#drop(userId, row);
    this.#shown = null;
    this.#left = false;
    this.#body.replaceChildren();
  }

  /** Leaves the rows in view until another board's rows come. Those then appear without motion. */
  leave() {
    this.#left = true;
  }

  /** A user's row, null if it is not shown. @param {string} userId */
  find(userId) {
    return this.#rows.get(userId)?.element ?? null;
  }

  /**
   * Shows these entries. People who were shown before glide to their new position. Only rows that
   * move are measured, so an update of a thousand rows costs no more than its moves.
   * @param {readonly Entry[]} entries
   */
  show(entries) {
    if (this.#left) this.clear();
    if (entries === this.#shown) return;
    const before = this.#shown;
    this.#shown = entries;
    if (before === null) this.#body.replaceChildren();
    if (before === null || this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#leaveOut(entries);
      this.#begin(entries, Math.max(PORTION, this.#rows.size));
      return;
    }
    const moving = document.visibilityState === "visible";

    const origins = moving && !still() ? this.#measure(before, entries) : null;
    this.#leaveOut(entries);
    this.#fill(entries, moving, origins !== null);
    if (origins === null) return;
    // All are measured before the first moves, or each would force a layout.
    const moves = [...origins].map(([row, { layout, from }]) => ({
      row,
      layout,
      ...distance(from, row),
    }));
    for (const { row, layout, x, y } of moves) {
      if (row.layout !== layout) row.enter();
      else if (x !== 0 || y !== 0) row.glide(x, y);
    }
  }

  /**
   * Fills an empty table: `count` rows now, the others portion by portion.
   * @param {readonly Entry[]} entries
   * @param {number} count
   */
  #begin(entries, count) {
    this.#fill(entries.slice(0, count), false, false);
    const more = count < entries.length;
    this.#timer = more ? setTimeout(() => this.#begin(entries, count + PORTION)) : undefined;
    if (count > PORTION) this.#grown?.();
  }

  /** Removes the rows of people who are not among these. @param {readonly Entry[]} entries */
  #leaveOut(entries) {
    const there = new Set(entries.map((entry) => entry.userId));
    for (const [userId, row] of this.#rows) if (!there.has(userId)) this.#drop(userId, row);
  }

  /** @param {string} userId @param {R} row */
  #drop(userId, row) {
    this.#rows.delete(userId);
    this.#watch.unobserve(row.element);
    row.remove();
  }

  /**
   * Where the rows that will move are seen now. A row that is still gliding goes on from there.
   * @param {readonly Entry[]} before
   * @param {readonly Entry[]} entries
   */
  #measure(before, entries) {
    /** @type {Map<R, { layout: string, from: DOMRect }>} */
    const origins = new Map();
    for (const [index, { userId }] of entries.entries()) {
      const row = this.#rows.get(userId);
      if (row === undefined || (before[index]?.userId === userId && !row.gliding)) continue;
      origins.set(row, { layout: row.layout, from: row.mover.getBoundingClientRect() });
    }
    for (const row of origins.keys()) row.rest();
    return origins;
  }

  /** @param {readonly Entry[]} entries @param {boolean} moving @param {boolean} gliding */
  #fill(entries, moving, gliding) {
    let next = this.#body.firstElementChild;
    for (const [index, entry] of entries.entries()) {
      const old = this.#rows.get(entry.userId);
      const row = old ?? this.rowOf(entry);
      old?.update(entry, moving && old.seen);
      row.moveTo(index);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
      if (old !== undefined) continue;
      this.#rows.set(entry.userId, row);
      this.#byElement.set(row.element, row);
      this.#watch.observe(row.element);
      if (gliding) row.appear();
    }
  }
}

/**
 * How far a row is from where it was, 0 if neither is in the window.
 * @param {DOMRect} from
 * @param {MovingRow} row
 */
function distance(from, row) {
  const to = row.mover.getBoundingClientRect();
  if (!inWindow(from) && !inWindow(to)) return { x: 0, y: 0 };
  // Middles are compared, since the columns of the podium differ in width.
  const [x, y] = [(from.left + from.right - to.left - to.right) / 2, from.top - to.top];
  return { x: Math.abs(x) < 1 ? 0 : x, y: Math.abs(y) < 1 ? 0 : y };
}

/** @param {DOMRect} box */
function inWindow({ top, bottom }) {
  return bottom > 0 && top < innerHeight;
}
