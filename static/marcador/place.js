// @ts-check
/** @import { Entry, Me } from "../marcador.d.ts" */

/**
 * The same rows, frozen, with `isCurrentUser` said for this user.
 * @param {readonly Entry[]} entries
 * @param {string | null} userId
 * @returns {readonly Entry[]}
 */
export function mark(entries, userId) {
  return Object.freeze(
    entries.map((one) => Object.freeze({ ...one, isCurrentUser: one.userId === userId })),
  );
}

/**
 * The user's own place as far as the rows can tell it, null where the user is not among them.
 * @param {readonly Entry[]} entries from the top of the board
 * @param {string | null} userId
 * @param {number} totalEntries
 * @returns {Me | null}
 */
export function placeIn(entries, userId, totalEntries) {
  const index = entries.findIndex((one) => one.userId === userId);
  if (index < 0) return null;
  const own = entries[index];
  const above = index > 0 ? entries[index - 1] : null;
  return Object.freeze({
    ...own,
    isCurrentUser: true,
    percentile: Math.round((1000 * (totalEntries - own.rank)) / totalEntries) / 10,
    // Equal scores go to who reached them first, so the next place takes one point more.
    pointsToNext: above === null ? null : above.score - own.score + 1,
  });
}
