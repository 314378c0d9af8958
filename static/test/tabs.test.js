// @ts-check

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { claimsOf } from "../client/token.js";
import {
  browserPage,
  eventually,
  followInTab as follow,
  given,
  prepare,
  replaceGlobal,
  send,
  settled,
  statusesOf,
  tokenOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { Locks } from "./locks.js";
import { frame, refuse, update } from "./service.js";

prepare();

let locks = new Locks();

beforeEach((t) => {
  locks = new Locks();
  replaceGlobal(/** @type {import("node:test").TestContext} */ (t), "navigator", { locks });
  given.service.userId = "u1";
});

const getToken = async () => tokenOf({ sub: "u1" });
const streams = () => given.service.asked("/v1/events?").length;

/** The name of the group of u1. */
const group = () => `marcador/3 ${given.service.baseUrl}/ user:u1`;

/** Hears the messages of a group, and can post some. @param {import("node:test").TestContext} t */
function listen(t) {
  const channel = new BroadcastChannel(group());
  /** @type {any[]} */
  const heard = [];
  channel.onmessage = ({ data }) => heard.push(data);
  t.after(() => channel.close());
  return { heard, post: (/** @type {unknown} */ data) => channel.postMessage(data) };
}

/** A frozen leader has the lock and says nothing. */
function freeze() {
  locks.request(group(), { steal: true }, () => new Promise(() => {})).catch(() => {});
}

/** Two tabs of one person. The first has the stream. */
async function pair() {
  const first = follow({ getToken });
  await untilVersion(first, 5);
  const second = follow({ getToken, rows: 2 });
  await untilVersion(second, 5);
  return { first, second };
}

test("tabs of one person share one stream, and all get its events", async () => {
  const first = follow({ getToken });
  await untilVersion(first, 5);
  send(frame("leaderboard:updated", update(6), "e-6"));
  await untilVersion(first, 6);
  // A later tab learns the present state.
  const second = follow({ getToken, rows: 2 });
  const got = await untilVersion(second, 6);
  assert.equal(got.status, "live");
  assert.equal(got.userId, "u1");
  assert.equal(got.entries.length, 2);
  assert.equal(got.me?.rank, 1);
  /** @type {unknown[]} */
  const moves = [];
  second.on("rank_changed", (move) => moves.push(move));
  const move = { userId: "u1", board: "global", period: "all-time" };
  send(frame("rank_changed", { ...move, oldRank: 2, newRank: 1, pointsGained: 3 }));
  send(frame("leaderboard:updated", update(7), "e-7"));
  await untilVersion(second, 7);
  assert.deepEqual(moves, [{ ...move, oldRank: 2, newRank: 1, pointsGained: 3 }]);
  assert.equal(streams(), 1);
});

/** @type {[string, import("../marcador.js").ConnectOptions][]} */
const others = [
  ["of another person", { getToken: async () => tokenOf({ sub: "u2" }) }],
  [
    "of a token with another scope",
    { getToken: async () => tokenOf({ sub: "u1", scope: "read" }) },
  ],
  ["that shares nothing", { getToken, shared: false }],
];
for (const [name, options] of others) {
  test(`a board ${name} has a stream of its own`, async () => {
    await untilVersion(follow({ getToken }), 5);
    await untilStatus(follow(options), "live");
    assert.equal(streams(), 2);
  });
}

test("where the browser forbids channels, each tab has its own stream", async (t) => {
  class BroadcastChannel {
    constructor() {
      throw new DOMException("The operation is insecure.", "SecurityError");
    }
  }
  replaceGlobal(t, "BroadcastChannel", BroadcastChannel);
  await untilVersion(follow({ getToken }), 5);
  await untilVersion(follow({ getToken }), 5);
  assert.equal(streams(), 2);
});

test("a tab that can't find the others has no stream while it is hidden", async (t) => {
  const { document } = browserPage(t);
  replaceGlobal(t, "BroadcastChannel", undefined);
  const board = follow({ getToken });
  await untilVersion(board, 5);
  const statuses = statusesOf(board);
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  mock.timers.tick(9_999);
  await settled();
  assert.equal(given.service.streams.length, 1);
  mock.timers.tick(1);
  await eventually(() => given.service.streams.length === 0);
  document.visibilityState = "visible";
  given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
  document.dispatchEvent(new Event("visibilitychange"));
  await untilVersion(board, 6);
  assert.deepEqual([...new Set(statuses)], ["live"]);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-5");
});

test("when the leader closes, another tab goes on from its last id", async () => {
  const { first, second } = await pair();
  send(frame("leaderboard:updated", update(6), "e-6"));
  await untilVersion(second, 6);
  const statuses = statusesOf(second);
  given.service.greeting = frame("leaderboard:updated", update(7), "e-7");
  first.close();
  await untilVersion(second, 7);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-6");
  assert.deepEqual([...new Set(statuses)], ["live"]);
});

/** Follows two boards in one tab. @param {Map<string, any>} tab */
async function followTwo(tab) {
  const boards = [follow({ getToken }, tab), follow({ getToken, board: "school:1" }, tab)];
  await untilVersion(boards[0], 3);
  await untilVersion(boards[1], 5);
  return boards;
}

const twoPages =
  frame("leaderboard:updated", update(3)) +
  frame("leaderboard:updated", update(5, { board: "school:1" }), "e-5");

test("a tab with fewer boards than the leader's stream does not go on from its id", async () => {
  given.service.greeting = twoPages;
  const boards = await followTwo(new Map());
  const fewer = follow({ getToken });
  await untilVersion(fewer, 3);
  for (const board of boards) board.close();
  await eventually(() => streams() === 2);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], undefined);
});

