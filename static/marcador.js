// @ts-check

export { connect } from "./client/connect.js";

// In a browser this module also defines the tag <marcador-board>. Nothing waits for it.
if (globalThis.customElements !== undefined) {
  const define = () => import("./element.js").catch((cause) => console.warn("marcador:", cause));
  // A page without the tag loads everything else first.
  if (document.readyState === "complete" || document.querySelector("marcador-board")) define();
  else addEventListener("load", define, { once: true });
}
