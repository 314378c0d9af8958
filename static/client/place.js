// @ts-check
/** @import { Entry, Me, Ranks } from "../marcador.d.ts" */

/**
 * The flagged row for each row. A row that has not changed is the same object as before, which
 * spares the view work.
 */
const flagged = /** @type {WeakMap<Entry, Entry>} */ (new WeakMap());

/**
 * The same rows, frozen, with `isCurrentUser` set for this user.
 * @param {readonly Entry[]} entries
 * @param {string | null} userId
 * @returns {readonly Entry[]}
 */
export function flagOwn(entries, userId) {
  return Object.freeze(
    entries.map((one) => {
      const isCurrentUser = one.userId === userId;
      let row = flagged.get(one);
      if (row?.isCurrentUser !== isCurrentUser) {
        row = Object.freeze({ ...one, isCurrentUser });
        flagged.set(one, row);
      }
      return row;
    }),
  );
}

/**
 * The user's own place, null if the rows don't tell it. Then a page has to be read.
 * @param {readonly Entry[]} entries from the top of the board
 * @param {string | null} userId
 * @param {number} totalEntries
 * @param {Ranks | null} ranks null until the service has said it
 * @returns {Me | null}
 */
export function placeIn(entries, userId, totalEntries, ranks) {
  const own = entries.find((one) => one.userId === userId);
  if (own === undefined || ranks === null) return null;
  const better = entries.findLast((one) => one.rank < own.rank);
  const behind = totalEntries - entries.filter((one) => one.rank <= own.rank).length;
  const shared = ranks !== "ordinal";
  // People below the rows may share the last row's rank.
  if (shared && behind > 0 && entries[entries.length - 1].rank === own.rank) return null;
  return Object.freeze({
    ...own,
    isCurrentUser: true,
    percentile: Math.round((1000 * behind) / totalEntries) / 10,
    // With ordinal ranks, the first to reach a score stays ahead, so a better place takes one point
    // more.
    pointsToNext: better === undefined ? null : better.score - own.score + (shared ? 0 : 1),
  });
}
