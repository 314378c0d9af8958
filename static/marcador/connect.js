// @ts-check
/** @import { Board, ConnectOptions } from "../marcador.d.ts" */

import { Following } from "./following.js";
import { complete } from "./options.js";

/** @param {ConnectOptions} [options] @returns {Board} */
export function connect(options = {}) {
  const following = new Following(complete(options));
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
