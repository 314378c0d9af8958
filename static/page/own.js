// @ts-check
/** @import { Snapshot } from "../marcador.d.ts" */
/** @import { Rows } from "./rows.js" */

import { figure, percent, words } from "./words.js";

/** The reader's own place, docked at the bottom edge while their row is not in view. */
export class Own {
  #dock;
  #rank;
  #next;
  #line;
  #show;
  #rows;
  #row = /** @type {HTMLElement | null} */ (null);
  #known = false;
  #observer;

  /** @param {(id: string) => HTMLElement} find @param {Rows} rows */
  constructor(find, rows) {
    this.#rows = rows;
    this.#dock = find("me");
    this.#rank = find("me-rank");
    this.#next = find("me-next");
    this.#line = find("me-line");
    this.#show = find("me-show");
    this.#show.addEventListener("click", () => {
      this.#row?.scrollIntoView({ block: "center", behavior: "smooth" });
    });
    // A row behind the header or right at the edge is not in view.
    this.#observer = new IntersectionObserver(
      (seen) => this.#place(seen[seen.length - 1]?.isIntersecting ?? false),
      { rootMargin: "-112px 0px -8px 0px", threshold: 0.9 },
    );
  }

  /** @param {Snapshot} snapshot */
  show({ me }) {
    this.#known = me !== null;
    if (me === null) {
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
    this.#watch(this.#rows.find(me.userId));
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
