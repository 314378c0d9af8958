// @ts-check

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  followInTab as follow,
  given,
  prepare,
  replaceGlobal,
  send,
  tokenOf,
  until,
  untilStatus,
  untilVersion,
} from "./following.js";
import { Locks } from "./locks.js";
import { frame, page, update } from "./service.js";

prepare();

beforeEach((t) => {
  const test = /** @type {import("node:test").TestContext} */ (t);
  replaceGlobal(test, "navigator", { locks: new Locks() });
  given.service.userId = "u1";
});

const getToken = async () => tokenOf({ sub: "u1" });
/** A name in an older database: the accent is a character of its own. */
const OLD = "classroom:Jose\u0301";
const NORMAL = "classroom:José";

/**
 * The first event of a board in a stream.
 * @param {number} version
 * @param {string} board
 */
const first = (version, board) => frame("leaderboard:updated", update(version, { board }));

/** The boards that the first stream was asked for. */
function asked() {
  const [{ url }] = given.service.asked("/v1/events?");
  return new URL(url, "http://service").searchParams.getAll("board");
}

test("a board is asked for exactly as it is named, which an older database needs", async () => {
  given.service.boards = [OLD];
  given.service.greeting = first(5, OLD);
  const board = follow({ getToken, board: OLD });
  assert.equal((await untilVersion(board, 5)).board, OLD);
  assert.deepEqual(asked(), [OLD]);
  given.service.onPage = (request, response) => {
    assert.match(request.url ?? "", /leaderboards\/classroom%3AJose%CC%81\?/);
    response.end(JSON.stringify(page(6, { board: OLD })));
  };
  const { entries } = await board.around();
  assert.equal(entries.length, 3);
});

test("a board in several spellings gets its events in each", async () => {
  given.service.boards = [NORMAL];
  given.service.greeting = first(5, NORMAL);
  const tab = new Map();
  const boards = [OLD, ` ${NORMAL} `, NORMAL].map((board) => follow({ getToken, board }, tab));
  for (const board of boards) assert.equal((await untilVersion(board, 5)).status, "live");
  const change = { board: NORMAL, period: "all-time", from: 5, version: 6, changes: [] };
  send(frame("position_change", { ...change, totalEntries: 9, timestamp: null }, "e-6"));
  /** @type {string[]} */
  const moved = [];
  for (const board of boards) board.on("rank_changed", (move) => moved.push(move.board));
  const move = { board: NORMAL, period: "all-time", userId: "u1", pointsGained: 3 };
  send(frame("rank_changed", { ...move, oldRank: 2, newRank: 1 }));
  send(first(7, NORMAL));
  for (const board of boards) assert.equal((await untilVersion(board, 7)).totalEntries, 200);
  assert.deepEqual(moved, [OLD, ` ${NORMAL} `, NORMAL]);
  // So does a follower, in its own spelling.
  const other = follow({ getToken, board: OLD });
  assert.equal((await untilVersion(other, 7)).board, OLD);
  assert.equal(given.service.streams.length, 1);
});

test("two boards of an older database that look the same stay apart", async () => {
  given.service.boards = [NORMAL, OLD];
  given.service.greeting = first(5, NORMAL) + first(8, OLD);
  const tab = new Map();
  const normal = follow({ getToken, board: NORMAL }, tab);
  const old = follow({ getToken, board: OLD }, tab);
  await untilVersion(normal, 5);
  await untilVersion(old, 8);
  send(first(6, NORMAL));
  await untilVersion(normal, 6);
  assert.equal(old.getSnapshot().version, 8);
  send(frame("error", { code: "forbidden", message: "no member any more", board: OLD }));
  await untilStatus(old, "readonly");
  assert.equal(normal.getSnapshot().status, "live");
});

test("a page in the service's spelling is accepted, and no other board's", async () => {
  const board = follow({ board: OLD });
  given.service.onPage = (_, response) => response.end(JSON.stringify(page(9, { board: NORMAL })));
  await board.refresh();
  await untilVersion(board, 9);
  given.service.onPage = (_, response) => response.end(JSON.stringify(page(10)));
  await board.refresh();
  await until(board, ({ error }) => error?.code === "malformed");
});
