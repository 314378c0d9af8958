// @ts-check

import assert from "node:assert/strict";
import { afterEach, before, beforeEach, mock, test } from "node:test";
import { connect } from "../marcador.js";
import { authenticated, entry, frame, page, refuse, Service, update } from "./service.js";

/** @typedef {import("../marcador.js").Board} Board */
/** @typedef {import("../marcador.js").Snapshot} Snapshot */

let service = new Service();
/** @type {Board[]} */
const boards = [];

// Once for all tests: what fetch keeps running from one to the next does not outlive a change of clocks.
before(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

beforeEach(async () => {
  service = new Service();
  service.greeting = frame("leaderboard:updated", update(5), "e-5");
  await service.listen();
  mock.method(Math, "random", () => 0.5);
  mock.method(console, "warn", () => {});
});

afterEach(async () => {
  for (const board of boards.splice(0)) board.close();
  mock.restoreAll();
  await service.close();
});

/** @param {import("../marcador.js").ConnectOptions} [options] */
function follow(options = {}) {
  const board = connect({ baseUrl: service.baseUrl, ...options });
  boards.push(board);
  return board;
}

/** @param {Board} board @param {(snapshot: Snapshot) => boolean} holds @returns {Promise<Snapshot>} */
function until(board, holds) {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds(board.getSnapshot())) return;
      unsubscribe();
      resolve(board.getSnapshot());
    };
    const unsubscribe = board.subscribe(look);
    look();
  });
}

/** @param {Board} board @param {import("../marcador.js").Status} status */
const untilStatus = (board, status) => until(board, (snapshot) => snapshot.status === status);

/** @param {Board} board @param {number} version */
const untilVersion = (board, version) => until(board, (snapshot) => snapshot.version === version);

/** @param {string} text */
const send = (text) => service.streams[0].write(text);

/** A page whose reader has that rank. @param {string} userId @param {number} rank @param {import("node:http").ServerResponse} response */
function pageOf(userId, rank, response) {
  const me = { ...entry(rank, { userId }), percentile: 40, pointsToNext: 9 };
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(page(5, { me })));
}

test("a stream with a token: live, marked, placed", async () => {
  service.userId = "u2";
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
  const [{ url, headers }] = service.requests;
  assert.equal(url, "/v1/events?board=global&period=all-time&mode=diff");
  assert.equal(headers.authorization, "Bearer t1");
  assert.equal(headers["last-event-id"], undefined);
  assert.equal(service.requests.length, 1);
});

test("a snapshot is frozen, and a new one only where something changed", async () => {
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
  service.userId = "u1";
  const { me } = await untilVersion(follow(), 5);
  assert.equal(me?.pointsToNext, null);
});

test("a place outside the rows is asked for, spread, one request at a time", async () => {
  service.userId = "u150";
  const me = { ...entry(150), percentile: 25, pointsToNext: 11 };
  /** @type {(() => void)[]} */
  const held = [];
  service.onPage = (_, response) => {
    held.push(() => response.end(JSON.stringify(page(6, { entries: [entry(1)], me }))));
  };
  const board = follow();
  await untilVersion(board, 5);
  mock.timers.tick(0);
  await service.untilAsked("limit=1", 1);
  send(frame("leaderboard:updated", update(6), "e-6"));
  await untilVersion(board, 6);
  mock.timers.tick(10_000);
  assert.equal(service.asked("limit=1").length, 1);
  held[0]();
  const got = await until(board, (snapshot) => snapshot.me !== null);
  assert.equal(got.me?.rank, 150);
  assert.equal(got.me?.isCurrentUser, true);
  assert.equal(got.entries.length, 3);
  // The update that came meanwhile asks again, half of two seconds later.
  await new Promise((resolve) => setImmediate(resolve));
  mock.timers.tick(999);
  assert.equal(service.asked("limit=1").length, 1);
  mock.timers.tick(1);
  await service.untilAsked("limit=1", 2);
});

test("a place outside the rows is asked for again while nothing is broadcast", async () => {
  service.userId = "u126";
  let rank = 126;
  service.onPage = (_, response) => pageOf("u126", rank, response);
  const board = follow({ getToken: async () => "t1" });
  await untilVersion(board, 5);
  mock.timers.tick(0);
  await until(board, ({ me }) => me?.rank === 126);
  rank = 121;
  await new Promise((resolve) => setImmediate(resolve));
  mock.timers.tick(16_000);
  await until(board, ({ me }) => me?.rank === 121);
  assert.equal(service.asked("/v1/leaderboards").length, 2);
});

test("a move of the user's own rank outside the rows is asked about at once", async () => {
  service.userId = "u126";
  let rank = 126;
  service.onPage = (_, response) => pageOf("u126", rank, response);
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
  while (service.asked("limit=1").length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(2_000);
  }
  await until(board, ({ me }) => me?.rank === 121);
  assert.equal(service.asked("limit=1").length, 2);
});

