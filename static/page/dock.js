// @ts-check
/** @import { Snapshot } from "../marcador.d.ts" */

import { say } from "../view/dom.js";
import { still } from "../view/motion.js";
import { ownPlace } from "../view/own.js";
import { find } from "./find.js";
import { figure, voice, words } from "./words.js";

/** The reader's own place, docked at the bottom edge while the reader's row is not in view. */
export class Dock {
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
    // A row behind the header or at the very edge is not in view.
    this.#observer = new IntersectionObserver(
      (seen) => this.#toggle(seen[seen.length - 1]?.isIntersecting ?? false),
      { rootMargin: "-112px 0px -8px 0px", threshold: 0.9 },
    );
  }

  /** @param {Snapshot} snapshot */
  show({ me, period }) {
    this.#known = me !== null;
    if (me !== null) {
      const { rank, way, rest } = ownPlace(me, period, voice);
      say(this.#rank, rank);
      say(this.#next, way);
      const line = me.rank === null ? rest : `${rest} · ${words.score(me.score, figure(me.score))}`;
      say(this.#line, line);
    }
    this.#watch(me === null || me.rank === null ? null : this.#rowOf(me.userId));
  }

  /** @param {HTMLElement | null} row */
  #watch(row) {
    this.#show.hidden = row === null;
    if (row !== null && row === this.#row) return;
    this.#observer.disconnect();
    this.#row = row;
    if (row === null) this.#toggle(false);
    else this.#observer.observe(row);
  }

  /** @param {boolean} rowInView */
  #toggle(rowInView) {
    this.#dock.hidden = !this.#known || rowInView;
    document.body.classList.toggle("docked", this.#known);
  }
}