test("a tab with all boards of the leader's stream goes on from its id", async () => {
  given.service.greeting = twoPages;
  const boards = await followTwo(new Map());
  await followTwo(new Map());
  for (const board of boards) board.close();
  await eventually(() => streams() === 2);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-5");
});

test("another tab goes on from the last id, and not from events after it", async () => {
  const { first, second } = await pair();
  send(frame("leaderboard:updated", update(6)));
  await untilVersion(second, 6);
  first.close();
  await eventually(() => streams() === 2);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-5");
});

test("a tab that joined after an event without an id does not go on from the id before it", async () => {
  const first = follow({ getToken });
  await untilVersion(first, 5);
  send(frame("leaderboard:updated", update(6)));
  await untilVersion(first, 6);
  const second = follow({ getToken });
  await untilVersion(second, 6);
  first.close();
  await eventually(() => streams() === 2);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], undefined);
});

test("a tab that comes while the leader is frozen takes the lead after three seconds", async () => {
  freeze();
  const board = follow({ getToken });
  await settled();
  mock.timers.tick(2_999);
  await settled();
  assert.equal(streams(), 0);
  mock.timers.tick(1);
  await untilVersion(board, 5);
});

test("a leader that takes the lead and says nothing is replaced", async () => {
  const { second } = await pair();
  freeze();
  await settled();
  mock.timers.tick(3_000);
  await eventually(() => streams() >= 2);
  await untilStatus(second, "live");
});

/**
 * Takes Web Locks away. Returns a function that makes a tab crash.
 * @param {import("node:test").TestContext} t
 */
function withoutLocks(t) {
  browserPage(t);
  replaceGlobal(t, "navigator", {});
  let drawn = 0;
  mock.method(Math, "random", () => (++drawn * 0.618) % 1);
  const Real = BroadcastChannel;
  /** @type {BroadcastChannel[]} */
  const channels = [];
  class Channel extends Real {
    /** @param {string} name */
    constructor(name) {
      super(name);
      if (name === group()) channels.push(this);
    }
  }
  replaceGlobal(t, "BroadcastChannel", Channel);
  // A tab that crashes says nothing, not even that it leaves.
  return (/** @type {number} */ tab) => {
    channels[tab].onmessage = null;
    channels[tab].postMessage = () => {};
  };
}

