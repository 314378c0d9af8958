// @ts-check

import assert from "node:assert/strict";
import { test } from "node:test";
import * as check from "../client/check.js";
import { speak } from "../view/words.js";
import { entry, page, update } from "./service.js";

/** @param {unknown} data */
const read = (data) => check.update(data, "global", "all-time");

test("a correct update and page pass", () => {
  assert.equal(read(update(7)).version, 7);
  assert.equal(read(update(7, { leaderboard: [], totalEntries: 0 })).entries.length, 0);
  assert.equal(read(update(7, { timestamp: null })).lastUpdated, null);
  const me = { ...entry(150), percentile: 25, pointsToNext: 11 };
  const got = check.page(page(7, { me }), "global", "all-time");
  assert.deepEqual(got.me, { ...me, isCurrentUser: true });
});

test("a reader without points is told how many lead to which place", () => {
  /** @param {Record<string, unknown>} fields */
  const meOf = (fields) => {
    const me = { ...entry(1), rank: null, score: null, percentile: 0, pointsToNext: 51, ...fields };
    return check.page(page(7, { me }), "global", "all-time").me;
  };
  const me = meOf({ nextRank: 6 });
  assert.deepEqual(me, {
    ...entry(1),
    rank: null,
    score: null,
    isCurrentUser: true,
    percentile: 0,
    pointsToNext: 51,
    nextRank: 6,
  });
  assert.equal(meOf({ pointsToNext: null, nextRank: null })?.pointsToNext, null);
  assert.throws(() => meOf({}), /nextRank/);
  assert.throws(() => meOf({ nextRank: 0 }), /nextRank/);
  const { none, enter } = speak(["es-MX"]).without("daily", /** @type {any} */ (me));
  assert.equal(`${none} ${enter}`, "Aún no tienes puntos hoy. Con 51 entras en 6.º");
  const english = speak(["en"]).without("weekly", /** @type {any} */ (meOf({ nextRank: 22 })));
  assert.equal(english.enter, "51 points take you to 22nd place");
});

test("a page says how equal scores are numbered", () => {
  /** @param {unknown} [ranks] */
  const ranksOf = (ranks) => check.page({ ...page(7), ranks }, "global", "all-time").ranks;
  assert.equal(ranksOf("dense"), "dense");
  assert.equal(ranksOf(), "ordinal"); // of a service that does not say it
  assert.throws(() => ranksOf("olympic"), TypeError);
});

test("a follower learns from the leader how equal scores are numbered", () => {
  const live = { status: "live", userId: "u1", error: null };
  const [[, told], [, before]] = check.states([
    ["a", { ...live, ranks: "dense" }],
    ["b", live],
  ]);
  assert.equal(told.ranks, "dense");
  assert.equal(before.ranks, undefined);
});

test("unknown fields are dropped", () => {
  const { entries } = read(update(7, { leaderboard: [entry(1, { secret: "x" })] }));
  assert.deepEqual(entries, [entry(1)]);
});

/** @type {[string, unknown][]} */
const wrong = [
  ["rank", 0],
  ["rank", 1.5],
  ["rank", "1"],
  ["userId", ""],
  ["userId", 7],
  ["username", null],
  ["avatar", undefined],
  ["rankBadge", 3],
  ["score", "15000"],
  ["score", Number.NaN],
  ["xp", null],
  ["mlCoins", 1e300],
  ["change", -1],
  ["changeType", "sideways"],
  ["isCurrentUser", "false"],
];
for (const [field, value] of wrong) {
  test(`an entry whose ${field} is ${JSON.stringify(value) ?? value} is refused`, () => {
    const leaderboard = [entry(1, { [field]: value }), entry(2)];
    assert.throws(() => read(update(7, { leaderboard })), TypeError);
  });
}

/** @type {[string, unknown][]} */
const malformed = [
  ["null", null],
  ["a list", []],
  ["nothing", {}],
  ["no rows of many", update(7, { leaderboard: [] })],
  ["more rows than there are", update(7, { totalEntries: 2 })],
  ["a user twice", update(7, { leaderboard: [entry(1), entry(2, { userId: "u1" })] })],
  ["another board", update(7, { board: "school:42" })],
  ["another period", update(7, { period: "daily" })],
  ["a time that is none", update(7, { timestamp: "yesterday" })],
  ["a version that is none", update(7, { version: "7" })],
];
for (const [name, data] of malformed) {
  test(`an update with ${name} is refused`, () => {
    assert.throws(() => read(data), TypeError);
  });
}
