// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Top } from "../client/check.js" */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as check from "../client/check.js";
import { changed, Gap, Received } from "../client/received.js";
import { entry } from "./service.js";

const TOP = 12;

/** Numbers that look random and are the same each time. @param {number} seed */
function dice(seed) {
  let state = seed;
  return (/** @type {number} */ sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** @typedef {"ordinal" | "competition" | "dense"} Ranks */

/**
 * A board's best, from everybody's points.
 * @param {Map<string, number>} points
 * @param {Ranks} ranks
 * @param {number} version
 * @returns {Top}
 */
function boardOf(points, ranks, version) {
  const order = [...points].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  /** @type {Entry[]} */
  const entries = [];
  for (const [i, [userId, score]] of order.entries()) {
    const last = entries.at(-1);
    const tied = ranks !== "ordinal" && last?.score === score;
    const next = ranks === "dense" ? (last?.rank ?? 0) + 1 : i + 1;
    const rank = tied && last !== undefined ? last.rank : next;
    const fields = { userId, username: userId, score, xp: score };
    entries.push(/** @type {Entry} */ (entry(rank, fields)));
  }
  const shown = entries.slice(0, TOP);
  return { entries: shown, totalEntries: points.size, version, lastUpdated: null };
}

/**
 * What the service says of two states: its `Since`, in another language.
 * @param {Top} from
 * @param {Top} to
 */
function since(from, to) {
  const rest = (/** @type {Entry} */ one) => JSON.stringify({ ...one, rank: 0 });
  const was = new Map(from.entries.map((one, i) => [one.userId, { one, i }]));
  const changes = [];
  let [tied, last] = [0, -1];
  for (const one of to.entries) {
    const { userId, rank } = one;
    const old = was.get(userId);
    was.delete(userId);
    if (old === undefined) {
      changes.push({ userId, oldRank: null, newRank: rank, entry: one });
    } else if (rest(old.one) !== rest(one)) {
      changes.push({ userId, oldRank: old.one.rank, newRank: rank, entry: one });
    } else if (old.one.rank !== rank || tied === rank || old.i < last) {
      changes.push({ userId, oldRank: old.one.rank, newRank: rank });
    } else {
      last = old.i;
      continue;
    }
    tied = rank;
  }
  for (const [userId, { one }] of was) changes.push({ userId, oldRank: one.rank, newRank: null });
  const { totalEntries, version, lastUpdated: timestamp } = to;
  const what = { type: "position_change", board: "global", period: "all-time" };
  return { ...what, from: from.version, version, changes, totalEntries, timestamp };
}

for (const ranks of /** @type {Ranks[]} */ (["ordinal", "competition", "dense"])) {
  test(`differences lead to the service's page, with ${ranks} ranks`, () => {
    const roll = dice(ranks.length);
    /** @type {Map<string, number>} */
    const points = new Map();
    const received = new Received();
    let now = boardOf(points, ranks, 0);
    received.put("k", now, "e-0");
    for (let version = 1; version <= 2_000; version++) {
      for (let i = roll(4); i >= 0; i--) {
        const user = `u${roll(20)}`;
        if (roll(12) === 0) points.delete(user);
        else points.set(user, roll(9));
      }
      const next = boardOf(points, ranks, version);
      const sent = JSON.parse(JSON.stringify(since(now, next)));
      received.apply("k", check.difference(sent, "global", "all-time"), `e-${version}`);
      assert.deepEqual(received.top("k"), next);
      now = next;
    }
  });
}

const three = boardOf(
  new Map([
    ["a", 9],
    ["b", 7],
    ["c", 5],
  ]),
  "ordinal",
  5,
);
const nothing = { from: 5, version: 6, changes: [], totalEntries: 3, lastUpdated: null };

/** @type {[string, Partial<check.Difference>][]} */
const gaps = [
  ["from another version", { from: 4 }],
  ["of one who is not where it says", { changes: [change("b", 3, 1)] }],
  ["of one who is not there", { changes: [change("d", 4, 1)] }],
  ["of a new one without a row", { changes: [change("d", null, 1)] }],
  ["to more rows than there are", { totalEntries: 2 }],
  ["to no rows of many", { changes: ["a", "b", "c"].map((id, i) => change(id, i + 1, null)) }],
];

/** @param {string} userId @param {number | null} oldRank @param {number | null} newRank */
function change(userId, oldRank, newRank) {
  return { userId, oldRank, newRank, entry: null };
}

for (const [name, fields] of gaps) {
  test(`a difference ${name} is a gap, and changes nothing`, () => {
    const received = new Received();
    received.put("k", three, "e-5");
    assert.throws(() => received.apply("k", { ...nothing, ...fields }, "e-6"), Gap);
    assert.equal(received.top("k"), three);
    assert.equal(received.id, "e-5");
  });
}

test("a difference before the first page is a gap", () => {
  assert.throws(() => changed(null, nothing), Gap);
});

test("a stream that goes on from an id begins at the state of that id", () => {
  const received = new Received();
  received.begin(["k"], false);
  received.put("k", three, "e-5");
  received.apply("k", nothing, "e-5");
  assert.equal(received.top("k")?.version, 6);
  assert.equal(received.settled, false);
  received.begin(["k"], true);
  assert.equal(received.top("k")?.version, 5);
  received.apply("k", nothing, "e-6.a_B~9");
  received.begin(["k"], true);
  assert.equal(received.top("k")?.version, 6);
  assert.equal(received.id, "e-6.a_B~9");
  assert.equal(received.epoch, "e");
  received.begin(["k"], false);
  assert.equal(received.top("k"), null);
  assert.equal(received.id, "");
  assert.equal(received.epoch, null);
});

test("a stream can go on from an id only with all boards of that id", () => {
  const received = new Received();
  const page = boardOf(new Map([["ana", 5]]), "ordinal", 7);
  received.begin(["a", "b"], false);
  received.put("a", page, "");
  received.put("b", page, "e-7");
  assert.equal(received.covers(["a", "b"]), true);
  assert.equal(received.covers(["a"]), false);
  assert.equal(received.covers(["a", "b", "c"]), false);
  assert.equal(received.covers(["a", "c"]), false);
});

test("a stream can go on from another tab's id only with all boards of that id", () => {
  const received = new Received();
  const page = boardOf(new Map([["ana", 5]]), "ordinal", 7);
  received.adopt("a", page, { id: "e-7", keys: ["a", "b"] });
  assert.equal(received.covers(["a"]), false);
  assert.equal(received.covers(["a", "b"]), false);
  received.adopt("b", page, { id: "e-7", keys: ["a", "b"] });
  assert.equal(received.covers(["a", "b"]), true);
  received.adopt("a", page, { id: "", keys: ["a"] });
  assert.equal(received.covers(["a", "b"]), true);
  received.adopt("a", page, { id: "e-8", keys: ["a"] });
  assert.equal(received.covers(["a"]), true);
});
