// @ts-check
/** @import { Board, Me, Snapshot } from "../marcador.d.ts" */

import { say } from "../view/cells.js";
import { badgeMark } from "../view/drawing.js";
import { find } from "./find.js";
import { figure, percent, without, words } from "./words.js";

/** @typedef {{ minXp: number, name: string }} Badge */

/** How long a place is waited for, in milliseconds: a reader who is not on the board has none. */
const WAIT = 3_000;

/** What the reader has come to: rank, badge, and the way to the next one. */
export class Card {
  #card = find("card");
  #rank = find("card-rank");
  #badge = find("card-badge");
  #line = find("card-line");
  #way = /** @type {HTMLProgressElement} */ (find("card-way"));
  #wayText = find("card-way-text");
  #shown = /** @type {Me | null} */ (null);
  #waiting = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  /** Lowest first; asked for once. */
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

  /** Keeps the room for a while, of stone. @param {boolean} coming */
  #waitFor(coming) {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    this.#card.hidden = !coming;
    this.#card.classList.toggle("waiting", coming);
    if (coming) this.#waiting = setTimeout(() => (this.#card.hidden = true), WAIT);
  }

  /** @param {Board} board @param {Me} me @param {string} period */
  async #fill(board, me, period) {
    say(this.#rank, me.rank === null ? "–" : figure(me.rank));
    this.#badge.replaceChildren(badgeMark(me.rankBadge) ?? "", me.rankBadge);
    say(this.#line, lineOf(me, period));
    try {
      this.#badges ??= board.read("/v1/badges").then(badgesOf);
      const badges = await this.#badges;
      if (this.#shown === me) this.#showWay(me, badges);
    } catch {
      this.#badges = null; // the next state of the reader asks again
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

/** @param {Me} me @param {string} period */
function lineOf(me, period) {
  if (me.rank === null) return without(period, me).enter;
  return me.pointsToNext === null ? words.first : words.ahead(percent(me.percentile));
}

/** @param {unknown} answer of `GET /v1/badges` @returns {Badge[]} */
function badgesOf(answer) {
  const { badges } = /** @type {{ badges: Badge[] }} */ (answer);
  return [...badges].sort((one, other) => one.minXp - other.minXp);
}
