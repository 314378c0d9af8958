// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  browserPage,
  eventually,
  follow,
  given,
  prepare,
  settled,
  statusesOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { authenticated, frame, refuse, update } from "./service.js";

prepare();

test("a lost stream is resumed after a jittered delay, with its last id", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.streams[0].destroy();
  const stale = await untilStatus(board, "stale");
  assert.equal(stale.entries.length, 3);
  assert.equal(stale.error?.status, 0);
  mock.timers.tick(499);
  await settled();
  assert.equal(given.service.requests.length, 1);
  mock.timers.tick(1);
  const live = await untilStatus(board, "live");
  assert.equal(live.error, null);
  assert.equal(given.service.requests[1].headers["last-event-id"], "e-5");
});

test("six tries in a row, then offline, and one quiet try a minute for ever", async () => {
  const board = follow();
  await untilVersion(board, 5);
  let tries = 0;
  given.service.onStream = (request, response) =>
    refuse(500, `broken ${++tries}`)(request, response);
  given.service.streams[0].destroy();
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
  const statuses = statusesOf(board);
  for (let minute = 1; minute <= 30; minute++) {
    mock.timers.tick(59_999);
    await settled();
    assert.equal(tries, 4 + minute);
    mock.timers.tick(1);
    await until(board, ({ error }) => error?.code === `broken ${5 + minute}`);
  }
  assert.deepEqual([...new Set(statuses)], ["offline"]);
  given.service.onStream = (_, response) => given.service.welcome(response);
  mock.timers.tick(60_000);
  await untilStatus(board, "live");
  assert.equal(board.getSnapshot().error, null);
});

test("offline: retry tries at once, and after a failure the next try is in a minute", async () => {
  given.service.onStream = refuse(404, "not_found");
  const board = follow();
  await untilStatus(board, "offline");
  given.service.onStream = refuse(404, "gone");
  board.retry();
  await until(board, ({ status, error }) => status === "offline" && error?.code === "gone");
  given.service.onStream = (_, response) => given.service.welcome(response);
  mock.timers.tick(60_000);
  await untilStatus(board, "live");
});

test("quiet tries of many readers are spread over half a minute", async () => {
  given.service.onStream = refuse(404, "not_found");
  for (const [chance, delay] of [
    [0, 45_000],
    [0.999, 74_970],
  ]) {
    mock.method(Math, "random", () => chance);
    const board = follow();
    await untilStatus(board, "offline");
    const before = given.service.asked("/v1/events").length;
    mock.timers.tick(delay - 1);
    await settled();
    assert.equal(given.service.asked("/v1/events").length, before);
    mock.timers.tick(1);
    await given.service.untilAsked("/v1/events", before + 1);
    board.close();
  }
});

test("a missing board is followed once it exists", async () => {
  given.service.onStream = refuse(404, "not_found");
  const board = follow({ board: "nowhere" });
  const offline = await untilStatus(board, "offline");
  assert.equal(offline.error?.status, 404);
  mock.timers.tick(59_999);
  await settled();
  assert.equal(given.service.asked("/v1/events").length, 1);
  given.service.onStream = (_, response) =>
    given.service.welcome(response, update(1, { board: "nowhere" }));
  mock.timers.tick(1);
  await untilStatus(board, "live");
});

test("a page that does not come within 30 s is given up, and the next can be read", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.onPage = () => {};
  const reading = board.refresh();
  await given.service.untilAsked("/v1/leaderboards/global", 1);
  mock.timers.tick(30_000);
  await reading;
  assert.match(board.getSnapshot().error?.message ?? "", /no answer within 30 s/);
  const again = board.refresh();
  await given.service.untilAsked("/v1/leaderboards/global", 2);
  board.close();
  await again;
});

test("after a goodbye the stream returns at the time that the goodbye says", async () => {
  const board = follow();
  await untilVersion(board, 5);
  const goodbye = { reason: "shutdown", retryAfter: 3_000 };
  given.service.streams[0].end(`retry: 7000\n${frame("goodbye", goodbye)}`);
  await untilStatus(board, "stale");
  mock.timers.tick(2_999);
  await settled();
  assert.equal(given.service.requests.length, 1);
  mock.timers.tick(1);
  await untilStatus(board, "live");
});