/** Lets time pass while messages arrive. @param {number} ms */
async function pass(ms) {
  for (let left = ms; left > 0; left -= 25) {
    mock.timers.tick(25);
    await settled();
  }
}

test("without Web Locks, a leader that crashes is replaced within 15 s, by one tab", async (t) => {
  const crash = withoutLocks(t);
  const tabs = [follow({ getToken })];
  await settled();
  await pass(200);
  await untilVersion(tabs[0], 5);
  for (let i = 0; i < 2; i++) tabs.push(follow({ getToken }));
  for (const tab of tabs) await untilVersion(tab, 5);
  await pass(200);
  assert.equal(streams(), 1);
  // A leader without news is asked whether it is there, and stays.
  const { heard } = listen(t);
  await pass(12_000);
  assert.ok(heard.some(({ kind }) => kind === "there"));
  assert.equal(streams(), 1);
  crash(0);
  tabs[0].close();
  given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
  await pass(15_000);
  for (const tab of tabs.slice(1)) assert.equal((await untilVersion(tab, 6)).status, "live");
  assert.equal(streams(), 2);
  assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-5");
});

test("a tab that is visible again asks the leader at once", async (t) => {
  const { document } = browserPage(t);
  const { first, second } = await pair();
  const { heard } = listen(t);
  document.dispatchEvent(new Event("visibilitychange"));
  await eventually(() => heard.some(({ kind }) => kind === "wake"));
  await eventually(() => heard.some(({ kind }) => kind === "states"));
  mock.timers.tick(3_000);
  await settled();
  assert.equal(streams(), 1);
  first.close();
  await untilStatus(second, "live");
});

test("a leader whose lock is taken ends its stream and follows", async (t) => {
  const { first } = await pair();
  const { post } = listen(t);
  const ended = new Promise((resolve) => given.service.streams[0].on("close", resolve));
  freeze();
  await ended;
  const state = { status: "live", userId: "u1", error: null };
  post({ kind: "states", states: [["all-time global", state]] });
  const news = update(9, { totalEntries: 9 });
  post({ kind: "top", update: news, id: "e-9", keys: ["all-time global"], epoch: "e" });
  assert.equal((await untilVersion(first, 9)).totalEntries, 9);
  assert.equal(streams(), 1);
});

test("malformed messages of tabs are ignored", async (t) => {
  const { second } = await pair();
  const { post } = listen(t);
  const before = second.getSnapshot();
  const state = { status: "live", userId: "u1", error: null };
  const keys = ["all-time global"];
  for (const message of [
    null,
    7,
    "hello",
    {},
    { kind: "states" },
    { kind: "states", states: [7] },
    { kind: "states", states: [["all-time global", { ...state, status: "lively" }]] },
    { kind: "states", states: [["all-time global", { ...state, userId: 7 }]] },
    { kind: "states", states: [["all-time global", { ...state, error: "no" }]] },
    { kind: "top", update: update(9, { board: 7 }), id: "e-9", keys },
    { kind: "top", update: update(9, { leaderboard: [{}] }), id: "e-9", keys },
    { kind: "top", update: update(9), id: 9, keys },
    { kind: "top", update: update(9), id: "e-9" },
    { kind: "top", update: update(9), id: "e-9", keys: [7] },
    { kind: "move", move: { userId: "u1" }, id: "e-9", keys },
  ]) {
    post(message);
  }
  const good = update(6, { totalEntries: 201 });
  post({ kind: "top", update: good, id: "e-6", keys, epoch: "e" });
  const after = await untilVersion(second, 6);
  assert.deepEqual({ ...after, version: 5, totalEntries: 200 }, before);
  assert.equal(/** @type {any} */ (console.warn).mock.callCount(), 11);
});

