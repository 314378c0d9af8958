// @ts-check
/** @import { End, Next } from "../client/tries.js" */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Refusal } from "../client/http.js";
import { Tries } from "../client/tries.js";

const MINUTE = 60_000;

beforeEach(() => {
  mock.method(Math, "random", () => 0.5);
});

/**
 * Judges the end of a stream that lived for a second.
 * @param {Tries} tries
 * @param {Partial<End>} end
 */
function judge(tries, end) {
  const usual = {
    status: /** @type {const} */ ("live"),
    lived: 1_000,
    silent: false,
    quiet: false,
  };
  return tries.judge({ refusal: new Refusal(0, "closed", ""), ...usual, ...end });
}

/** The decision in one text, such as "wait 500 waiting". @param {Next} next */
function text({ action, delay, state }) {
  return [action, delay, state.status].filter((one) => one !== undefined).join(" ");
}

/** @type {[string, Partial<End>, string][]} */
const cases = [
  ["the connection broke", {}, "wait 500 waiting"],
  ["a token expired", { refusal: new Refusal(0, "token_expired", "") }, "renew"],
  ["a newer stream replaced it", { refusal: new Refusal(0, "replaced", "") }, "never replaced"],
  ["401", { refusal: new Refusal(401, "token_invalid", "") }, `wait ${MINUTE} readonly`],
  ["403", { refusal: new Refusal(403, "forbidden", "") }, `wait ${MINUTE} readonly`],
  ["400", { refusal: new Refusal(400, "bad", "") }, `wait ${MINUTE} offline`],
  ["404", { refusal: new Refusal(404, "unknown_board", "") }, `wait ${MINUTE} offline`],
  ["422", { refusal: new Refusal(422, "invalid_input", "") }, `wait ${MINUTE} offline`],
  ["503", { refusal: new Refusal(503, "busy", "") }, "wait 500 waiting"],
  ["503 with a time", { refusal: new Refusal(503, "busy", "", 9_000) }, "wait 9000 waiting"],
  ["the site is blocked", { refusal: new Refusal(0, "cors", "") }, `wait ${MINUTE} offline`],
  ["a difference did not fit", { refusal: new Refusal(0, "gap", "") }, "soon"],
  ["a quiet try failed", { quiet: true, status: "buffered" }, `wait ${MINUTE}`],
  ["a quiet try failed", { quiet: true, status: "readonly" }, `wait ${MINUTE}`],
  ["silence in a buffered stream", { silent: true, status: "buffered" }, `wait ${MINUTE} buffered`],
  ["silence after a good beginning", { silent: true }, "wait 500 waiting"],
];
for (const [name, end, want] of cases) {
  test(`${name}, ${end.status ?? "live"}: ${want}`, () => {
    assert.equal(text(judge(new Tries(), end)), want);
  });
}

test("the sixth failure in a row is offline, and a stream that begins counts anew", () => {
  const tries = new Tries();
  const five = Array.from({ length: 5 }, () => text(judge(tries, {})));
  assert.deepEqual(
    five,
    [500, 1_000, 2_000, 4_000, 8_000].map((delay) => `wait ${delay} waiting`),
  );
  assert.equal(text(judge(tries, {})), `wait ${MINUTE} offline`);
  tries.hope();
  tries.succeed();
  assert.equal(text(judge(tries, {})), "wait 500 waiting");
});

test("a second stream that falls silent is buffered, unless the first had lived for long", () => {
  const tries = new Tries();
  judge(tries, { silent: true, lived: 40_000 });
  assert.equal(text(judge(tries, { silent: true, lived: 40_000 })), `wait ${MINUTE} buffered`);
  const other = new Tries();
  judge(other, { silent: true, lived: 600_000 });
  assert.match(text(judge(other, { silent: true, lived: 40_000 })), /waiting$/);
});

test("a token is renewed again only after a stream has settled", () => {
  const tries = new Tries();
  const expired = new Refusal(0, "token_expired", "");
  assert.equal(judge(tries, { refusal: expired }).action, "renew");
  assert.equal(text(judge(tries, { refusal: expired })), `wait ${MINUTE} readonly`);
  assert.equal(judge(tries, { refusal: expired, lived: 10_000 }).action, "renew");
});

test("a difference that does not fit again is a failure like any other", () => {
  const tries = new Tries();
  const gap = new Refusal(0, "gap", "");
  assert.equal(judge(tries, { refusal: gap }).action, "soon");
  assert.equal(text(judge(tries, { refusal: gap })), "wait 1000 waiting");
});
