// @ts-check
/** @import { Me } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

/**
 * What the reader is told of their own place.
 * @typedef {object} OwnPlace
 * @property {string} rank "–" without points in the period
 * @property {string} score "–" without points in the period
 * @property {string} way how far it is to the next place, or that there are no points yet
 * @property {string} rest what part of the board is behind, or how many points lead to which place
 */

/** @param {Me} me @param {string} period @param {Voice} voice @returns {OwnPlace} */
export function ownPlace(me, period, { words, figure, percent, without }) {
  if (me.rank === null) {
    const { none, enter } = without(period, me);
    return { rank: "–", score: "–", way: none, rest: enter };
  }
  const { pointsToNext: more } = me;
  return {
    rank: figure(me.rank),
    score: figure(me.score),
    way: more === null ? words.first : words.toNext(more, figure(more)),
    rest: words.ahead(percent(me.percentile)),
  };
}
