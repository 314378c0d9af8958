// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import assert from "node:assert/strict";
import { test } from "node:test";

import { placeIn } from "../marcador/place.js";

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

/** @param {Entry[]} entries @param {string} userId */
function told(entries, userId) {
  const me = placeIn(entries, userId, 10);
  return me && [me.rank, me.percentile, me.pointsToNext];
}

test("who is not among the rows has no place in them", () => {
  assert.equal(told(board([["a", 1, 9]]), "b"), null);
});

test("equal scores in the order in which they were reached", () => {
  const entries = board([
    ["a", 1, 9],
    ["b", 2, 7],
    ["c", 3, 7],
  ]);
  assert.deepEqual(told(entries, "a"), [1, 90, null]);
  assert.deepEqual(told(entries, "b"), [2, 80, 3]);
  assert.deepEqual(told(entries, "c"), [3, 70, 1]);
});

test("equal scores that share a rank", () => {
  const entries = board([
    ["a", 1, 9],
    ["b", 2, 7],
    ["c", 2, 7],
    ["d", 4, 5],
  ]);
  assert.deepEqual(told(entries, "b"), [2, 70, 2]);
  assert.deepEqual(told(entries, "c"), [2, 70, 2]);
  assert.deepEqual(told(entries, "d"), [4, 60, 2]);
});
