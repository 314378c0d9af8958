// @ts-check

export { connect } from "./client/connect.js";

// In a browser the tag <marcador-board> is known as well; nothing waits for it.
if (globalThis.customElements !== undefined) {
  const define = () => import("./element.js").catch((cause) => console.warn("marcador:", cause));
  // A page without the tag has other things to load first.
  if (document.readyState === "complete" || document.querySelector("marcador-board")) define();
  else addEventListener("load", define, { once: true });
}
