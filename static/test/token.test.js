// @ts-check

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { claimsOf, lifeOf, personOf } from "../client/token.js";
import {
  eventually,
  follow,
  given,
  prepare,
  send,
  settled,
  settledAll,
  statusesOf,
  tokenOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { frame, refuse, update } from "./service.js";

prepare();

/** @param {number} seconds from now @param {Record<string, unknown>} [claims] */
const good = (seconds, claims = {}) =>
  tokenOf({ sub: "u1", exp: Date.now() / 1000 + seconds, ...claims });

test("the claims of a token are read, and malformed tokens have none", () => {
  const claims = { sub: "Añil ✓", scope: "admin", exp: 20, iat: 10 };
  assert.deepEqual(claimsOf(tokenOf({ ...claims, name: "Añil" })), claims);
  const none = { sub: null, scope: "", exp: null, iat: null };
  for (const token of ["", "opaque", "a.b.c", "a.e30.c.d", tokenOf({ sub: 7, exp: "soon" })]) {
    assert.deepEqual(claimsOf(token), none, token);
  }
});

test("tokens of one user and scope are one person's, and a token without a user is alone", async () => {
  assert.equal(await personOf(good(10)), "user:u1");
  assert.equal(await personOf(good(99)), "user:u1");
  assert.equal(await personOf(good(99, { scope: "read admin" })), "user:u1 read admin");
  assert.equal(await personOf(good(99, { scope: ["read", "admin"] })), "user:u1 read admin");
  assert.match(await personOf("opaque"), /^token:[0-9a-f]{64}$/);
  assert.notEqual(await personOf("opaque"), await personOf("opaque2"));
});

test("the life of a token does not depend on a wrong clock", () => {
  const now = Date.now() / 1000;
  assert.equal(lifeOf("opaque"), null);
  assert.equal(lifeOf(tokenOf({ exp: now + 60 })), 60_000);
  assert.equal(lifeOf(tokenOf({ exp: now + 60, iat: now - 540 })), 60_000);
  assert.equal(lifeOf(tokenOf({ exp: now - 3_000, iat: now - 3_600 })), 600_000);
  assert.equal(lifeOf(tokenOf({ exp: now + 4_200, iat: now + 3_600 })), 600_000);
});

/**
 * Sends the next version, so that the stream is not silent, and waits for it.
 * @param {import("./following.js").Board} board
 * @param {number} version
 */
async function hear(board, version) {
  send(frame("leaderboard:updated", update(version), `e-${version}`));
  await untilVersion(board, version);
}

test("the live stream gets a fresh token before each one expires", async () => {
  let asked = 0;
  const board = follow({ getToken: async () => good(36, { jti: ++asked }) });
  await untilVersion(board, 5);
  given.service.onPage = (_, response) => response.end("{}");
  for (let i = 1; i <= 3; i++) {
    // A quarter of its life before its end, less a random part.
    mock.timers.tick(29_249);
    await hear(board, 5 + i);
    assert.equal(asked, i);
    mock.timers.tick(1);
    await given.service.untilAsked("/v1/events/s1/token", i);
    const { method, headers } = given.service.asked("/v1/events/s1/token")[i - 1];
    assert.equal(method, "POST");
    const { exp } = claimsOf(headers.authorization?.slice("Bearer ".length) ?? "");
    assert.equal(exp, Date.now() / 1000 + 36);
    await settledAll();
  }
  assert.equal(given.service.asked("/v1/events?").length, 1);
  assert.equal(board.getSnapshot().status, "live");
});

test("a getToken that gives the old token again is asked a few times, and the stream gets none", async () => {
  let asked = 0;
  const token = good(36);
  const board = follow({
    getToken: async () => {
      asked++;
      return token;
    },
  });
  await untilVersion(board, 5);
  for (let i = 1; i <= 36; i++) {
    mock.timers.tick(1_000);
    await hear(board, 5 + i);
  }
  assert.equal(asked, 3);
  assert.equal(given.service.asked("/token").length, 0);
});

test("if the stream can't be given a token, it goes on until it ends", async () => {
  let asked = 0;
  const board = follow({ getToken: async () => good(36, { jti: ++asked }) });
  await untilVersion(board, 5);
  given.service.onPage = refuse(404, "not_found");
  mock.timers.tick(29_250);
  await given.service.untilAsked("/token", 1);
  await eventually(() => /** @type {any} */ (console.warn).mock.callCount() === 1);
  await hear(board, 6);
  mock.timers.tick(10_000);
  await hear(board, 7);
  assert.equal(given.service.asked("/token").length, 1);
  assert.equal(board.getSnapshot().status, "live");
});

test("a token that expires in a year or never is not renewed", async () => {
  for (const token of [tokenOf({ sub: "u1" }), good(365 * 24 * 60 * 60)]) {
    let asked = 0;
    const getToken = async () => {
      asked++;
      return token;
    };
    const board = follow({ getToken });
    await untilVersion(board, 5);
    await settled();
    mock.timers.tick(1_000);
    await settled();
    assert.equal(asked, 1);
    board.close();
  }
});

test("a stream whose token has expired is opened again, and the status stays live", async () => {
  let asked = 0;
  const board = follow({ getToken: async () => `opaque${++asked}` });
  await untilVersion(board, 5);
  const statuses = statusesOf(board);
  given.service.greeting = frame("leaderboard:updated", update(6), "e-6");
  const expired = { code: "token_expired", message: "the token has expired" };
  given.service.streams[0].end(frame("error", expired));
  await untilVersion(board, 6);
  assert.deepEqual(statuses, ["live"]);
  assert.equal(given.service.requests[1].headers.authorization, "Bearer opaque2");
  assert.equal(given.service.requests[1].headers["last-event-id"], "e-5");
});

test("if that takes longer than two seconds, the status is stale", async () => {
  let asked = 0;
  const getToken = async () => (++asked === 1 ? "opaque" : new Promise(() => {}));
  const board = follow({ getToken: /** @type {() => Promise<string>} */ (getToken) });
  await untilVersion(board, 5);
  const expired = { code: "token_expired", message: "the token has expired" };
  given.service.streams[0].end(frame("error", expired));
  await eventually(() => asked === 2);
  await settled();
  mock.timers.tick(1_999);
  assert.equal(board.getSnapshot().status, "live");
  mock.timers.tick(1);
  await untilStatus(board, "stale");
});

test("a getToken that gives no text is an error", async () => {
  const getToken = /** @type {any} */ (async () => ({ token: "t1" }));
  const { error } = await until(follow({ getToken }), (snapshot) => snapshot.error !== null);
  assert.equal(error?.code, "token");
  assert.match(error?.message ?? "", /no text/);
});

test("a token that does not come within 30 s is asked for again", async () => {
  let asked = 0;
  const board = follow({
    getToken: () => (++asked === 1 ? new Promise(() => {}) : Promise.resolve(good(600))),
  });
  await settled();
  mock.timers.tick(10_000);
  await settled();
  mock.timers.tick(20_000);
  const failed = await until(board, ({ error }) => error !== null);
  assert.equal(failed.error?.code, "token");
  assert.match(failed.error?.message ?? "", /no answer within 30 s/);
  mock.timers.tick(1_000);
  await untilStatus(board, "live");
  assert.equal(asked, 2);
});
