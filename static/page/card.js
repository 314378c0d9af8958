// @ts-check
/** @import { Board, Me, Snapshot } from "../marcador.d.ts" */

import { say } from "../view/dom.js";
import { badgeIcon } from "../view/drawing.js";
import { ownPlace } from "../view/own.js";
import { find } from "./find.js";
import { figure, voice, words } from "./words.js";

/** @typedef {{ minXp: number, name: string }} Badge */

/**
 * How long the card waits for a place, in milliseconds. A reader who is not on the board has none.
 */
const WAIT = 3_000;

/** The reader's rank and badge, and how far it is to the next badge. */
export class Card {
  #card = find("card");
  #rank = find("card-rank");
  #badge = find("card-badge");
  #line = find("card-line");
  #way = /** @type {HTMLProgressElement} */ (find("card-way"));
  #wayText = find("card-way-text");
  #shown = /** @type {Me | null} */ (null);
  #waiting = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  /** The service's badges, the lowest first. They are asked for once. */
  #badges = /** @type {Promise<Badge[]> | null} */ (null);

  /** @param {Board} board @param {Snapshot} snapshot */
  show(board, { me, userId, period }) {
    if (me === null) {
      if (this.#shown !== null || userId === null) this.#waitFor(userId !== null);
      else if (this.#waiting === undefined) this.#waitFor(true);
      this.#shown = null;
      return;
    }
    if (me === this.#shown) return;
    this.#shown = me;
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    this.#card.hidden = false;
    this.#card.classList.remove("waiting");
    this.#fill(board, me, period);
  }

  /**
   * Shows the card in stone for a while, or hides it.
   * @param {boolean} coming whether a place may still come
   */
  #waitFor(coming) {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    this.#card.hidden = !coming;
    this.#card.classList.toggle("waiting", coming);
    if (coming) this.#waiting = setTimeout(() => (this.#card.hidden = true), WAIT);
  }

  /** @param {Board} board @param {Me} me @param {string} period */
  async #fill(board, me, period) {
    const { rank, way, rest } = ownPlace(me, period, voice);
    say(this.#rank, rank);
    this.#badge.replaceChildren(badgeIcon(me.rankBadge) ?? "", me.rankBadge);
    // At the top there is no next place to go to.
    say(this.#line, me.rank !== null && me.pointsToNext === null ? way : rest);
    try {
      this.#badges ??= board.read("/v1/badges").then(badgesOf);
      const badges = await this.#badges;
      if (this.#shown === me) this.#showWay(me, badges);
    } catch {
      this.#badges = null; // the reader's next state asks again
    }
  }

  /** @param {Me} me @param {Badge[]} badges */
  #showWay({ xp }, badges) {
    const next = badges.find((one) => one.minXp > xp);
    const from = badges.findLast((one) => one.minXp <= xp)?.minXp ?? 0;
    if (next === undefined) {
      this.#way.value = 100;
      say(this.#wayText, words.topBadge);
      return;
    }
    this.#way.value = (100 * (xp - from)) / (next.minXp - from);
    say(this.#wayText, words.toBadge(next.minXp - xp, figure(next.minXp - xp), next.name));
  }
}

/** @param {unknown} answer of `GET /v1/badges` @returns {Badge[]} */
function badgesOf(answer) {
  const { badges } = /** @type {{ badges: Badge[] }} */ (answer);
  return [...badges].sort((one, other) => one.minXp - other.minXp);
}
