// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  browserPage,
  follow,
  given,
  prepare,
  send,
  settled,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { entry, frame, page, refuse, update } from "./service.js";

prepare();

/**
 * A page whose reader has that rank.
 * @param {string} userId
 * @param {number} rank
 * @param {import("node:http").ServerResponse} response
 */
function pageOf(userId, rank, response) {
  const me = { ...entry(rank, { userId }), percentile: 40, pointsToNext: 9 };
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(page(5, { me })));
}

test("a place below the rows is asked for at a random time, one request at a time", async () => {
  given.service.userId = "u150";
  const me = { ...entry(150), percentile: 25, pointsToNext: 11 };
  /** @type {(() => void)[]} */
  const answers = [];
  given.service.onPage = (_, response) => {
    answers.push(() => response.end(JSON.stringify(page(6, { entries: [entry(1)], me }))));
  };
  const board = follow();
  await untilVersion(board, 5);
  mock.timers.tick(0);
  await given.service.untilAsked("limit=1", 1);
  send(frame("leaderboard:updated", update(6), "e-6"));
  await untilVersion(board, 6);
  mock.timers.tick(10_000);
  assert.equal(given.service.asked("limit=1").length, 1);
  answers[0]();
  const got = await until(board, (snapshot) => snapshot.me !== null);
  assert.equal(got.me?.rank, 150);
  assert.equal(got.me?.isCurrentUser, true);
  assert.equal(got.entries.length, 3);
  // The update that came meanwhile asks again, after half of two seconds.
  await settled();
  mock.timers.tick(999);
  assert.equal(given.service.asked("limit=1").length, 1);
  mock.timers.tick(1);
  await given.service.untilAsked("limit=1", 2);
});

test("a place below the rows is asked for again while nothing is broadcast", async () => {
  given.service.userId = "u126";
  let rank = 126;
  given.service.onPage = (_, response) => pageOf("u126", rank, response);
  const board = follow({ getToken: async () => "t1" });
  await untilVersion(board, 5);
  mock.timers.tick(0);
  await until(board, ({ me }) => me?.rank === 126);
  rank = 121;
  await settled();
  mock.timers.tick(16_000);
  await until(board, ({ me }) => me?.rank === 121);
  assert.equal(given.service.asked("/v1/leaderboards").length, 2);
});

test("after a move of the user's own rank below the rows, the place is asked for at once", async () => {
  given.service.userId = "u126";
  let rank = 126;
  given.service.onPage = (_, response) => pageOf("u126", rank, response);
  const board = follow({ getToken: async () => "t1" });
  await untilVersion(board, 5);
  mock.timers.tick(0);
  await until(board, ({ me }) => me?.rank === 126);
  const move = {
    userId: "u126",
    board: "global",
    period: "all-time",
    oldRank: 126,
    pointsGained: 4,
  };
  rank = 121;
  send(
    frame("rank_changed", { ...move, newRank: 126 }) +
      frame("rank_changed", { ...move, newRank: 121 }, "e-6"),
  );
  while (given.service.asked("limit=1").length < 2) {
    await settled();
    mock.timers.tick(2_000);
  }
  await until(board, ({ me }) => me?.rank === 121);
  assert.equal(given.service.asked("limit=1").length, 2);
});

test("the option rows limits rows and requests, and a user below them still has a place", async () => {
  given.service.userId = "u3";
  const board = follow({ rows: 2 });
  const got = await untilVersion(board, 5);
  assert.deepEqual(
    got.entries.map((one) => one.userId),
    ["u1", "u2"],
  );
  assert.equal(got.me?.rank, 3);
  mock.timers.tick(20_000);
  assert.equal(given.service.requests.length, 1);
  await board.refresh();
  assert.equal(given.service.asked("limit=2").length, 1);
});

