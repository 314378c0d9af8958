// @ts-check
/** @import { Snapshot } from "../marcador.d.ts" */

import { say } from "../view/cells.js";
import { still } from "../view/motion.js";
import { find } from "./find.js";
import { figure, percent, without, words } from "./words.js";

/** The reader's own place, docked at the bottom edge while their row is not in view. */
export class Own {
  #dock = find("me");
  #rank = find("me-rank");
  #next = find("me-next");
  #line = find("me-line");
  #show = find("me-show");
  #rowOf;
  #row = /** @type {HTMLElement | null} */ (null);
  #known = false;
  #observer;

  /** @param {(userId: string) => HTMLElement | null} rowOf finds a user's row on the page */
  constructor(rowOf) {
    this.#rowOf = rowOf;
    this.#show.addEventListener("click", () => {
      const behavior = still() ? "auto" : "smooth";
      this.#row?.scrollIntoView({ block: "center", behavior });
    });
    // A row behind the header or right at the edge is not in view.
    this.#observer = new IntersectionObserver(
      (seen) => this.#place(seen[seen.length - 1]?.isIntersecting ?? false),
      { rootMargin: "-112px 0px -8px 0px", threshold: 0.9 },
    );
  }

  /** @param {Snapshot} snapshot */
  show({ me, period }) {
    this.#known = me !== null;
    if (me === null) {
      this.#watch(null);
      return;
    }
    if (me.rank === null) {
      const { none, enter } = without(period, me);
      say(this.#rank, "–");
      say(this.#next, none);
      say(this.#line, enter);
      this.#watch(null);
      return;
    }
    this.#rank.textContent = figure(me.rank);
    this.#next.textContent =
      me.pointsToNext === null
        ? words.first
        : words.toNext(me.pointsToNext, figure(me.pointsToNext));
    const score = words.score(me.score, figure(me.score));
    this.#line.textContent = `${words.ahead(percent(me.percentile))} · ${score}`;
    this.#watch(this.#rowOf(me.userId));
  }

  /** @param {HTMLElement | null} row */
  #watch(row) {
    this.#show.hidden = row === null;
    if (row !== null && row === this.#row) return;
    this.#observer.disconnect();
    this.#row = row;
    if (row === null) this.#place(false);
    else this.#observer.observe(row);
  }

  /** @param {boolean} rowInView */
  #place(rowInView) {
    this.#dock.hidden = !this.#known || rowInView;
    document.body.classList.toggle("docked", this.#known);
  }
}
