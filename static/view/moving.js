// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { GLIDE, still, WASH } from "./motion.js";

/** How many rows come at a time at first: as many as a phone makes before anybody waits for it. */
const PORTION = 12;

/** One person's row; it stays the same element for as long as they are shown. */
export class MovingRow {
  element;
  /** Whether it is in the window; what is not has no need to be seen moving. */
  seen = true;
  #glide = /** @type {Animation | null} */ (null);
  #wash;
  #washing = /** @type {Animation | null} */ (null);

  /**
   * @param {HTMLTableRowElement} element
   * @param {HTMLElement} wash what lies on the row's ground, seen while it is washed: an opacity moves off the main thread, a colour would not
   */
  constructor(element, wash) {
    this.element = element;
    this.#wash = wash;
  }

  /** Shows another state of the person. @param {Entry} _entry @param {boolean} _moving whether changes are to be seen */
  update(_entry, _moving) {}

  /** Stands at another place of the table. @param {number} _index from 0 */
  stand(_index) {}

  /** How the row is laid out. Between two layouts it does not glide: its new shape would sweep over the others. */
  get layout() {
    return "";
  }

  /** What moves when the row does. */
  get mover() {
    return /** @type {HTMLElement} */ (this.element);
  }

  /** Lets the row come from where it stood, so many pixels away. @param {number} x @param {number} y positive from below */
  glide(x, y) {
    // Whoever rises passes above those who make room.
    this.element.style.zIndex = y > 0 ? "1" : "";
    this.#come({ transform: `translate(${x}px, ${y}px)` }, "glide");
  }

  /** Lets the row come up where it stands, in another layout than before. */
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

  /** Puts the row where it belongs, without the rest of its way. */
  rest() {
    this.#glide?.cancel();
    this.#glide = null;
    this.element.style.zIndex = "";
  }

  /** Whether the row is on its way. */
  get gliding() {
    return this.#glide !== null;
  }

  /** Colours the row's ground for a while. @param {"up" | "down"} way */
  wash(way) {
    this.#washing?.cancel(); // one at a time, however fast they come
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
 * The moving rows of a table's body.
 * @template {MovingRow} R
 */
export class MovingRows {
  #body;
  #make;
  #rows = /** @type {Map<string, R>} By user id, as many as are shown. */ (new Map());
  #shown = /** @type {readonly Entry[] | null} */ (null);
  #left = false;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #grown;
  #watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const row = this.#of.get(target);
      if (row !== undefined) row.seen = isIntersecting;
    }
  });
  #of = /** @type {WeakMap<Element, R>} */ (new WeakMap());

  /**
   * @param {HTMLTableSectionElement} body
   * @param {(entry: Entry) => R} make
   * @param {() => void} [grown] called when rows have come by themselves, after the first
   */
  constructor(body, make, grown) {
    this.#body = body;
    this.#make = make;
    this.#grown = grown;
  }

  /** Whether nothing is shown, not even stone. */
  get empty() {
    return this.#body.childElementCount === 0;
  }

  /** Rows of stone, in the geometry of what will come. @param {Node[]} stones */
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

    const places = moving && !still() ? this.#measure(before, entries) : null;
    this.#leaveOut(entries);
    this.#fill(entries, moving, places !== null);
    if (places === null) return;
    // All are measured before the first is moved.
    const ways = [...places].map(([row, { layout, from }]) => ({ row, layout, ...way(from, row) }));
    for (const { row, layout, x, y } of ways) {
      if (row.layout !== layout) row.enter();
      else if (x !== 0 || y !== 0) row.glide(x, y);
    }
  }

  /** Fills an empty table, the first so many rows now and the others portion by portion. @param {readonly Entry[]} entries @param {number} count */
  #begin(entries, count) {
    this.#fill(entries.slice(0, count), false, false);
    const more = count < entries.length;
    this.#timer = more ? setTimeout(() => this.#begin(entries, count + PORTION)) : undefined;
    if (count > PORTION) this.#grown?.();
  }

  /** Drops who is not among these any more. @param {readonly Entry[]} entries */
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
   * Where the rows that will move are seen now, on their way perhaps; from there they go on.
   * @param {readonly Entry[]} before
   * @param {readonly Entry[]} entries
   */
  #measure(before, entries) {
    /** @type {Map<R, { layout: string, from: DOMRect }>} */
    const places = new Map();
    for (const [index, { userId }] of entries.entries()) {
      const row = this.#rows.get(userId);
      if (row === undefined || (before[index]?.userId === userId && !row.gliding)) continue;
      places.set(row, { layout: row.layout, from: row.mover.getBoundingClientRect() });
    }
    for (const row of places.keys()) row.rest();
    return places;
  }

  /** @param {readonly Entry[]} entries @param {boolean} moving @param {boolean} gliding */
  #fill(entries, moving, gliding) {
    let next = this.#body.firstElementChild;
    for (const [index, entry] of entries.entries()) {
      const old = this.#rows.get(entry.userId);
      const row = old ?? this.#make(entry);
      old?.update(entry, moving && old.seen);
      row.stand(index);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
      if (old !== undefined) continue;
      this.#rows.set(entry.userId, row);
      this.#of.set(row.element, row);
      this.#watch.observe(row.element);
      if (gliding) row.appear();
    }
  }
}

/** How far it is from a place in the window to a row's, 0 where nobody sees either. @param {DOMRect} from @param {MovingRow} row */
function way(from, row) {
  const to = row.mover.getBoundingClientRect();
  if (!inWindow(from) && !inWindow(to)) return { x: 0, y: 0 };
  // From middle to middle: the columns of the podium are not all as wide.
  const [x, y] = [(from.left + from.right - to.left - to.right) / 2, from.top - to.top];
  return { x: Math.abs(x) < 1 ? 0 : x, y: Math.abs(y) < 1 ? 0 : y };
}

/** @param {DOMRect} place */
function inWindow({ top, bottom }) {
  return bottom > 0 && top < innerHeight;
}