test("around reads the rows near the user's own", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const me = { ...entry(150), percentile: 25, pointsToNext: 11 };
  const entries = [entry(149), entry(150), entry(151)];
  given.service.onPage = (_, response) => response.end(JSON.stringify(page(5, { entries, me })));
  const got = await board.around(1);
  assert.equal(
    given.service.requests[1].url,
    "/v1/leaderboards/global?period=all-time&around=me&neighbours=1",
  );
  assert.deepEqual(
    got.entries.map((one) => one.rank),
    [149, 150, 151],
  );
  assert.equal(got.me?.rank, 150);
  given.service.onPage = (_, response) => response.end(JSON.stringify(page(5, { entries: 7 })));
  await assert.rejects(board.around(), { status: 0, code: "malformed" });
});

test("the place in a page wins over the one that the rows tell", async () => {
  given.service.userId = "u2";
  const board = follow();
  await untilVersion(board, 5);
  const me = { ...entry(2), isCurrentUser: true, percentile: 12.5, pointsToNext: 777 };
  given.service.onPage = (_, response) =>
    response.end(JSON.stringify(page(6, { me, ranks: "dense" })));
  await board.refresh();
  // A live stream is the newer source of rows, but the same version may be read.
  assert.equal(board.getSnapshot().me?.pointsToNext, 777);
});

test("read gives JSON with the board's token, or an error with status and code", async () => {
  const board = follow({ getToken: async () => "t1" });
  await untilVersion(board, 5);
  given.service.onPage = (_, response) => response.end('{"items":[1]}');
  assert.deepEqual(await board.read("/v1/users/u1/history"), { items: [1] });
  const { url, headers } = given.service.requests[1];
  assert.equal(url, "/v1/users/u1/history");
  assert.equal(headers.authorization, "Bearer t1");
  given.service.onPage = refuse(404, "not_found");
  await assert.rejects(board.read("/v1/nothing"), { status: 404, code: "not_found" });
  given.service.onPage = (_, response) => response.end("<html>");
  await assert.rejects(board.read("/v1/nothing"), { status: 0, code: "malformed" });
  for (const path of ["//evil.example/", "v1/nothing", "https://evil.example/"]) {
    await assert.rejects(board.read(path), TypeError);
  }
  board.close();
  await assert.rejects(board.read("/v1/nothing"), { status: 0, code: "closed" });
});

test("without a token: readonly at once, and the page is read every 15 s", async () => {
  const board = follow({ getToken: async () => null });
  const got = await untilVersion(board, 1);
  assert.equal(got.status, "readonly");
  assert.equal(got.error, null);
  assert.equal(given.service.asked("/v1/events").length, 0);
  assert.equal(given.service.requests[0].url, "/v1/leaderboards/global?period=all-time&limit=100");
  await settled();
  mock.timers.tick(15_000);
  await given.service.untilAsked("limit=100", 2);
  await board.refresh();
});

test("a page that can't be read says why", async () => {
  given.service.onPage = refuse(401, "unauthorized");
  const board = follow({ getToken: async () => "" });
  const { error, status } = await until(board, (snapshot) => snapshot.error !== null);
  assert.equal(status, "readonly");
  assert.deepEqual(error, { status: 401, code: "unauthorized", message: "unauthorized" });
});

test("a live board does not take an older page", async () => {
  const board = follow();
  const live = await untilVersion(board, 5);
  await board.refresh();
  assert.equal(board.getSnapshot(), live);
  given.service.onPage = (_, response) =>
    response.end(JSON.stringify(page(8, { totalEntries: 201 })));
  await board.refresh();
  assert.equal(board.getSnapshot().version, 8);
  assert.equal(board.getSnapshot().totalEntries, 201);
});

test("a hidden page does not poll, and wakes when it is seen", async (t) => {
  const { document } = browserPage(t);
  document.visibilityState = "hidden";
  const board = follow({ getToken: async () => null });
  await untilStatus(board, "readonly");
  mock.timers.tick(60_000);
  await settled();
  assert.equal(given.service.requests.length, 0);
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  await untilVersion(board, 1);
});
