// @ts-check
/** @import { Topic } from "./topics.js" */

/** A tab that has said nothing for this long is closed or frozen. */
const GONE = 180_000;

/** The topics that other tabs want from the leading tab. */
export class OtherTabs {
  #tabs = /** @type {Map<string, { topics: Topic[], at: number }>} */ (new Map());

  /**
   * Remembers what a tab wants, and returns whether that is new.
   * @param {string} tab
   * @param {Topic[]} topics
   */
  put(tab, topics) {
    const before = JSON.stringify(this.#tabs.get(tab)?.topics);
    this.#tabs.set(tab, { topics, at: Date.now() });
    return JSON.stringify(topics) !== before;
  }

  /** Forgets a tab, and returns whether it was known. @param {string} tab */
  drop(tab) {
    return this.#tabs.delete(tab);
  }

  /** Forgets tabs that left without a word, and returns whether there were any. */
  prune() {
    const before = this.#tabs.size;
    for (const [tab, { at }] of this.#tabs) {
      if (Date.now() - at >= GONE) this.#tabs.delete(tab);
    }
    return this.#tabs.size < before;
  }

  wanted() {
    return [...this.#tabs.values()].flatMap(({ topics }) => topics);
  }

  clear() {
    this.#tabs.clear();
  }
}
