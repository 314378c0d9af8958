// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  follow,
  given,
  prepare,
  send,
  settled,
  statusesOf,
  until,
  untilVersion,
} from "./following.js";
import { authenticated, entry, frame, update } from "./service.js";

prepare();

/**
 * Data of `position_change`.
 * @param {number} from
 * @param {number} version
 * @param {Record<string, unknown>} [fields]
 */
function difference(from, version, fields = {}) {
  const what = { type: "position_change", board: "global", period: "all-time" };
  const timestamp = "2025-11-28T18:31:00.000Z";
  return { ...what, from, version, changes: [], totalEntries: 200, timestamp, ...fields };
}

/** u3 gains points and is first. @param {number} from @param {number} version */
const overtakes = (from, version) =>
  difference(from, version, {
    changes: [
      { userId: "u3", oldRank: 3, newRank: 1, entry: entry(1, { userId: "u3", score: 5000 }) },
      { userId: "u1", oldRank: 1, newRank: 2 },
      { userId: "u2", oldRank: 2, newRank: 3 },
    ],
  });

test("a difference changes its rows, and no other row", async () => {
  given.service.userId = "u2";
  const board = follow();
  await untilVersion(board, 5);
  send(frame("position_change", overtakes(5, 6), "e-6"));
  const got = await untilVersion(board, 6);
  assert.deepEqual(
    got.entries.map((one) => [one.rank, one.userId, one.score, one.isCurrentUser]),
    [
      [1, "u3", 5000, false],
      [2, "u1", 990, false],
      [3, "u2", 980, true],
    ],
  );
  assert.equal(got.me?.rank, 3);
  assert.equal(got.lastUpdated, "2025-11-28T18:31:00.000Z");
});

/** @type {[string, unknown][]} */
const wrong = [
  ["from another version", overtakes(4, 6)],
  [
    "of people with other ranks",
    difference(5, 6, { changes: [{ userId: "u9", oldRank: 1, newRank: 2 }] }),
  ],
];
for (const [name, data] of wrong) {
  test(`after a difference ${name}, a fresh page is asked for at once`, async () => {
    const board = follow();
    const before = await untilVersion(board, 5);
    const statuses = statusesOf(board);
    given.service.greeting = frame("leaderboard:updated", update(7), "e-7");
    send(frame("position_change", data, "e-6"));
    const after = await untilVersion(board, 7);
    assert.equal(after.entries, before.entries);
    assert.deepEqual(statuses, ["live"]);
    const [first, second] = given.service.asked("/v1/events");
    assert.equal(first.headers["last-event-id"], undefined);
    assert.equal(second.headers["last-event-id"], undefined);
    assert.equal(/** @type {any} */ (console.warn).mock.callCount(), 1);
  });
}

test("a difference that is malformed is ignored, and the stream goes on", async () => {
  const board = follow();
  await untilVersion(board, 5);
  for (const fields of [{ changes: "many" }, { board: "school:1" }, { from: "5" }]) {
    send(frame("position_change", { ...overtakes(5, 6), ...fields }));
  }
  send(frame("position_change", overtakes(5, 7), "e-7"));
  await untilVersion(board, 7);
  assert.equal(given.service.requests.length, 1);
  assert.equal(/** @type {any} */ (console.warn).mock.callCount(), 3);
});

test("if differences never fit, the stream is tried less and less often", async () => {
  given.service.greeting += frame("position_change", overtakes(3, 6), "e-6");
  const board = follow();
  await until(board, ({ error }) => error?.code === "gap");
  // At once, then after 1, 2, 4, 8 and 15 s, and every 15 s.
  for (const delay of [1, 2, 4, 8, 15, 15, 15]) {
    const before = given.service.requests.length;
    mock.timers.tick(delay * 1_000 - 1);
    await settled();
    assert.equal(given.service.requests.length, before);
    mock.timers.tick(1);
    await given.service.untilAsked("/v1/events", before + 1);
    await until(board, ({ status }) => status === "live");
    await until(board, ({ status }) => status === "stale");
  }
  assert.equal(board.getSnapshot().entries.length, 3);
});

test("after a break, the stream repeats events that came after the last id", async () => {
  const board = follow();
  await untilVersion(board, 5);
  // The own rank would have followed, with the id.
  send(frame("position_change", overtakes(5, 6)));
  const shown = await untilVersion(board, 6);
  given.service.onStream = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const hello = authenticated(null).replace('"recovered":false', '"recovered":true');
    response.write(hello + frame("position_change", overtakes(5, 7), "e-7"));
  };
  given.service.streams[0].destroy();
  await until(board, ({ status }) => status === "stale");
  mock.timers.tick(500);
  const got = await untilVersion(board, 7);
  assert.equal(given.service.asked("/v1/events")[1].headers["last-event-id"], "e-5");
  assert.equal(got.entries, shown.entries);
});

test("a page that is newer than the stream stays until the stream is newer", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const {
    leaderboard: entries,
    timestamp: lastUpdated,
    ...rest
  } = update(7, { totalEntries: 300 });
  given.service.onPage = (_, response) =>
    response.end(JSON.stringify({ ...rest, entries, lastUpdated, type: "global", me: null }));
  await board.refresh();
  send(frame("position_change", overtakes(5, 6), "e-6") + frame("ping", {}));
  send(frame("rank_changed", "nonsense"));
  while (/** @type {any} */ (console.warn).mock.callCount() === 0) await settled();
  assert.equal(board.getSnapshot().version, 7);
  assert.equal(board.getSnapshot().totalEntries, 300);
  send(frame("position_change", difference(6, 8), "e-8"));
  const got = await untilVersion(board, 8);
  assert.equal(got.entries[0].userId, "u3");
});
