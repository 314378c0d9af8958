// @ts-check

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { EventSource, opened } from "./eventsource.js";
import {
  follow,
  given,
  prepare,
  replaceGlobal,
  send,
  settled,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { frame, refuse, update } from "./service.js";

prepare();

beforeEach((t) => {
  opened.length = 0;
  const test = /** @type {import("node:test").TestContext} */ (t);
  replaceGlobal(test, "EventSource", EventSource);
  replaceGlobal(test, "location", new URL("/page?x=1", given.service.baseUrl));
});

test("on the page's own origin and without a getToken, an EventSource brings the stream", async () => {
  given.service.userId = "u2";
  const board = follow({ baseUrl: `${given.service.baseUrl}/` });
  const got = await untilVersion(board, 5);
  assert.equal(got.status, "live");
  assert.equal(got.me?.rank, 2);
  const query = "/v1/events?board=global&period=all-time&mode=diff";
  assert.deepEqual(opened, [given.service.baseUrl + query]);
  assert.equal(given.service.requests.length, 1);
  const change = {
    type: "position_change",
    board: "global",
    period: "all-time",
    from: 5,
    version: 6,
  };
  send(
    frame("position_change", { ...change, changes: [], totalEntries: 9, timestamp: null }, "e-6"),
  );
  assert.equal((await untilVersion(board, 6)).totalEntries, 9);
});

test("with a getToken, or on another origin, no EventSource is used", async (t) => {
  await untilVersion(follow({ getToken: async () => "t1" }), 5);
  replaceGlobal(t, "location", new URL("https://elsewhere.example/"));
  await untilVersion(follow(), 5);
  assert.deepEqual(opened, []);
});

test("an EventSource that breaks off is closed, and the next try uses fetch, which tells why it fails", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.onStream = refuse(500, "broken");
  given.service.streams[0].destroy();
  await untilStatus(board, "stale");
  mock.timers.tick(499);
  await settled();
  assert.equal(given.service.requests.length, 1);
  mock.timers.tick(1);
  await until(board, ({ error }) => error?.code === "broken");
  given.service.onStream = (_, response) => given.service.welcome(response);
  mock.timers.tick(1_000);
  await untilStatus(board, "live");
  assert.equal(opened.length, 1);
  assert.equal(given.service.requests.length, 3);
  assert.equal(given.service.requests[2].headers["last-event-id"], "e-5");
});

test("after a goodbye it returns at the time that the goodbye says", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.streams[0].end(frame("goodbye", { reason: "shutdown", retryAfter: 3_000 }));
  await untilStatus(board, "stale");
  mock.timers.tick(2_999);
  await settled();
  assert.equal(given.service.requests.length, 1);
  mock.timers.tick(1);
  await untilStatus(board, "live");
});

test("a new EventSource goes on from the last id of the one before", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
  send(frame("error", { code: "token_expired", message: "the token has expired" }));
  await untilVersion(board, 6);
  assert.equal(opened.length, 2);
  assert.match(opened[1], /&last_event_id=e-5$/);
});

for (const status of [401, 403]) {
  test(`fetch finds out why an EventSource was refused: a ${status} is readonly`, async () => {
    given.service.onStream = refuse(status, "no");
    const board = follow();
    await until(board, (snapshot) => snapshot.status === "readonly" && snapshot.version === 1);
    assert.equal(opened.length, 1);
    assert.equal(given.service.asked("/v1/events").length, 2);
  });
}

test("Retry-After of a refusal is honoured", async () => {
  given.service.onStream = refuse(429, "too_many_streams", { "Retry-After": "12" });
  const board = follow();
  const { error } = await until(board, (snapshot) => snapshot.error !== null);
  assert.equal(error?.code, "too_many_streams");
  given.service.onStream = (_, response) => given.service.welcome(response);
  mock.timers.tick(11_999);
  await settled();
  assert.equal(opened.length, 1);
  mock.timers.tick(1);
  await untilStatus(board, "live");
});

test("an EventSource that did not begin is followed by fetch", async () => {
  let tries = 0;
  given.service.onStream = (request, response) => {
    if (++tries === 1) request.socket.destroy();
    else given.service.welcome(response);
  };
  const board = follow();
  const { error, status } = await untilVersion(board, 5);
  assert.equal(status, "live");
  assert.equal(error, null);
  assert.equal(opened.length, 1);
  assert.equal(tries, 2);
});

test("an error event with data is the service's, and one without is the connection's", async () => {
  const board = follow();
  await untilVersion(board, 5);
  given.service.onStream = refuse(403, "forbidden");
  send(frame("error", { code: "forbidden", message: "no member any more" }));
  await untilStatus(board, "readonly");
  assert.equal(opened.length, 1);
});

test("an EventSource that is silent for 40 s is lost, and close ends it", async () => {
  const board = follow();
  await untilVersion(board, 5);
  mock.timers.tick(40_000);
  await untilStatus(board, "stale");
  mock.timers.tick(500);
  await untilStatus(board, "live");
  const ended = new Promise((resolve) => given.service.streams.at(-1)?.on("close", resolve));
  board.close();
  await ended;
});

test("a malformed event is warned about and ignored", async () => {
  const board = follow();
  await untilVersion(board, 5);
  send(frame("leaderboard:updated", "{") + frame("leaderboard:updated", update(6), "e-6"));
  assert.equal((await untilVersion(board, 6)).status, "live");
  assert.equal(/** @type {any} */ (console.warn).mock.callCount(), 1);
});
