// @ts-check
/** @import { Board, ConnectOptions } from "../marcador.d.ts" */
/** @import { SharedStream } from "./shared.js" */

import { FollowedBoard } from "./followed.js";
import { complete } from "./options.js";

/**
 * The streams of this page, by name. A name says the service and the person.
 * @type {Map<string, SharedStream>}
 */
const streams = new Map();

/** @param {ConnectOptions} [options] @returns {Board} */
export function connect(options = {}) {
  return boardOf(options, streams);
}

/**
 * Follows a board with the streams of some page.
 * @param {ConnectOptions} options
 * @param {Map<string, SharedStream>} page by name
 * @returns {Board}
 */
export function boardOf(options, page) {
  const followed = new FollowedBoard(complete(options), page);
  return {
    subscribe: (listener) => followed.subscribe(listener),
    getSnapshot: () => followed.snapshot,
    on: (type, listener) => followed.on(type, listener),
    refresh: () => followed.refresh(),
    around: (neighbours) => followed.around(neighbours),
    read: (path) => followed.read(path),
    retry: () => followed.retry(),
    close: () => followed.close(),
  };
}
