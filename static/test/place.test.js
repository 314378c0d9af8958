// @ts-check
/** @import { Entry, Ranks } from "../marcador.d.ts" */

import assert from "node:assert/strict";
import { test } from "node:test";

import { placeIn } from "../client/place.js";

/** @param {[id: string, rank: number, score: number][]} rows @returns {Entry[]} */
function board(rows) {
  return rows.map(([userId, rank, score]) => ({
    rank,
    userId,
    username: userId,
    avatar: "",
    rankBadge: "Ajaw",
    score,
    xp: score,
    mlCoins: 0,
    change: 0,
    changeType: "same",
    isCurrentUser: false,
  }));
}

/**
 * @param {Entry[]} entries
 * @param {string} userId
 * @param {Ranks | null} ranks
 * @param {number} [total]
 */
function told(entries, userId, ranks, total = 10) {
  const me = placeIn(entries, userId, total, ranks);
  return me && [me.rank, me.percentile, me.pointsToNext];
}

test("a user below the rows has no place in them", () => {
  assert.equal(told(board([["a", 1, 9]]), "b", "ordinal"), null);
});

test("without knowing how equal scores are numbered, there is no place", () => {
  const entries = board([
    ["a", 1, 100],
    ["b", 2, 60],
  ]);
  assert.equal(told(entries, "b", null), null);
  assert.deepEqual(told(entries, "b", "ordinal", 2), [2, 0, 41]);
  assert.deepEqual(told(entries, "b", "competition", 2), [2, 0, 40]);
  assert.deepEqual(told(entries, "b", "dense", 2), [2, 0, 40]);
});

test("ordinal ranks: equal scores are in the order in which they were reached", () => {
  const entries = board([
    ["a", 1, 9],
    ["b", 2, 7],
    ["c", 3, 7],
  ]);
  assert.deepEqual(told(entries, "a", "ordinal"), [1, 90, null]);
  assert.deepEqual(told(entries, "b", "ordinal"), [2, 80, 3]);
  assert.deepEqual(told(entries, "c", "ordinal"), [3, 70, 1]);
});

test("other ranks: equal scores share a rank", () => {
  const entries = board([
    ["a", 1, 9],
    ["b", 2, 7],
    ["c", 2, 7],
    ["d", 4, 5],
  ]);
  assert.deepEqual(told(entries, "b", "competition"), [2, 70, 2]);
  assert.deepEqual(told(entries, "c", "competition"), [2, 70, 2]);
  assert.deepEqual(told(entries, "d", "competition", 4), [4, 0, 2]);
  // People below the rows may share the last row's rank.
  assert.equal(told(entries, "d", "competition", 10), null);
});