test("a move of the user's own rank is told, until it is no longer asked for", async () => {
  service.userId = "u2";
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

test("rows: so many are kept and asked for, and who stands below has a place all the same", async () => {
  service.userId = "u3";
  const board = follow({ rows: 2 });
  const got = await untilVersion(board, 5);
  assert.deepEqual(
    got.entries.map((one) => one.userId),
    ["u1", "u2"],
  );
  assert.equal(got.me?.rank, 3);
  mock.timers.tick(20_000);
  assert.equal(service.requests.length, 1);
  await board.refresh();
  assert.equal(service.asked("limit=2").length, 1);
});

test("around reads the rows near the user's own", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const me = { ...entry(150), percentile: 25, pointsToNext: 11 };
  const entries = [entry(149), entry(150), entry(151)];
  service.onPage = (_, response) => response.end(JSON.stringify(page(5, { entries, me })));
  const got = await board.around(1);
  assert.equal(
    service.requests[1].url,
    "/v1/leaderboards/global?period=all-time&around=me&neighbours=1",
  );
  assert.deepEqual(
    got.entries.map((one) => one.rank),
    [149, 150, 151],
  );
  assert.equal(got.me?.rank, 150);
  service.onPage = (_, response) => response.end(JSON.stringify(page(5, { entries: 7 })));
  await assert.rejects(board.around(), { status: 0, code: "malformed" });
});

test("read gives JSON with the board's token, or an error with status and code", async () => {
  const board = follow({ getToken: async () => "t1" });
  await untilVersion(board, 5);
  service.onPage = (_, response) => response.end('{"items":[1]}');
  assert.deepEqual(await board.read("/v1/users/u1/history"), { items: [1] });
  const { url, headers } = service.requests[1];
  assert.equal(url, "/v1/users/u1/history");
  assert.equal(headers.authorization, "Bearer t1");
  service.onPage = refuse(404, "not_found");
  await assert.rejects(board.read("/v1/nothing"), { status: 404, code: "not_found" });
  service.onPage = (_, response) => response.end("<html>");
  await assert.rejects(board.read("/v1/nothing"), { status: 0, code: "malformed" });
  for (const path of ["//evil.example/", "v1/nothing", "https://evil.example/"]) {
    await assert.rejects(board.read(path), TypeError);
  }
  board.close();
  await assert.rejects(board.read("/v1/nothing"), { status: 0, code: "closed" });
});

test("empty and malformed events are warned about and ignored", async () => {
  const board = follow();
  const before = await untilVersion(board, 5);
  for (const data of ["", "{", "null", "[]", "{}", JSON.stringify(update(9, { version: -1 }))]) {
    send(frame("leaderboard:updated", data));
  }
  send(frame("error", "nonsense") + frame("goodbye", "7") + frame("authenticated", "{}"));
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

test("a lost stream is resumed after a jittered delay, with its last id", async () => {
  const board = follow();
  await untilVersion(board, 5);
  service.streams[0].destroy();
  const stale = await untilStatus(board, "stale");
  assert.equal(stale.entries.length, 3);
  assert.equal(stale.error?.status, 0);
  mock.timers.tick(499);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(service.requests.length, 1);
  mock.timers.tick(1);
  const live = await untilStatus(board, "live");
  assert.equal(live.error, null);
  assert.equal(service.requests[1].headers["last-event-id"], "e-5");
});

test("five tries in a row, then offline; retry tries again", async () => {
  const board = follow();
  await untilVersion(board, 5);
  let tries = 0;
  service.onStream = (request, response) => refuse(500, `broken ${++tries}`)(request, response);
  service.streams[0].destroy();
  await untilStatus(board, "stale");
  // Full jitter at one half of 1, 2, 4, 8 and 16 seconds.
  for (const [i, delay] of [500, 1_000, 2_000, 4_000, 8_000].entries()) {
    mock.timers.tick(delay - 1);
    assert.equal(tries, i);
    mock.timers.tick(1);
    await until(board, ({ error }) => error?.code === `broken ${i + 1}`);
  }
  const offline = await untilStatus(board, "offline");
  assert.equal(offline.error?.code, "broken 5");
  assert.equal(offline.entries.length, 3);
  mock.timers.tick(600_000);
  assert.equal(service.asked("/v1/events").length, 6);
  service.onStream = (_, response) => service.welcome(response);
  board.retry();
  await untilStatus(board, "live");
});

test("after a goodbye the server's own delay counts", async () => {
  const board = follow();
  await untilVersion(board, 5);
  service.streams[0].end(`retry: 7000\n${frame("goodbye", { reason: "shutdown" })}`);
  await untilStatus(board, "stale");
  mock.timers.tick(6_999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(service.requests.length, 1);
  mock.timers.tick(1);
  await untilStatus(board, "live");
});

for (const status of [429, 503]) {
  test(`Retry-After of a ${status} is honoured`, async () => {
    service.onStream = refuse(status, "too_many", { "Retry-After": "12" });
    const board = follow();
    await until(board, (snapshot) => snapshot.error?.status === status);
    service.onStream = (_, response) => service.welcome(response);
    mock.timers.tick(11_999);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(service.requests.length, 1);
    mock.timers.tick(1);
    await untilStatus(board, "live");
  });
}

test("a stream that is silent for 40 s is lost", async () => {
  const board = follow();
  await untilVersion(board, 5);
  mock.timers.tick(39_999);
  assert.equal(board.getSnapshot().status, "live");
  mock.timers.tick(1);
  await untilStatus(board, "stale");
  mock.timers.tick(500);
  await untilStatus(board, "live");
});

test("without a token: readonly at once, and the page is read every 15 s", async () => {
  const board = follow({ getToken: async () => null });
  const got = await untilVersion(board, 1);
  assert.equal(got.status, "readonly");
  assert.equal(got.error, null);
  assert.equal(service.asked("/v1/events").length, 0);
  assert.equal(service.requests[0].url, "/v1/leaderboards/global?period=all-time&limit=100");
  await new Promise((resolve) => setImmediate(resolve));
  mock.timers.tick(15_000);
  await service.untilAsked("limit=100", 2);
  await board.refresh();
});

test("a page that can't be read says why", async () => {
  service.onPage = refuse(401, "unauthorized");
  const board = follow({ getToken: async () => "" });
  const { error, status } = await until(board, (snapshot) => snapshot.error !== null);
  assert.equal(status, "readonly");
  assert.deepEqual(error, { status: 401, code: "unauthorized", message: "unauthorized" });
});

for (const status of [401, 403]) {
  test(`a cookie that gets a ${status} falls back to readonly`, async () => {
    service.onStream = refuse(status, "no");
    const board = follow();
    await until(board, (snapshot) => snapshot.status === "readonly" && snapshot.version === 1);
    assert.equal(service.asked("/v1/events").length, 1);
  });
}

test("a 401 asks for another token once, and does not loop", async () => {
  service.onStream = refuse(401, "invalid_token");
  let asked = 0;
  const board = follow({ getToken: async () => `t${++asked}` });
  await untilVersion(board, 1);
  assert.equal(board.getSnapshot().status, "readonly");
  assert.equal(asked, 2);
  const tokens = service.requests.map(({ headers }) => headers.authorization);
  assert.deepEqual(tokens, ["Bearer t1", "Bearer t2", undefined]);
});

test("an expired token is replaced at once, but not without end", async () => {
  let asked = 0;
  const expired = frame("error", { code: "token_expired", message: "the token has expired" });
  const board = follow({ getToken: async () => `t${++asked}` });
  await untilVersion(board, 5);
  mock.timers.tick(20_000);
  service.greeting = frame("leaderboard:updated", update(6), "e-6");
  service.streams[0].end(expired);
  await untilVersion(board, 6);
  assert.equal(service.requests[1].headers.authorization, "Bearer t2");
  service.onStream = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.end(authenticated("u1") + expired);
  };
  mock.timers.tick(20_000);
  service.streams[0].end(expired);
  await untilStatus(board, "readonly");
  assert.equal(asked, 3);
});

test("a getToken that fails is tried again like a lost connection", async () => {
  let asked = 0;
  const getToken = async () => {
    if (++asked === 1) throw new Error("no network");
    return "t1";
  };
  const board = follow({ getToken });
  const { status, error } = await until(board, (snapshot) => snapshot.error !== null);
  assert.equal(status, "connecting");
  assert.equal(error?.code, "token");
  mock.timers.tick(500);
  await untilStatus(board, "live");
});

test("a live board does not take an older page", async () => {
  const board = follow();
  const live = await untilVersion(board, 5);
  await board.refresh();
  assert.equal(board.getSnapshot(), live);
  service.onPage = (_, response) => response.end(JSON.stringify(page(8, { totalEntries: 201 })));
  await board.refresh();
  assert.equal(board.getSnapshot().version, 8);
  assert.equal(board.getSnapshot().totalEntries, 201);
});

test("a hidden page does not poll, and wakes when it is seen", async (t) => {
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  Object.defineProperty(globalThis, "document", { value: document, configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis, "document"));
  const board = follow({ getToken: async () => null });
  await untilStatus(board, "readonly");
  mock.timers.tick(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(service.requests.length, 0);
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  await untilVersion(board, 1);
});

test("a board that is offline wakes with the network", async (t) => {
  const page = new EventTarget();
  const value = page.addEventListener.bind(page);
  Object.defineProperty(globalThis, "addEventListener", { value, configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis, "addEventListener"));
  mock.method(Math, "random", () => 0);
  let tries = 0;
  service.onStream = (request, response) => refuse(500, `broken ${++tries}`)(request, response);
  const board = follow();
  for (let i = 1; i <= 6; i++) {
    await until(board, ({ error }) => error?.code === `broken ${i}`);
    mock.timers.tick(0);
  }
  await untilStatus(board, "offline");
  service.onStream = (_, response) => service.welcome(response);
  page.dispatchEvent(new Event("online"));
  await untilStatus(board, "live");
});

test("close ends the stream and every timer", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const closed = new Promise((resolve) => service.streams[0].on("close", resolve));
  let calls = 0;
  board.subscribe(() => calls++);
  board.close();
  await closed;
  board.retry();
  await board.refresh();
  mock.timers.tick(600_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 0);
  assert.equal(service.requests.length, 1);
  assert.equal(board.getSnapshot().version, 5);
});
