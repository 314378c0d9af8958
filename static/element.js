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

// Without a page, as in Node, the class can be imported, and makes nothing.
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

/**
 * A live board as one tag: `<marcador-board board="school:42" period="weekly" rows="10">`.
 * @implements {Typed}
 */
export class MarcadorBoard extends Base {
  static observedAttributes = ["board", "period", "rows", "src", "label", "lang", "gettoken"];

  #root = /** @type {ShadowRoot | null} */ (null);
  #board = /** @type {Board | null} */ (null);
  #frame = /** @type {Frame | null} */ (null);
  #getToken = /** @type {(() => Promise<string | null>) | null} */ (null);
  #snapshot = /** @type {Snapshot | null} */ (null);
  /** What the connection and the frame were made from, "" without one. */
  #followed = "";
  #drawn = "";
  /** The last complaint, which is not repeated. */
  #complaint = "";
  #due = false;
  #ticking = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);
  /** Hears when the page changes its language. */
  #hearing = /** @type {MutationObserver | null} */ (null);

  /** Gives the reader's token, as for `connect`. Null if a cookie speaks, or nobody. */
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

  /** What is shown, null before the first connection. It stays after the element is removed. */
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
    // At once, so that the element has its height before the page is painted.
    this.#sync();
  }

  disconnectedCallback() {
    this.#hearing?.disconnect();
    this.#later();
  }

  attributeChangedCallback() {
    this.#later();
  }

  /** Updates in a moment, once for several changes. A move within the page changes nothing. */
  #later() {
    if (this.#due || this.#root === null) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#sync();
    });
  }

  /** Shows what the attributes ask for. */
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

/**
 * Takes over properties that a page set before this module came, when the class had no setters.
 * @param {any} element
 */
function adopt(element) {
  for (const name of SETTABLE) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/**
 * The languages of an element and of the elements around it, across shadow roots, its own first.
 * @param {Element} element
 */
function languagesAround(element) {
  const languages = [];
  let at = /** @type {Element | null} */ (element);
  while (at !== null) {
    const named = at.closest("[lang]");
    if (named !== null) languages.push(named.getAttribute("lang"));
    const root = (named ?? at).getRootNode();
    at = named?.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
  }
  return languages;
}

// Scripts of two services may both define the tag. The first one's address is the default of src.
if (globalThis.customElements?.get(TAG) === undefined) {
  globalThis.customElements?.define(TAG, MarcadorBoard);
}