test("a follower's retry reaches the leader, and its answer the follower", async () => {
  const { first, second } = await pair();
  given.service.onStream = refuse(500, "broken");
  given.service.streams[0].destroy();
  for (const delay of [0, 500, 1_000, 2_000, 4_000, 8_000]) {
    mock.timers.tick(delay);
    const tries = streams();
    await eventually(() => delay === 8_000 || streams() >= tries);
    await settled();
    await until(second, ({ error }) => error !== null);
    await settled();
  }
  await untilStatus(first, "offline");
  await untilStatus(second, "offline");
  given.service.onStream = (_, response) => given.service.welcome(response);
  second.retry();
  await untilStatus(second, "live");
  await untilStatus(first, "live");
});

test("a leader whose token is refused leaves the stream to others", async () => {
  const { first, second } = await pair();
  given.service.onStream = refuse(403, "forbidden");
  send(frame("error", { code: "forbidden", message: "no member any more" }));
  await untilStatus(first, "readonly");
  await untilStatus(second, "readonly");
  assert.equal(streams(), 2);
  given.service.onStream = (_, response) => given.service.welcome(response);
  second.retry();
  await untilStatus(second, "live");
  assert.equal(first.getSnapshot().status, "readonly");
});

test("with a cookie, which may be another user's by now, the newest tab leads", async () => {
  const first = follow();
  await untilVersion(first, 5);
  given.service.userId = "u2";
  const second = follow();
  await until(second, ({ userId }) => userId === "u2");
  await until(first, ({ userId }) => userId === "u2");
  assert.equal(given.service.streams.length, 1);
});

for (const shared of [true, false]) {
  test(`a board whose getToken speaks for another user moves to that user's stream, ${shared ? "" : "not "}shared`, async () => {
    given.service.onStream = (request, response) => {
      given.service.userId = claimsOf(request.headers.authorization?.slice(7) ?? "").sub;
      given.service.welcome(response);
    };
    let user = "u1";
    const first = follow({ getToken: async () => tokenOf({ sub: user }), shared });
    await untilVersion(first, 5);
    const second = follow({ getToken });
    await untilVersion(second, 5);
    user = "u2";
    given.service.onPage = refuse(401, "token_invalid");
    await first.refresh();
    await until(first, ({ userId, status }) => userId === "u2" && status === "live");
    await eventually(() => given.service.streams.length === 2);
    await untilStatus(second, "live");
    assert.equal(second.getSnapshot().userId, "u1");
  });
}

for (const [leave, back] of [
  ["pagehide", "pageshow"],
  ["freeze", "resume"],
]) {
  test(`a page gives up its stream at ${leave}, and takes it up at ${back}`, async (t) => {
    const { document, window } = browserPage(t);
    const target = leave === "freeze" ? document : window;
    const board = follow({ getToken });
    await untilVersion(board, 5);
    const ended = new Promise((resolve) => given.service.streams[0].on("close", resolve));
    target.dispatchEvent(new Event(leave));
    await ended;
    mock.timers.tick(600_000);
    window.dispatchEvent(new Event("online"));
    await settled();
    assert.equal(streams(), 1);
    const { heard } = listen(t);
    const led = await locks.request(group(), {}, () => true);
    assert.equal(led, true);
    target.dispatchEvent(new Event(back));
    await eventually(() => streams() === 2);
    await untilStatus(board, "live");
    assert.equal(given.service.asked("/v1/events?")[1].headers["last-event-id"], "e-5");
    assert.ok(heard.length > 0);
  });
}

test("a tab whose getToken fails at first joins the others later", async () => {
  let asked = 0;
  await untilVersion(follow({ getToken }), 5);
  const second = follow({
    getToken: async () => {
      if (++asked < 3) throw new Error("no network");
      return getToken();
    },
  });
  await until(second, ({ error }) => error?.code === "token");
  mock.timers.tick(500);
  await untilVersion(second, 5);
  await eventually(() => given.service.streams.length === 1);
  assert.equal(second.getSnapshot().status, "live");
});