for (const status of [429, 503]) {
  test(`Retry-After of a ${status} is honoured`, async () => {
    given.service.onStream = refuse(status, "too_many", { "Retry-After": "12" });
    const board = follow();
    await until(board, (snapshot) => snapshot.error?.status === status);
    given.service.onStream = (_, response) => given.service.welcome(response);
    mock.timers.tick(11_999);
    await settled();
    assert.equal(given.service.requests.length, 1);
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

for (const status of [401, 403]) {
  test(`a cookie that gets a ${status} falls back to readonly`, async () => {
    given.service.onStream = refuse(status, "no");
    const board = follow();
    await until(board, (snapshot) => snapshot.status === "readonly" && snapshot.version === 1);
    assert.equal(given.service.asked("/v1/events").length, 1);
  });
}

for (const status of [401, 403]) {
  test(`a reader who was refused with a ${status} is live a minute after being let in`, async () => {
    given.service.onStream = refuse(status, "no");
    let asked = 0;
    const board = follow({ getToken: async () => `t${++asked}` });
    await untilStatus(board, "readonly");
    mock.timers.tick(60_000);
    await given.service.untilAsked("/v1/events", status === 401 ? 4 : 2);
    await eventually(() => /** @type {any} */ (console.warn).mock.callCount() === 2);
    assert.equal(board.getSnapshot().status, "readonly");
    given.service.onStream = (_, response) => given.service.welcome(response);
    mock.timers.tick(60_000);
    await untilStatus(board, "live");
  });
}

test("without a login the board is only read, until getToken gives a token", async () => {
  let token = /** @type {string | null} */ (null);
  const board = follow({ getToken: async () => token });
  await untilVersion(board, 1);
  await settled();
  mock.timers.tick(60_000);
  await settled();
  assert.equal(board.getSnapshot().status, "readonly");
  assert.equal(given.service.asked("/v1/events").length, 0);
  token = "t1";
  mock.timers.tick(60_000);
  await untilStatus(board, "live");
});

test("a refused reader stays readonly while the service is away", async () => {
  given.service.onStream = refuse(403, "no");
  const board = follow({ getToken: async () => "t1" });
  await untilStatus(board, "readonly");
  given.service.onStream = refuse(502, "away");
  mock.timers.tick(60_000);
  await given.service.untilAsked("/v1/events", 2);
  await settled();
  assert.equal(board.getSnapshot().status, "readonly");
  given.service.onStream = (_, response) => given.service.welcome(response);
  await settled();
  mock.timers.tick(60_000);
  await untilStatus(board, "live");
});

test("a 401 asks for another token once, and does not loop", async () => {
  given.service.onStream = refuse(401, "invalid_token");
  let asked = 0;
  const board = follow({ getToken: async () => `t${++asked}` });
  await untilVersion(board, 1);
  assert.equal(board.getSnapshot().status, "readonly");
  assert.equal(asked, 2);
  const tokens = given.service.requests.map(({ headers }) => headers.authorization);
  assert.deepEqual(tokens, ["Bearer t1", "Bearer t2", undefined]);
});

test("an expired token is replaced at once, but not again and again", async () => {
  let asked = 0;
  const expired = frame("error", { code: "token_expired", message: "the token has expired" });
  const board = follow({ getToken: async () => `t${++asked}` });
  await untilVersion(board, 5);
  mock.timers.tick(20_000);
  given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
  given.service.streams[0].end(expired);
  await untilVersion(board, 6);
  assert.equal(given.service.requests[1].headers.authorization, "Bearer t2");
  given.service.onStream = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.end(authenticated("u1") + expired);
  };
  mock.timers.tick(20_000);
  given.service.streams[0].end(expired);
  await untilStatus(board, "readonly");
  assert.equal(asked, 3);
});

test("a getToken that fails is tried again like a lost connection", async () => {
  let asked = 0;
  const getToken = async () => {
    if (++asked <= 2) throw new Error("no network");
    return "t1";
  };
  const board = follow({ getToken });
  const { status, error } = await until(board, (snapshot) => snapshot.error !== null);
  assert.equal(status, "connecting");
  assert.equal(error?.code, "token");
  mock.timers.tick(500);
  await untilStatus(board, "live");
});

test("a board that is offline wakes with the network", async (t) => {
  const { window } = browserPage(t);
  mock.method(Math, "random", () => 0);
  let tries = 0;
  given.service.onStream = (request, response) =>
    refuse(500, `broken ${++tries}`)(request, response);
  const board = follow();
  for (let i = 1; i <= 6; i++) {
    await until(board, ({ error }) => error?.code === `broken ${i}`);
    mock.timers.tick(0);
  }
  await untilStatus(board, "offline");
  given.service.onStream = (_, response) => given.service.welcome(response);
  window.dispatchEvent(new Event("online"));
  await untilStatus(board, "live");
});
