// @ts-check
/** @import { Board, ConnectOptions } from "./marcador.d.ts" */

import { Following } from "./marcador/following.js";
import { complete } from "./marcador/options.js";

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

// In a browser the tag <marcador-board> is known as well; nothing waits for it.
if (globalThis.customElements !== undefined) {
  const define = () =>
    import("./marcador/element.js").catch((cause) => console.warn("marcador:", cause));
  // A page without the tag has other things to load first.
  if (document.readyState === "complete" || document.querySelector("marcador-board")) define();
  else addEventListener("load", define, { once: true });
}
