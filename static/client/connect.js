// @ts-check
/** @import { Board, ConnectOptions } from "../marcador.d.ts" */
/** @import { SharedStream } from "./shared.js" */

import { Following } from "./following.js";
import { complete } from "./options.js";

/** What this page follows, by whom it speaks for. @type {Map<string, SharedStream>} */
const streams = new Map();

/** @param {ConnectOptions} [options] @returns {Board} */
export function connect(options = {}) {
  return boardOf(options, streams);
}

/** @param {ConnectOptions} options @param {Map<string, SharedStream>} page the streams of a page, by name @returns {Board} */
export function boardOf(options, page) {
  const following = new Following(complete(options), page);
  return {
    subscribe: (listener) => following.subscribe(listener),
    getSnapshot: () => following.snapshot,
    on: (type, listener) => following.on(type, listener),
    refresh: () => following.refresh(),
    around: (neighbours) => following.around(neighbours),
    read: (path) => following.read(path),
    retry: () => following.retry(),
    close: () => following.close(),
  };
}
