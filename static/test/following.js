// @ts-check

import { afterEach, before, beforeEach, mock } from "node:test";
import { boardOf, connect } from "../client/connect.js";
import { Locks } from "./locks.js";
import { frame, Service, update } from "./service.js";

/**
 * @typedef {import("../marcador.js").Board} Board
 * @typedef {import("../marcador.js").Snapshot} Snapshot
 */

/** What a test of this file has to do with: a service and the boards that follow it, on a clock that stands. */
export const given = { service: new Service() };

/** @type {Board[]} */
const boards = [];

/** To be called once by each file of tests. */
export function prepare() {
  // Once for all tests: what fetch keeps running from one to the next does not outlive a change of clocks.
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

/** Follows a board in a tab of its own. @param {import("../marcador.js").ConnectOptions} [options] */
export function followInTab(options = {}, tab = new Map()) {
  const board = boardOf({ baseUrl: given.service.baseUrl, ...options }, tab);
  boards.push(board);
  return board;
}

/** @param {Board} board @param {(snapshot: Snapshot) => boolean} holds @returns {Promise<Snapshot>} */
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

/** What was begun before is done, as far as it needs no clock. */
export const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Waits for what needs sockets or messages, but no clock. @param {() => boolean} holds */
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

/** Puts something in a browser's place, until the test is over. @param {import("node:test").TestContext} t @param {string} name @param {unknown} value */
export function stand(t, name, value) {
  const was = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (was === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, was);
  });
}

/** A page whose visibility and events a test decides, alone in its browser. @param {import("node:test").TestContext} t */
export function browserPage(t) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const window = new EventTarget();
  stand(t, "document", document);
  stand(t, "addEventListener", window.addEventListener.bind(window));
  // With locks it leads at once; without them a claim takes time, which stands still here.
  if (globalThis.navigator === undefined) stand(t, "navigator", { locks: new Locks() });
  return { document, window };
}
