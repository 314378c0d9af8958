// @ts-check
/** @import { What } from "./boards.js" */

/** A tab that says nothing for this long is gone, or frozen. */
const GONE = 180_000;

/** What other tabs want of the one that leads. */
export class Tabs {
  #tabs = /** @type {Map<string, { boards: What[], at: number }>} */ (new Map());

  /** Takes in what a tab wants, and tells whether that is new. @param {string} tab @param {What[]} boards */
  put(tab, boards) {
    const before = JSON.stringify(this.#tabs.get(tab)?.boards);
    this.#tabs.set(tab, { boards, at: Date.now() });
    return JSON.stringify(boards) !== before;
  }

  /** Tells whether the tab was known. @param {string} tab */
  drop(tab) {
    return this.#tabs.delete(tab);
  }

  /** Forgets tabs that are gone without a word, and tells whether there were any. */
  prune() {
    const before = this.#tabs.size;
    for (const [tab, { at }] of this.#tabs) {
      if (Date.now() - at >= GONE) this.#tabs.delete(tab);
    }
    return this.#tabs.size < before;
  }

  wanted() {
    return [...this.#tabs.values()].flatMap(({ boards }) => boards);
  }

  clear() {
    this.#tabs.clear();
  }
}
