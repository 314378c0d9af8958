// @ts-check

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Election } from "../client/election.js";

/** @type {Election[]} */
let tabs = [];
/** What tabs were told, such as "0 leads". @type {string[]} */
let told = [];

/** Messages that are under way. @type {(() => void)[]} */
let posted = [];

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000 });
  [tabs, told, posted] = [[], [], []];
});

/** A tab that all others hear. */
function tab() {
  const number = tabs.length;
  const election = new Election(
    (message) => {
      posted.push(() => {
        for (const other of tabs) if (other !== election) other.hear(message);
      });
    },
    () => told.push(`${number} leads`),
    () => told.push(`${number} lost`),
  );
  tabs.push(election);
  return election;
}

/** Time passes, in which messages arrive. @param {number} time */
function pass(time) {
  for (let i = 0; i < time; i++) {
    for (const arrive of posted.splice(0)) arrive();
    mock.timers.tick(1);
  }
}

test("the first tab leads, and later tabs follow", () => {
  tab().enter();
  pass(200);
  tab().enter();
  pass(1_000);
  assert.deepEqual(told, ["0 leads"]);
});

test("if tabs claim together, one leads, and no other has led before it", () => {
  for (let i = 0; i < 5; i++) tab();
  for (const one of tabs) one.enter();
  pass(1_000);
  assert.equal(told.length, 1);
});

test("when the leader leaves, one of the others leads", () => {
  for (let i = 0; i < 4; i++) {
    tab().enter();
    pass(200);
  }
  tabs[0].leave();
  tabs.shift();
  pass(1_000);
  assert.equal(told.length, 2);
});

test("a tab that claims the lead gets it, and the leader loses it", () => {
  tab().enter();
  pass(200);
  tab().claim();
  pass(200);
  assert.deepEqual(told, ["0 leads", "0 lost", "1 leads"]);
});
