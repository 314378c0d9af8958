// @ts-check

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import {
  eventually,
  follow,
  followInTab,
  given,
  prepare,
  settled,
  stand,
  tokenOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { Locks } from "./locks.js";
import { frame, page, refuse, update } from "./service.js";

prepare();

const getToken = async () => tokenOf({ sub: "u1" });

/** The boards of each stream that was asked for, with their periods. @type {string[]} */
let asked = [];
/** Boards for which a stream, and a page, is refused. @type {Map<string, number>} */
let closed = new Map();
let version = 5;

/** The boards that a request for a stream names. @param {string} url */
function boardsOf(url) {
  const query = new URL(url, "http://service").searchParams;
  const periods = query.getAll("period");
  return query
    .getAll("board")
    .map((board, i) => ({ board, period: periods.length === 1 ? periods[0] : periods[i] }));
}

beforeEach(() => {
  asked = [];
  closed = new Map();
  version = 5;
  given.service.userId = "u1";
  given.service.onStream = (request, response) => {
    const boards = boardsOf(request.url ?? "");
    asked.push(boards.map(({ board, period }) => `${board} ${period}`).join());
    const shut = boards.find(({ board }) => closed.has(board));
    if (shut !== undefined) {
      refuse(closed.get(shut.board) ?? 0, "no")(request, response);
      return;
    }
    given.service.greeting = boards
      .map((what, i) =>
        frame(
          "leaderboard:updated",
          update(version, what),
          i === boards.length - 1 ? `e-${version}` : undefined,
        ),
      )
      .join("");
    given.service.welcome(response);
  };
  given.service.onPage = (request, response) => {
    const board = decodeURIComponent(/leaderboards\/([^?]+)/.exec(request.url ?? "")?.[1] ?? "");
    const status = closed.get(board);
    if (status !== undefined) refuse(status, "no")(request, response);
    else response.end(JSON.stringify(page(1, { board })));
  };
});

/** @param {number} n */
const names = (n) => Array.from({ length: n }, (_, i) => `classroom:c${i}`);

test("seven boards that a page mounts together have one stream, each with a getToken of its own", async () => {
  const boards = names(7).map((board) => follow({ board, getToken: async () => getToken() }));
  for (const [i, board] of boards.entries()) {
    const got = await untilVersion(board, 5);
    assert.equal(got.status, "live");
    assert.equal(got.board, `classroom:c${i}`);
    assert.equal(got.entries.length, 3);
  }
  assert.deepEqual(asked, [
    names(7)
      .map((name) => `${name} all-time`)
      .join(),
  ]);
  assert.equal(
    given.service.requests.every(({ url }) => url.startsWith("/v1/events")),
    true,
  );
});

test("one board in several periods: each board has its own, in order", async () => {
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

test("what the stream brings goes to the board that it is about", async () => {
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

test("boards that come later join without an interruption of the others", async () => {
  const first = follow({ board: "classroom:c0", getToken });
  await untilVersion(first, 5);
  /** @type {string[]} */
  const stood = [];
  first.subscribe(() => stood.push(first.getSnapshot().status));
  const rest = names(4)
    .slice(1)
    .map((board) => follow({ board, getToken }));
  await eventually(() => given.service.streams.length === 1);
  await settled();
  assert.equal(asked.length, 1);
  version = 6;
  mock.timers.tick(100);
  for (const board of rest) assert.equal((await untilVersion(board, 6)).status, "live");
  await untilVersion(first, 6);
  assert.deepEqual([...new Set(stood)], ["live"]);
  assert.equal(asked.length, 2);
  await eventually(() => given.service.streams.length === 1);
});

test("the old stream goes on until the new one has begun", async () => {
  const first = follow({ board: "classroom:c0", getToken });
  await untilVersion(first, 5);
  const { onStream } = given.service;
  /** @type {(() => void)[]} */
  const held = [];
  given.service.onStream = (request, response) => {
    held.push(() => onStream(request, response));
  };
  const second = follow({ board: "classroom:c1", getToken });
  await settled();
  mock.timers.tick(100);
  await eventually(() => held.length === 1);
  given.service.streams[0].write(
    frame("leaderboard:updated", update(7, { board: "classroom:c0" }), "e-7"),
  );
  await untilVersion(first, 7);
  version = 8;
  held[0]();
  await untilVersion(second, 8);
  await untilVersion(first, 8);
});

test("boards that leave end the stream with the last of them, and are dropped from it in a while", async () => {
  const boards = names(3).map((board) => follow({ board, getToken }));
  for (const board of boards) await untilVersion(board, 5);
  boards[2].close();
  await settled();
  assert.equal(asked.length, 1);
  mock.timers.tick(30_000);
  await eventually(() => asked.length === 2);
  assert.equal(asked[1], "classroom:c0 all-time,classroom:c1 all-time");
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
    asked.map((one) => one.split(",").length),
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
  test(`a board that is refused with a ${status} keeps no other from its stream, and is asked about once a minute`, async () => {
    closed.set("classroom:c1", status);
    const boards = names(3).map((board) => follow({ board, getToken }));
    await untilVersion(boards[0], 5);
    await untilVersion(boards[2], 5);
    assert.equal((await untilStatus(boards[1], how)).version, null);
    closed.clear();
    await settled();
    mock.timers.tick(60_000);
    await eventually(() => given.service.asked("limit=1").length >= 4);
    for (let i = 0; i < 50; i++) await settled();
    mock.timers.tick(100);
    await until(boards[1], (snapshot) => snapshot.status === "live" && snapshot.version === 5);
    assert.equal(boards[0].getSnapshot().status, "live");
  });
}

test("boards that are all refused say why, each its own, and come back one by one", async () => {
  closed.set("classroom:c0", 403);
  closed.set("classroom:c1", 404);
  const [one, other] = names(2).map((board) => follow({ board, getToken }));
  await untilStatus(one, "readonly");
  assert.equal((await untilStatus(other, "offline")).error?.status, 404);
  assert.equal(given.service.streams.length, 0);
  closed.delete("classroom:c1");
  await settled();
  mock.timers.tick(60_000);
  for (let i = 0; i < 50; i++) await settled();
  mock.timers.tick(100);
  await untilStatus(other, "live");
  await settled();
  assert.equal(one.getSnapshot().status, "readonly");
});

test("a board that comes later and is refused leaves the live ones as they are", async () => {
  const first = follow({ board: "classroom:c0", getToken });
  await untilVersion(first, 5);
  closed.set("classroom:c1", 403);
  const second = follow({ board: "classroom:c1", getToken });
  await settled();
  mock.timers.tick(100);
  await untilStatus(second, "readonly");
  assert.equal(first.getSnapshot().status, "live");
  assert.equal(given.service.streams.length, 1);
  closed.clear();
  second.retry();
  await settled();
  mock.timers.tick(100);
  await until(second, (snapshot) => snapshot.status === "live" && snapshot.version === 5);
});

test("an error with a board ends that board alone", async () => {
  const boards = names(2).map((board) => follow({ board, getToken }));
  for (const board of boards) await untilVersion(board, 5);
  closed.set("classroom:c1", 403);
  const gone = { code: "forbidden", message: "no member any more", board: "classroom:c1" };
  given.service.streams[0].write(frame("error", gone));
  await untilStatus(boards[1], "readonly");
  given.service.streams[0].write(
    frame("leaderboard:updated", update(6, { board: "classroom:c0" }), "e-6"),
  );
  assert.equal((await untilVersion(boards[0], 6)).status, "live");
  assert.equal(asked.length, 1);
  closed.clear();
  await settled();
  mock.timers.tick(75_000);
  given.service.streams[0].write(frame("ping", {}));
  for (let i = 0; i < 50; i++) await settled();
  mock.timers.tick(100);
  await untilStatus(boards[1], "live");
});

test("an error with the only board ends it, and it is followed again when it may be", async () => {
  const board = follow({ board: "classroom:c0", getToken });
  await untilVersion(board, 5);
  closed.set("classroom:c0", 403);
  const gone = { code: "forbidden", message: "no member any more", board: "classroom:c0" };
  given.service.streams[0].end(frame("error", gone));
  await untilStatus(board, "readonly");
  closed.clear();
  await settled();
  mock.timers.tick(60_000);
  for (let i = 0; i < 50; i++) await settled();
  mock.timers.tick(100);
  await untilStatus(board, "live");
});

test("a stream of several boards goes on from its last id, all of them", async () => {
  const boards = names(2).map((board) => follow({ board, getToken }));
  for (const board of boards) await untilVersion(board, 5);
  given.service.streams[0].destroy();
  await untilStatus(boards[0], "stale");
  mock.timers.tick(500);
  await untilStatus(boards[1], "live");
  assert.equal(given.service.requests[1].headers["last-event-id"], "e-5");
});

test("a stream that the page's own newer one replaced is no reason to read pages", async () => {
  const first = follow({ board: "classroom:c0", getToken });
  await untilVersion(first, 5);
  const { onStream } = given.service;
  given.service.onStream = (request, response) => {
    given.service.streams[0].end(frame("error", { code: "replaced", message: "a newer one" }));
    setImmediate(() => onStream(request, response));
  };
  const second = follow({ board: "classroom:c1", getToken });
  /** @type {string[]} */
  const stood = [];
  first.subscribe(() => stood.push(first.getSnapshot().status));
  await settled();
  mock.timers.tick(100);
  await untilVersion(second, 5);
  assert.deepEqual(
    [...new Set(stood)].filter((one) => one !== "live"),
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

test("with a cookie, a tab that comes later has the stream, and the others notice nothing", async (t) => {
  stand(t, "navigator", { locks: new Locks() });
  let dice = 0;
  mock.method(Math, "random", () => (++dice % 100) / 100);
  const first = followInTab({ board: "classroom:c0" });
  await untilVersion(first, 5);
  /** @type {string[]} */
  const stood = [];
  first.subscribe(() => stood.push(first.getSnapshot().status));
  version = 6;
  const second = followInTab({ board: "classroom:c1" });
  await untilVersion(second, 6);
  for (let turn = 0; turn < 50; turn++) await settled();
  mock.timers.tick(100);
  await untilVersion(first, 6);
  assert.deepEqual([...new Set(stood)], ["live"]);
  await eventually(() => given.service.streams.length === 1);
});

test("people of one page have streams of their own", async () => {
  await untilVersion(follow({ getToken }), 5);
  await untilVersion(follow({ getToken: async () => tokenOf({ sub: "u2" }) }), 5);
  assert.equal(asked.length, 2);
});

/** @type {[string, unknown][]} */
const places = [
  ["with Web Locks", { locks: new Locks() }],
  ["without, as with plain http", {}],
  [
    "where those are forbidden",
    { locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) } },
  ],
];
for (const [name, navigator] of places) {
  test(`${name}, any number of tabs that follow different boards have one stream`, async (t) => {
    stand(t, "navigator", navigator);
    let dice = 1;
    mock.method(Math, "random", () => {
      dice = (dice * 16_807) % 2_147_483_647;
      return dice / 2_147_483_647;
    });
    stand(t, "document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    /** @type {import("./following.js").Board[]} */
    const tabs = [];
    for (const board of names(9)) {
      const tab = followInTab({ board, getToken });
      tabs.push(tab);
      // A clock that goes on, as in a browser.
      for (let i = 0; i < 400 && tab.getSnapshot().version === null; i++) {
        for (let turn = 0; turn < 5; turn++) await settled();
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
    // The one with the stream goes, and another has it.
    version = 7;
    tabs[0].close();
    for (let i = 0; i < 200 && tabs.slice(1).some((tab) => tab.getSnapshot().version !== 7); i++) {
      for (let turn = 0; turn < 5; turn++) await settled();
      mock.timers.tick(10);
    }
    for (const tab of tabs.slice(1)) assert.equal(tab.getSnapshot().version, 7);
    await eventually(() => given.service.streams.length === 1);
  });
}
