// @ts-check
/** @import { Entry, Me, Ranks } from "../marcador.d.ts" */

/** What came of a row the last time: the same object again tells whoever draws it that nothing is new. */
const marked = /** @type {WeakMap<Entry, Entry>} */ (new WeakMap());

/**
 * The same rows, frozen, with `isCurrentUser` said for this user.
 * @param {readonly Entry[]} entries
 * @param {string | null} userId
 * @returns {readonly Entry[]}
 */
export function mark(entries, userId) {
  return Object.freeze(
    entries.map((one) => {
      const isCurrentUser = one.userId === userId;
      let row = marked.get(one);
      if (row?.isCurrentUser !== isCurrentUser) {
        row = Object.freeze({ ...one, isCurrentUser });
        marked.set(one, row);
      }
      return row;
    }),
  );
}

/**
 * The user's own place, null where the rows can't tell it: the page of the service does.
 * @param {readonly Entry[]} entries from the top of the board
 * @param {string | null} userId
 * @param {number} totalEntries
 * @param {Ranks | null} ranks null where the service has not said it yet
 * @returns {Me | null}
 */
export function placeIn(entries, userId, totalEntries, ranks) {
  const own = entries.find((one) => one.userId === userId);
  if (own === undefined || ranks === null) return null;
  const better = entries.findLast((one) => one.rank < own.rank);
  const behind = totalEntries - entries.filter((one) => one.rank <= own.rank).length;
  const shared = ranks !== "ordinal";
  // The last rank may go on below the rows.
  if (shared && behind > 0 && entries[entries.length - 1].rank === own.rank) return null;
  return Object.freeze({
    ...own,
    isCurrentUser: true,
    percentile: Math.round((1000 * behind) / totalEntries) / 10,
    // Where equal scores do not share a rank, who reached them first goes in front, so that a better
    // one takes one point more.
    pointsToNext: better === undefined ? null : better.score - own.score + (shared ? 0 : 1),
  });
}
