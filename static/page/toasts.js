// @ts-check
/** @import { Me } from "../marcador.d.ts" */

import { badgeIcon } from "../view/drawing.js";
import { find } from "./find.js";
import { figure, ordinal, words } from "./words.js";

const TOAST = 4_000;
const WON = 7_000;

/** Messages to the reader alone, above the bottom edge. */
export class Toasts {
  #toast = find("toast");
  #won = find("won");
  #hiding = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #ending = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  /** The place that was told last. Two sources tell the same move, and it is shown once. */
  #place = /** @type {number | null} */ (null);
  #had = /** @type {{ userId: string, rankBadge: string, xp: number } | null} */ (null);

  /** @param {string} text "" for none */
  say(text) {
    clearTimeout(this.#hiding);
    this.#toast.classList.toggle("shown", text !== "");
    if (text === "") return;
    this.#toast.textContent = text;
    this.#hiding = setTimeout(() => this.#toast.classList.remove("shown"), TOAST);
  }

  /** The reader's rank has moved. @param {number | null} oldRank @param {number | null} newRank */
  moved(oldRank, newRank) {
    if (newRank === null || newRank === this.#place || newRank === oldRank) return;
    this.#place = newRank;
    const rose = oldRank === null || newRank < oldRank;
    this.say(rose ? words.rose(ordinal(newRank)) : words.fell(ordinal(newRank)));
  }

  /**
   * The reader has completed an exercise.
   * @param {number} points
   * @param {number | null} oldRank on the global board
   * @param {number | null} newRank
   */
  gained(points, oldRank, newRank) {
    const gained = `+${figure(points)} XP`;
    const rose = newRank !== null && (oldRank === null || newRank < oldRank);
    if (rose) this.#place = newRank;
    this.say(rose ? `${gained} · ${words.rose(ordinal(newRank))}` : gained);
  }

  /** Celebrates a badge that the reader did not have before. @param {Me | null} me */
  follow(me) {
    if (me === null) return;
    const { userId, rankBadge, xp, username } = me;
    const had = this.#had;
    this.#had = { userId, rankBadge, xp };
    if (had === null || had.userId !== userId) return;
    if (had.rankBadge !== rankBadge && xp > had.xp) this.#celebrate(rankBadge, username);
  }

  /** Forgets the place on a board that is no longer shown. */
  leave() {
    this.#place = null;
  }

  /** Forgets the reader. */
  reset() {
    this.#had = null;
    this.leave();
    this.#won.replaceChildren();
    this.say("");
  }

  /** @param {string} badge @param {string} name */
  #celebrate(badge, name) {
    const text = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = badge;
    text.append(words.newBadge, strong, name);
    const icon = badgeIcon(badge, true);
    for (const [nth, step] of [...(icon?.children ?? [])].entries()) {
      /** @type {SVGElement} */ (step).style.setProperty("--nth", String(nth));
    }
    this.#won.replaceChildren(icon ?? "", text);
    clearTimeout(this.#ending);
    this.#ending = setTimeout(() => this.#won.replaceChildren(), WON);
  }
}
