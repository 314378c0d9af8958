// @ts-check

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { EventSource } from "./eventsource.js";
import {
  browserPage,
  eventually,
  follow,
  given,
  prepare,
  replaceGlobal,
  send,
  settled,
  settledAll,
  statusesOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { authenticated, frame, page, refuse, update } from "./service.js";

prepare();

/** Streams that bring nothing, oldest first. @type {import("./service.js").Response[]} */
let buffered = [];

beforeEach(() => {
  buffered = [];
});

/** A proxy holds back all bytes of streams from now on. */
function holdBack() {
  given.service.onStream = (_, response) => {
    buffered.push(response);
  };
}

/** A board whose stream brings nothing, so that its page is read. */
async function followByPages() {
  holdBack();
  countPages();
  const board = follow();
  await given.service.untilAsked("/v1/events", 1);
  mock.timers.tick(5_000);
  await untilStatus(board, "polling");
  return board;
}

/** Each page that is read has the next version, from 1. */
function countPages() {
  let version = 0;
  given.service.onPage = (_, response) => response.end(JSON.stringify(page(++version)));
}

test("a stream that brings nothing within five seconds: pages are read every 15 s", async () => {
  holdBack();
  countPages();
  const board = follow();
  await given.service.untilAsked("/v1/events", 1);
  mock.timers.tick(4_999);
  await settled();
  assert.equal(given.service.asked("/v1/leaderboards").length, 0);
  assert.equal(board.getSnapshot().status, "connecting");
  mock.timers.tick(1);
  const { version } = await untilStatus(board, "polling");
  assert.equal(version, 1);
  await settled();
  mock.timers.tick(15_000);
  assert.equal((await untilVersion(board, 2)).status, "polling");
});

test("a stream that begins to deliver late is live at once", async () => {
  const board = await followByPages();
  given.service.welcome(buffered[0]);
  assert.equal((await untilStatus(board, "live")).error, null);
  await untilVersion(board, 5);
  mock.timers.tick(15_000);
  await settled();
  assert.equal(given.service.asked("/v1/leaderboards").length, 1);
});

test("the stream is tried again once a minute, and a try that fails changes nothing", async () => {
  const board = await followByPages();
  const statuses = statusesOf(board);
  for (let tries = 2; tries <= 4; tries++) {
    await settled();
    // The silent stream is given up after 40 s in all.
    for (let i = 0; i < 20 && buffered.length < tries; i++) {
      mock.timers.tick(5_000);
      await eventually(() => given.service.asked("/v1/events").length === buffered.length);
      await settledAll();
    }
    assert.equal(buffered.length, tries);
  }
  assert.deepEqual([...new Set(statuses)], ["polling"]);
  given.service.welcome(buffered[3]);
  await untilStatus(board, "live");
});

test("if the page can't be read either, the board is offline until it can", async () => {
  holdBack();
  given.service.onPage = refuse(502, "away");
  const board = follow();
  await given.service.untilAsked("/v1/events", 1);
  mock.timers.tick(5_000);
  assert.equal((await untilStatus(board, "offline")).error?.code, "away");
  countPages();
  await settled();
  mock.timers.tick(15_000);
  assert.equal((await untilStatus(board, "polling")).error, null);
});

test("a first page that stops halfway: pages are read until the rest comes", async () => {
  countPages();
  given.service.onStream = (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(authenticated(null) + given.service.greeting.slice(0, 100));
    given.service.streams.push(response);
  };
  const board = follow();
  await untilStatus(board, "live");
  mock.timers.tick(5_000);
  await untilStatus(board, "polling");
  send(given.service.greeting.slice(100));
  await untilStatus(board, "live");
  await untilVersion(board, 5);
});

test("a stream that falls silent after its first page is opened anew once, then pages are read", async () => {
  countPages();
  const board = follow();
  await untilVersion(board, 5);
  mock.timers.tick(40_000);
  await untilStatus(board, "stale");
  mock.timers.tick(500);
  await untilStatus(board, "live");
  mock.timers.tick(40_000);
  await untilStatus(board, "polling");
  assert.equal(given.service.asked("/v1/events").length, 2);
});

test("an EventSource that brings nothing within five seconds: pages are read", async (t) => {
  replaceGlobal(t, "EventSource", EventSource);
  replaceGlobal(t, "location", new URL("/page", given.service.baseUrl));
  const board = await followByPages();
  given.service.welcome(buffered[0]);
  await untilStatus(board, "live");
});

const replaced = frame("error", { code: "replaced", message: "a newer stream took its place" });

test("a replaced stream is not opened again by itself: pages are read", async (t) => {
  const { window } = browserPage(t);
  countPages();
  const board = follow();
  await untilVersion(board, 5);
  given.service.streams[0].end(`retry: 60000\n${replaced}`);
  await untilStatus(board, "polling");
  await untilVersion(board, 1);
  for (let i = 0; i < 40; i++) {
    mock.timers.tick(15_000);
    await settled();
  }
  window.dispatchEvent(new Event("mousemove"));
  await settled();
  assert.equal(given.service.asked("/v1/events").length, 1);
  assert.equal(board.getSnapshot().status, "polling");
});

for (const [what, look] of /** @type {const} */ ([
  ["seen", "visibilitychange"],
  ["in front", "focus"],
  ["touched", "pointerdown"],
  ["typed into", "keydown"],
  ["asked to retry", "retry"],
])) {
  test(`a page whose stream was replaced opens one when it is ${what} again`, async (t) => {
    const { document, window } = browserPage(t);
    const board = follow();
    await untilVersion(board, 5);
    given.service.streams[0].end(replaced);
    await untilStatus(board, "polling");
    if (look === "retry") board.retry();
    else (look === "visibilitychange" ? document : window).dispatchEvent(new Event(look));
    await untilStatus(board, "live");
    assert.equal(given.service.asked("/v1/events").length, 2);
    await until(board, ({ version }) => version === 5);
    given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
    window.dispatchEvent(new Event("pointerdown"));
    await settled();
    assert.equal(given.service.asked("/v1/events").length, 2);
  });
}
