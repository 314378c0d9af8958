// @ts-check
/** @import { Problem } from "../marcador.d.ts" */

import { whyNoAnswer } from "./blocked.js";
import { claimsOf, lifeOf, personOf } from "./token.js";

/** The longest wait that a server may ask for, in milliseconds. */
const LONGEST_WAIT = 60 * 60 * 1000;
/** How long a token may take, in milliseconds. */
const PATIENCE = 30_000;

/** A request that failed, or a stream that ended. */
export class Refusal extends Error {
  /**
   * @param {number} status HTTP status, 0 without an answer
   * @param {string} code
   * @param {string} message
   * @param {number | null} [wait] milliseconds that the server wants no try for
   */
  constructor(status, code, message, wait = null) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.wait = wait === null ? null : Math.min(wait, LONGEST_WAIT);
  }

  /** @returns {Problem} */
  get problem() {
    return Object.freeze({ status: this.status, code: this.code, message: this.message });
  }
}

/** @param {unknown} cause */
export function refusalFrom(cause) {
  if (cause instanceof Refusal) return cause;
  return new Refusal(0, "network", cause instanceof Error ? cause.message : String(cause));
}

/** @param {Response} response */
async function refusalOf(response) {
  let [code, message] = [`http_${response.status}`, response.statusText];
  try {
    const body = await response.json();
    if (typeof body.code === "string") code = body.code;
    if (typeof body.title === "string") message = body.title;
    if (typeof body.detail === "string" && body.detail !== "") message = body.detail;
  } catch {
    // The answer is a proxy's error page, and only its status tells something.
  }
  return new Refusal(response.status, code, message, retryAfter(response.headers));
}

/** @param {Headers} headers */
function retryAfter(headers) {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

/**
 * Rejects if the promise has not settled after `time` milliseconds.
 * @template T
 * @param {number} time
 * @param {Promise<T> | T} promise
 * @returns {Promise<T>}
 */
export function within(time, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${time / 1000} s`)), time);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() =>
    clearTimeout(timer),
  );
}

/**
 * A service, called with one token. The token is asked for when it is first needed and after a 401.
 */
export class Service {
  /** Called when a token speaks for another user than the token before. */
  onOther = () => {};

  #baseUrl;
  #getToken;
  #token = /** @type {string | null | undefined} */ (undefined);
  /** Why the last token was dropped. */
  #dropped = /** @type {Refusal | null} */ (null);
  #asking = /** @type {Promise<string | null> | undefined} */ (undefined);
  /** The user of the last token that named one. */
  #sub = /** @type {string | null} */ (null);

  /**
   * @param {string} baseUrl
   * @param {(() => Promise<string | null>) | undefined} getToken
   */
  constructor(baseUrl, getToken) {
    this.#baseUrl = baseUrl;
    this.#getToken = getToken;
  }

  /** Whether tokens come from `getToken`. If not, a cookie may speak for the user. */
  get asksForToken() {
    return this.#getToken !== undefined;
  }

  /** Whether the service is on the page's own origin, so that the page's cookie is sent to it. */
  get ownOrigin() {
    const here = globalThis.location;
    if (here === undefined) return false;
    return new URL(this.#baseUrl, here.href).origin === here.origin;
  }

  /** @param {string} path */
  address(path) {
    return this.#baseUrl + path;
  }

  /** The token in use. Asks for one if there is none yet. Rejects with a Refusal. */
  async token() {
    if (this.#getToken === undefined) return null;
    if (this.#token !== undefined) return this.#token;
    return this.#ask();
  }

  /**
   * Asks for the next token while the present one is good. Resolves to null if there is no other.
   */
  async renew() {
    const last = this.#token;
    const next = await this.#ask();
    if (next === null) this.#token = last;
    return next === last ? null : next;
  }

  /** Milliseconds until the token in use expires, null if that can't be known. */
  get tokenLife() {
    return typeof this.#token === "string" ? lifeOf(this.#token) : null;
  }

  /**
   * A text for the person that requests speak for, null without a token. Rejects with a Refusal.
   */
  async person() {
    if (this.#getToken === undefined) return "cookie";
    const token = await this.token();
    return token === null ? null : personOf(token);
  }

  /** Makes the next request ask for a token again. */
  forgetToken() {
    this.#token = undefined;
  }

  /** Sends no token until `forgetToken`. @param {Refusal} reason */
  dropToken(reason) {
    const dropped = this.#getToken !== undefined && this.#token !== null;
    this.#dropped = dropped ? new Refusal(401, reason.code, reason.message) : null;
    this.#token = null;
  }

  /**
   * Resolves to a 2xx response, or rejects with a Refusal. A token that gets a 401 is replaced
   * once.
   * @param {string} path
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   * @param {"GET" | "POST"} [method]
   */
  async get(path, headers, signal, method = "GET") {
    for (let again = false; ; again = true) {
      const token = await this.token();
      signal.throwIfAborted();
      const response = await fetch(this.address(path), {
        method,
        headers: token === null ? headers : { ...headers, Authorization: `Bearer ${token}` },
        credentials: "same-origin",
        cache: "no-cache",
        signal,
      }).catch(async (cause) => {
        throw signal.aborted ? cause : await whyNoAnswer(this, cause);
      });
      if (response.ok) return response;
      const refusal = await refusalOf(response);
      // The reason why the token was dropped says more than "token missing".
      if (refusal.status === 401 && token === null && this.#dropped !== null) throw this.#dropped;
      if (refusal.status !== 401 || token === null || again) throw refusal;
      if (this.#token === token) this.forgetToken();
      const next = await this.token();
      if (next === null) throw refusal;
    }
  }

  /** Calls getToken, once at a time. */
  #ask() {
    const ask = this.#getToken;
    this.#asking ??= (async () => {
      try {
        const token = (await within(PATIENCE, ask?.())) || null;
        if (token !== null && typeof token !== "string") throw new TypeError("it gave no text");
        this.#token = token;
        this.#dropped = null;
        if (token !== null) this.#meet(token);
        return token;
      } catch (cause) {
        throw new Refusal(0, "token", `getToken: ${refusalFrom(cause).message}`);
      } finally {
        this.#asking = undefined;
      }
    })();
    return this.#asking;
  }

  /** @param {string} token */
  #meet(token) {
    const { sub } = claimsOf(token);
    const other = sub !== null && this.#sub !== null && sub !== this.#sub;
    this.#sub = sub ?? this.#sub;
    if (other) this.onOther();
  }
}
