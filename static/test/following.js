// @ts-check

import { afterEach, before, beforeEach, mock } from "node:test";
import { boardOf, connect } from "../client/connect.js";
import { Locks } from "./locks.js";
import { frame, Service, update } from "./service.js";

/**
 * @typedef {import("../marcador.js").Board} Board
 * @typedef {import("../marcador.js").Snapshot} Snapshot
 */

/** The service of the present test. Boards follow it on a clock that only the test moves. */
export const given = { service: new Service() };

/** @type {Board[]} */
const boards = [];

/** Sets up every test of a file. Call it once. */
export function prepare() {
  // Once for all tests, since fetch has timers that live from one test to the next.
  before(() => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  });

  beforeEach(async () => {
    given.service = new Service();
    given.service.greeting = frame("leaderboard:updated", update(5), "e-5");
    await given.service.listen();
    mock.method(Math, "random", () => 0.5);
    mock.method(console, "warn", () => {});
  });

  afterEach(async () => {
    for (const board of boards.splice(0)) board.close();
    mock.restoreAll();
    await given.service.close();
  });
}

/** @param {import("../marcador.js").ConnectOptions} [options] */
export function follow(options = {}) {
  const board = connect({ baseUrl: given.service.baseUrl, ...options });
  boards.push(board);
  return board;
}

/**
 * Follows a board in a tab of its own.
 * @param {import("../marcador.js").ConnectOptions} [options]
 */
export function followInTab(options = {}, tab = new Map()) {
  const board = boardOf({ baseUrl: given.service.baseUrl, ...options }, tab);
  boards.push(board);
  return board;
}

/**
 * @param {Board} board
 * @param {(snapshot: Snapshot) => boolean} holds
 * @returns {Promise<Snapshot>}
 */
export function until(board, holds) {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds(board.getSnapshot())) return;
      unsubscribe();
      resolve(board.getSnapshot());
    };
    const unsubscribe = board.subscribe(look);
    look();
  });
}

/** @param {Board} board @param {import("../marcador.js").Status} status */
export const untilStatus = (board, status) =>
  until(board, (snapshot) => snapshot.status === status);

/** @param {Board} board @param {number} version */
export const untilVersion = (board, version) =>
  until(board, (snapshot) => snapshot.version === version);

/** Writes into the oldest stream. @param {string} text */
export const send = (text) => given.service.streams[0].write(text);

/** Resolves when everything that needs no clock and no message is done. */
export const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Resolves when several rounds of messages are done. @param {number} [rounds] */
export async function settledAll(rounds = 50) {
  for (let i = 0; i < rounds; i++) await settled();
}

/** The statuses that a board has from now on, in order. It grows. @param {Board} board */
export function statusesOf(board) {
  /** @type {string[]} */
  const statuses = [];
  board.subscribe(() => statuses.push(board.getSnapshot().status));
  return statuses;
}

/** Waits for sockets and messages while the clock stands. @param {() => boolean} holds */
export async function eventually(holds) {
  for (let i = 0; !holds(); i++) {
    if (i > 20_000) throw new Error(`it never comes to ${holds}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A token that no service has signed. @param {Record<string, unknown>} claims */
export function tokenOf(claims) {
  const part = (/** @type {unknown} */ value) =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.c2lnbmVk`;
}

/**
 * Replaces a global of the browser until the test is over.
 * @param {import("node:test").TestContext} t
 * @param {string} name
 * @param {unknown} value
 */
export function replaceGlobal(t, name, value) {
  const was = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (was === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, was);
  });
}

/**
 * A page whose visibility and events a test decides, alone in its browser.
 * @param {import("node:test").TestContext} t
 */
export function browserPage(t) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const window = new EventTarget();
  replaceGlobal(t, "document", document);
  replaceGlobal(t, "addEventListener", window.addEventListener.bind(window));
  // With locks it leads at once. Without them it would wait for a clock that stands.
  if (globalThis.navigator === undefined) replaceGlobal(t, "navigator", { locks: new Locks() });
  return { document, window };
}
