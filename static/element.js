// @ts-check
/** @import { Board, Snapshot } from "./marcador.d.ts" */
/** @import { MarcadorBoard as Typed } from "./element.d.ts" */
/** @import { Settings } from "./element/settings.js" */

import { connect } from "./client/connect.js";
import { Frame } from "./element/frame.js";
import { homeOf, REMEDIES, settings } from "./element/settings.js";
import { style } from "./element/style.js";
import { speak } from "./view/words.js";

const TAG = "marcador-board";
const SETTABLE = ["board", "period", "rows", "src", "label", "getToken"];
/** Relative times move in steps of ten seconds at the least. */
const TICK = 5_000;

// Where there is no page, as in Node, the class is there to be imported and makes nothing.
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

/**
 * A board that follows itself: `<marcador-board board="school:42" period="weekly" rows="10">`.
 * @implements {Typed}
 */
export class MarcadorBoard extends Base {
  static observedAttributes = ["board", "period", "rows", "src", "label", "lang", "gettoken"];

  #root = /** @type {ShadowRoot | null} */ (null);
  #board = /** @type {Board | null} */ (null);
  #frame = /** @type {Frame | null} */ (null);
  #getToken = /** @type {(() => Promise<string | null>) | null} */ (null);
  #snapshot = /** @type {Snapshot | null} */ (null);
  /** What the connection and the view were made of, "" where there is none. */
  #followed = "";
  #drawn = "";
  /** What was complained of last, so that it is not said twice. */
  #complaint = "";
  #due = false;
  #ticking = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  /** Hears the page change its language. */
  #hearing = /** @type {MutationObserver | null} */ (null);

  /** Gives the reader's token, as `connect` wants it; null where a cookie speaks, or nobody. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(ask) {
    const next = ask ?? null;
    if (next === this.#getToken) return;
    if (next !== null && typeof next !== "function") {
      throw new TypeError("getToken: give a function that returns a promise of a token, or null");
    }
    this.#getToken = next;
    this.#followed = "";
    this.#later();
  }

  /** What is shown, null before the first connection. The last one stays after the element's removal. */
  get snapshot() {
    return this.#snapshot;
  }

  get board() {
    return this.getAttribute("board") ?? "";
  }

  set board(name) {
    this.setAttribute("board", name);
  }

  get period() {
    return this.getAttribute("period") ?? "";
  }

  set period(name) {
    this.setAttribute("period", name);
  }

  get rows() {
    return settings((name) => this.getAttribute(name), "", "about:blank").rows;
  }

  set rows(count) {
    this.setAttribute("rows", String(count));
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(address) {
    this.setAttribute("src", address);
  }

  get label() {
    return this.getAttribute("label") ?? "";
  }

  set label(text) {
    this.setAttribute("label", text);
  }

  /** Reads the page once. Always resolves. */
  async refresh() {
    await this.#board?.refresh();
  }

  retry() {
    this.#board?.retry();
  }

  connectedCallback() {
    adopt(this);
    this.#hearing ??= new MutationObserver(() => this.#later());
    this.#hearing.observe(this.ownerDocument.documentElement, { attributeFilter: ["lang"] });
    // At once, so that the room is taken before the page is painted.
    this.#sync();
  }

  disconnectedCallback() {
    this.#hearing?.disconnect();
    this.#later();
  }

  attributeChangedCallback() {
    this.#later();
  }

  /** Several changes of one moment, and a move within the page, are one. */
  #later() {
    if (this.#due || this.#root === null) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#sync();
    });
  }

  /** Makes what is shown that which the attributes ask for. */
  #sync() {
    if (!this.isConnected) {
      this.#close();
      return;
    }
    const asked = settings(
      (name) => this.getAttribute(name),
      homeOf(import.meta.url),
      this.ownerDocument.baseURI,
    );
    const voice = speak([...languagesAround(this), ...navigator.languages]);
    const followed = JSON.stringify(asked);
    const drawn = JSON.stringify([followed, this.label, voice.locale]);
    const again = followed !== this.#followed;
    if (!again && drawn === this.#drawn) return;
    if (again) this.#close();
    this.#followed = followed;
    this.#drawn = drawn;
    if (this.#root === null) {
      this.#root = this.attachShadow({ mode: "open" });
      this.#root.adoptedStyleSheets = [style()];
    }
    const givesTokens = this.#getToken !== null;
    this.#frame?.close();
    this.#frame = new Frame(voice, asked, this.label, givesTokens, (action) => this[action]());
    this.#root.replaceChildren(this.#frame.element);
    if (again) {
      this.#complain(asked);
      if (!asked.broken) this.#open(asked);
    } else {
      this.#render();
    }
  }

  /** @param {Settings} asked */
  #open({ board, period, baseUrl, rows }) {
    const getToken = this.#getToken ?? undefined;
    this.#board = connect({ board, period, baseUrl, rows, getToken });
    this.#board.subscribe(() => this.#render());
    this.#board.on("rank_changed", (move) => this.#tell("marcador-rank", move));
    this.#ticking = setInterval(() => this.#frame?.tick(), TICK);
    this.#render();
  }

  #close() {
    clearInterval(this.#ticking);
    this.#board?.close();
    this.#board = null;
    this.#frame?.close();
    this.#frame = null;
    this.#followed = "";
    this.#drawn = "";
  }

  #render() {
    if (this.#board === null) return;
    const old = this.#snapshot;
    const now = this.#board.getSnapshot();
    this.#snapshot = now;
    this.#frame?.show(now);
    const same = old !== null && old.board === now.board && old.period === now.period;
    if (!same || old.status !== now.status) this.#tell("marcador-status", { status: now.status });
    if (now.version !== null && (!same || old.version !== now.version)) {
      this.#tell("marcador-update", { snapshot: now });
    }
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail }));
  }

  /** @param {Settings} asked */
  #complain({ wrong }) {
    const complaint = wrong
      .map(
        ({ name, value }) =>
          `${name}=${JSON.stringify(value)} can't be followed: ${REMEDIES[name]}`,
      )
      .join("; ");
    if (complaint !== "" && complaint !== this.#complaint) console.warn(`<${TAG}> ${complaint}`);
    this.#complaint = complaint;
  }
}

/** Takes what a page has set before this module came, and so beside the class. @param {any} element */
function adopt(element) {
  for (const name of SETTABLE) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/** The languages that are said around an element, its own first, through shadow roots. @param {Element} element */
function languagesAround(element) {
  const languages = [];
  let at = /** @type {Element | null} */ (element);
  while (at !== null) {
    const said = at.closest("[lang]");
    if (said !== null) languages.push(said.getAttribute("lang"));
    const root = (said ?? at).getRootNode();
    at = said?.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
  }
  return languages;
}

// Two scripts of two services may define it: the first one's address is the default of src.
if (globalThis.customElements?.get(TAG) === undefined) {
  globalThis.customElements?.define(TAG, MarcadorBoard);
}
