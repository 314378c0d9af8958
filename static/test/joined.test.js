// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { classrooms, followClassrooms, getToken, names, prepareClassrooms } from "./classrooms.js";
import {
  eventually,
  follow,
  followInTab,
  given,
  prepare,
  replaceGlobal,
  settled,
  settledAll,
  statusesOf,
  tokenOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { Locks } from "./locks.js";
import { frame, update } from "./service.js";

prepare();
prepareClassrooms();

test("seven boards with their own getToken share one stream if they are for one person", async () => {
  const boards = names(7).map((board) => follow({ board, getToken: async () => getToken() }));
  for (const [i, board] of boards.entries()) {
    const got = await untilVersion(board, 5);
    assert.equal(got.status, "live");
    assert.equal(got.board, `classroom:c${i}`);
    assert.equal(got.entries.length, 3);
  }
  assert.deepEqual(classrooms.asked, [
    names(7)
      .map((name) => `${name} all-time`)
      .join(),
  ]);
  assert.equal(
    given.service.requests.every(({ url }) => url.startsWith("/v1/events")),
    true,
  );
});

test("one board in several periods: the request names a period for each", async () => {
  const periods = ["daily", "weekly", "all-time"];
  const boards = periods.map((period) => follow({ getToken, period }));
  for (const [i, board] of boards.entries()) {
    assert.equal((await untilVersion(board, 5)).period, periods[i]);
  }
  assert.equal(
    given.service.requests[0].url,
    "/v1/events?board=global&board=global&board=global&period=daily&period=weekly&period=all-time&mode=diff",
  );
});

test("an event goes to the board that it is about, and to no other", async () => {
  const [one, other] = names(2).map((board) => follow({ board, getToken }));
  await untilVersion(one, 5);
  await untilVersion(other, 5);
  const before = one.getSnapshot();
  given.service.streams[0].write(
    frame("leaderboard:updated", update(6, { board: "classroom:c1", totalEntries: 9 }), "e-6"),
  );
  assert.equal((await untilVersion(other, 6)).totalEntries, 9);
  assert.equal(one.getSnapshot(), before);
});

test("boards that come later join without interrupting the others", async () => {
  const [first] = await followClassrooms(1);
  const statuses = statusesOf(first);
  const rest = names(4)
    .slice(1)
    .map((board) => follow({ board, getToken }));
  await eventually(() => given.service.streams.length === 1);
  await settled();
  assert.equal(classrooms.asked.length, 1);
  classrooms.version = 6;
  mock.timers.tick(100);
  for (const board of rest) assert.equal((await untilVersion(board, 6)).status, "live");
  await untilVersion(first, 6);
  assert.deepEqual([...new Set(statuses)], ["live"]);
  assert.equal(classrooms.asked.length, 2);
  await eventually(() => given.service.streams.length === 1);
});

test("the old stream goes on until the new one has begun", async () => {
  const [first] = await followClassrooms(1);
  const { onStream } = given.service;
  /** @type {(() => void)[]} */
  const answers = [];
  given.service.onStream = (request, response) => {
    answers.push(() => onStream(request, response));
  };
  const second = follow({ board: "classroom:c1", getToken });
  await settled();
  mock.timers.tick(100);
  await eventually(() => answers.length === 1);
  given.service.streams[0].write(
    frame("leaderboard:updated", update(7, { board: "classroom:c0" }), "e-7"),
  );
  await untilVersion(first, 7);
  classrooms.version = 8;
  answers[0]();
  await untilVersion(second, 8);
  await untilVersion(first, 8);
});

test("a closed board is dropped from the stream after a while, and the last one ends it", async () => {
  const boards = await followClassrooms(3);
  boards[2].close();
  await settled();
  assert.equal(classrooms.asked.length, 1);
  mock.timers.tick(30_000);
  await eventually(() => classrooms.asked.length === 2);
  assert.equal(classrooms.asked[1], "classroom:c0 all-time,classroom:c1 all-time");
  await eventually(() => given.service.streams.length === 1);
  assert.equal(boards[0].getSnapshot().status, "live");
  boards[0].close();
  boards[1].close();
  await eventually(() => given.service.streams.length === 0);
});

test("more than 32 boards: several streams; more than 96: pages", async () => {
  const boards = names(98).map((board) => follow({ board, getToken }));
  for (const board of boards.slice(0, 96)) await untilVersion(board, 5);
  assert.deepEqual(
    classrooms.asked.map((one) => one.split(",").length),
    [32, 32, 32],
  );
  for (const board of boards.slice(96))
    assert.equal((await untilStatus(board, "polling")).version, 1);
  boards[0].close();
  await settled();
});

for (const [status, how] of /** @type {const} */ ([
  [403, "readonly"],
  [404, "offline"],
])) {
  test(`a board that is refused with a ${status} is left out of the stream, and asked about once a minute`, async () => {
    classrooms.closed.set("classroom:c1", status);
    const boards = names(3).map((board) => follow({ board, getToken }));
    await untilVersion(boards[0], 5);
    await untilVersion(boards[2], 5);
    assert.equal((await untilStatus(boards[1], how)).version, null);
    classrooms.closed.clear();
    await settled();
    mock.timers.tick(60_000);
    await eventually(() => given.service.asked("limit=1").length >= 4);
    await settledAll();
    mock.timers.tick(100);
    await until(boards[1], (snapshot) => snapshot.status === "live" && snapshot.version === 5);
    assert.equal(boards[0].getSnapshot().status, "live");
  });
}

test("if all boards are refused, each says its own reason, and they return one by one", async () => {
  classrooms.closed.set("classroom:c0", 403);
  classrooms.closed.set("classroom:c1", 404);
  const [one, other] = names(2).map((board) => follow({ board, getToken }));
  await untilStatus(one, "readonly");
  assert.equal((await untilStatus(other, "offline")).error?.status, 404);
  assert.equal(given.service.streams.length, 0);
  classrooms.closed.delete("classroom:c1");
  await settled();
  mock.timers.tick(60_000);
  await settledAll();
  mock.timers.tick(100);
  await untilStatus(other, "live");
  await settled();
  assert.equal(one.getSnapshot().status, "readonly");
});

test("a later board that is refused changes nothing for live boards", async () => {
  const [first] = await followClassrooms(1);
  classrooms.closed.set("classroom:c1", 403);
  const second = follow({ board: "classroom:c1", getToken });
  await settled();
  mock.timers.tick(100);
  await untilStatus(second, "readonly");
  assert.equal(first.getSnapshot().status, "live");
  assert.equal(given.service.streams.length, 1);
  classrooms.closed.clear();
  second.retry();
  await settled();
  mock.timers.tick(100);
  await until(second, (snapshot) => snapshot.status === "live" && snapshot.version === 5);
});

test("an error that names a board ends that board alone", async () => {
  const boards = await followClassrooms(2);
  classrooms.closed.set("classroom:c1", 403);
  const gone = { code: "forbidden", message: "no member any more", board: "classroom:c1" };
  given.service.streams[0].write(frame("error", gone));
  await untilStatus(boards[1], "readonly");
  given.service.streams[0].write(
    frame("leaderboard:updated", update(6, { board: "classroom:c0" }), "e-6"),
  );
  assert.equal((await untilVersion(boards[0], 6)).status, "live");
  assert.equal(classrooms.asked.length, 1);
  classrooms.closed.clear();
  await settled();
  mock.timers.tick(75_000);
  given.service.streams[0].write(frame("ping", {}));
  await settledAll();
  mock.timers.tick(100);
  await untilStatus(boards[1], "live");
});

test("an error that names the only board ends it, and it is followed again once it is allowed", async () => {
  const [board] = await followClassrooms(1);
  classrooms.closed.set("classroom:c0", 403);
  const gone = { code: "forbidden", message: "no member any more", board: "classroom:c0" };
  given.service.streams[0].end(frame("error", gone));
  await untilStatus(board, "readonly");
  classrooms.closed.clear();
  await settled();
  mock.timers.tick(60_000);
  await settledAll();
  mock.timers.tick(100);
  await untilStatus(board, "live");
});

test("a stream of several boards goes on from its last id", async () => {
  const boards = await followClassrooms(2);
  given.service.streams[0].destroy();
  await untilStatus(boards[0], "stale");
  mock.timers.tick(500);
  await untilStatus(boards[1], "live");
  assert.equal(given.service.requests[1].headers["last-event-id"], "e-5");
});

test("a stream that the page's own newer one replaced changes no status", async () => {
  const [first] = await followClassrooms(1);
  const { onStream } = given.service;
  given.service.onStream = (request, response) => {
    given.service.streams[0].end(frame("error", { code: "replaced", message: "a newer one" }));
    setImmediate(() => onStream(request, response));
  };
  const second = follow({ board: "classroom:c1", getToken });
  const statuses = statusesOf(first);
  await settled();
  mock.timers.tick(100);
  await untilVersion(second, 5);
  assert.deepEqual(
    [...new Set(statuses)].filter((one) => one !== "live"),
    [],
  );
});

test("when the board whose token opened the stream is closed, another one's token speaks", async () => {
  let asked = 0;
  const first = follow({ board: "classroom:c0", getToken });
  const second = follow({
    board: "classroom:c1",
    getToken: async () => tokenOf({ sub: "u1", jti: ++asked }),
  });
  await untilVersion(first, 5);
  await untilVersion(second, 5);
  assert.equal(given.service.streams.length, 1);
  first.close();
  given.service.streams[0].write(frame("error", { code: "token_expired", message: "expired" }));
  await eventually(() => given.service.asked("/v1/events").length === 2);
  await untilStatus(second, "live");
  const { authorization } = given.service.asked("/v1/events")[1].headers;
  assert.equal(authorization, `Bearer ${tokenOf({ sub: "u1", jti: 2 })}`);
});

test("with a cookie, the newest tab gets the stream, and the status of others stays live", async (t) => {
  replaceGlobal(t, "navigator", { locks: new Locks() });
  let dice = 0;
  mock.method(Math, "random", () => (++dice % 100) / 100);
  const first = followInTab({ board: "classroom:c0" });
  await untilVersion(first, 5);
  const statuses = statusesOf(first);
  classrooms.version = 6;
  const second = followInTab({ board: "classroom:c1" });
  await untilVersion(second, 6);
  await settledAll();
  mock.timers.tick(100);
  await untilVersion(first, 6);
  assert.deepEqual([...new Set(statuses)], ["live"]);
  await eventually(() => given.service.streams.length === 1);
});

test("two people on one page have a stream each", async () => {
  await untilVersion(follow({ getToken }), 5);
  await untilVersion(follow({ getToken: async () => tokenOf({ sub: "u2" }) }), 5);
  assert.equal(classrooms.asked.length, 2);
});

/** @type {[string, unknown][]} */
const browsers = [
  ["with Web Locks", { locks: new Locks() }],
  ["without, as with plain http", {}],
  [
    "where those are forbidden",
    { locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) } },
  ],
];
for (const [name, navigator] of browsers) {
  test(`${name}, any number of tabs that follow different boards have one stream`, async (t) => {
    replaceGlobal(t, "navigator", navigator);
    let dice = 1;
    mock.method(Math, "random", () => {
      dice = (dice * 16_807) % 2_147_483_647;
      return dice / 2_147_483_647;
    });
    replaceGlobal(t, "document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    /** @type {import("./following.js").Board[]} */
    const tabs = [];
    for (const board of names(9)) {
      const tab = followInTab({ board, getToken });
      tabs.push(tab);
      // The clock goes on, as in a browser.
      for (let i = 0; i < 400 && tab.getSnapshot().version === null; i++) {
        await settledAll(5);
        mock.timers.tick(10);
      }
      assert.equal(tab.getSnapshot().status, "live");
    }
    await eventually(() => given.service.streams.length === 1);
    given.service.streams[0].write(
      names(9)
        .map((board) => frame("leaderboard:updated", update(6, { board })))
        .join(""),
    );
    for (const tab of tabs) await untilVersion(tab, 6);
    // The leader closes, and another tab opens the stream.
    classrooms.version = 7;
    tabs[0].close();
    for (let i = 0; i < 200 && tabs.slice(1).some((tab) => tab.getSnapshot().version !== 7); i++) {
      await settledAll(5);
      mock.timers.tick(10);
    }
    for (const tab of tabs.slice(1)) assert.equal(tab.getSnapshot().version, 7);
    await eventually(() => given.service.streams.length === 1);
  });
}
