// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { follow, given, prepare, send, settled, until, untilVersion } from "./following.js";
import { entry, frame, update } from "./service.js";

prepare();

test("a stream with a token brings the board, the reader's row and place", async () => {
  given.service.userId = "u2";
  const board = follow({ getToken: async () => "t1" });
  assert.equal(board.getSnapshot().status, "connecting");
  assert.equal(board.getSnapshot().version, null);
  const got = await untilVersion(board, 5);
  assert.equal(got.status, "live");
  assert.equal(got.userId, "u2");
  assert.deepEqual(
    got.entries.map((one) => one.isCurrentUser),
    [false, true, false],
  );
  assert.equal(got.me?.rank, 2);
  assert.equal(got.me?.percentile, 99);
  assert.equal(got.me?.pointsToNext, 11);
  assert.equal(got.lastUpdated, "2025-11-28T18:30:00.000Z");
  const [{ url, headers }] = given.service.requests;
  assert.equal(url, "/v1/events?board=global&period=all-time&mode=diff");
  assert.equal(headers.authorization, "Bearer t1");
  assert.equal(headers["last-event-id"], undefined);
  assert.equal(given.service.requests.length, 1);
});

test("a snapshot is frozen, and there is a new one only after a change", async () => {
  const board = follow();
  const first = await untilVersion(board, 5);
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.entries[0]));
  let calls = 0;
  board.subscribe(() => calls++);
  send(frame("leaderboard:updated", update(5), "e-5") + frame("ping", {}));
  send(frame("leaderboard:updated", update(6), "e-6"));
  const second = await untilVersion(board, 6);
  assert.equal(calls, 1);
  assert.notEqual(second, first);
  assert.equal(second.entries, first.entries);
});

test("at the top there is no next place", async () => {
  given.service.userId = "u1";
  const { me } = await untilVersion(follow(), 5);
  assert.equal(me?.pointsToNext, null);
});

test("a move of the user's own rank is told until the listener is removed", async () => {
  given.service.userId = "u2";
  const board = follow();
  await untilVersion(board, 5);
  /** @type {unknown[]} */
  const told = [];
  const off = board.on("rank_changed", (move) => told.push(move));
  const fields = { board: "global", period: "all-time", oldRank: 3, newRank: 2, pointsGained: 7 };
  const move = { userId: "u2", ...fields };
  send(frame("rank_changed", move) + frame("rank_changed", { ...move, userId: "u3" }));
  send(frame("rank_changed", { ...move, oldRank: "3" }));
  send(frame("rank_changed", { ...move, oldRank: null }, "e-6"));
  send(frame("leaderboard:updated", update(6), "e-6"));
  await untilVersion(board, 6);
  assert.deepEqual(told, [move, { ...move, oldRank: null }]);
  off();
  send(frame("rank_changed", move) + frame("leaderboard:updated", update(7), "e-7"));
  await untilVersion(board, 7);
  assert.equal(told.length, 2);
  assert.throws(() => board.on(/** @type {any} */ ("ping"), () => {}), /give "rank_changed"/);
});

test("empty and malformed events are warned about and ignored", async () => {
  const board = follow();
  const before = await untilVersion(board, 5);
  for (const data of ["", "{", "null", "[]", "{}", JSON.stringify(update(9, { version: -1 }))]) {
    send(frame("leaderboard:updated", data));
  }
  send(
    frame("error", "nonsense") +
      frame("goodbye", { reason: "shutdown" }) +
      frame("authenticated", "{}"),
  );
  send(frame("rank_changed", { userId: "u1", board: "global", period: "all-time", newRank: 0 }));
  send(frame("leaderboard:updated", update(6), "e-6"));
  const after = await untilVersion(board, 6);
  assert.equal(after.entries, before.entries);
  assert.equal(after.status, "live");
  assert.equal(/** @type {any} */ (console.warn).mock.callCount(), 10);
});

test("a version does not go back, except in another epoch", async () => {
  const board = follow();
  await untilVersion(board, 5);
  send(frame("leaderboard:updated", update(4, { totalEntries: 7 }), "e-4"));
  send(frame("leaderboard:updated", update(2), "f-2"));
  const got = await until(board, (snapshot) => snapshot.version !== 5);
  assert.equal(got.version, 2);
  assert.equal(got.totalEntries, 200);
});

test("close ends the stream and every timer", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const closed = new Promise((resolve) => given.service.streams[0].on("close", resolve));
  let calls = 0;
  board.subscribe(() => calls++);
  board.close();
  await closed;
  board.retry();
  await board.refresh();
  mock.timers.tick(600_000);
  await settled();
  assert.equal(calls, 0);
  assert.equal(given.service.requests.length, 1);
  assert.equal(board.getSnapshot().version, 5);
});

test("there are as many rows as the stream brings, or as the option says", async () => {
  const many = Array.from({ length: 150 }, (_, index) => entry(index + 1));
  given.service.greeting = frame("leaderboard:updated", update(5, { leaderboard: many }), "e-5");
  const all = await untilVersion(follow(), 5);
  assert.equal(all.entries.length, 150);
  const few = follow({ rows: 2 });
  assert.equal((await untilVersion(few, 5)).entries.length, 2);
  await few.refresh();
  assert.equal(given.service.asked("limit=2").length, 1);
});

test("refresh asks for as many rows as the stream has brought", async () => {
  const many = Array.from({ length: 150 }, (_, index) => entry(index + 1));
  given.service.greeting = frame("leaderboard:updated", update(5, { leaderboard: many }), "e-5");
  const board = follow();
  await untilVersion(board, 5);
  await board.refresh();
  assert.equal(given.service.asked("limit=150").length, 1);
});
