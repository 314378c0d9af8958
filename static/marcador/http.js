// @ts-check
/** @import { Problem } from "../marcador.d.ts" */

/** Longest wait that a server may ask for, in milliseconds. */
const LONGEST_WAIT = 60 * 60 * 1000;

/** A request that failed, or a stream that ended. */
export class Refusal extends Error {
  /**
   * @param {number} status HTTP status, 0 where there was no answer
   * @param {string} code
   * @param {string} message
   * @param {number | null} [wait] milliseconds after which the server wants the next try
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
    // A proxy's error page: the status says enough.
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

/** One service, seen with one token. The token is asked for when first needed and after a 401. */
export class Service {
  #baseUrl;
  #getToken;
  #token = /** @type {string | null | undefined} */ (undefined);
  #asking = /** @type {Promise<string | null> | undefined} */ (undefined);

  /**
   * @param {string} baseUrl
   * @param {(() => Promise<string | null>) | undefined} getToken
   */
  constructor(baseUrl, getToken) {
    this.#baseUrl = baseUrl;
    this.#getToken = getToken;
  }

  /** Whether tokens come from `getToken`; otherwise a cookie may speak for the user. */
  get asksForToken() {
    return this.#getToken !== undefined;
  }

  /** The token in use, asked for where it is not known. Rejects with a Refusal. */
  async token() {
    const ask = this.#getToken;
    if (ask === undefined) return null;
    if (this.#token !== undefined) return this.#token;
    this.#asking ??= (async () => {
      try {
        this.#token = (await ask()) || null;
        return this.#token;
      } catch (cause) {
        throw new Refusal(0, "token", `getToken: ${refusalFrom(cause).message}`);
      } finally {
        this.#asking = undefined;
      }
    })();
    return this.#asking;
  }

  /** Makes the next request ask for a token again. */
  forgetToken() {
    this.#token = undefined;
  }

  /** Goes on without a token, until `forgetToken`. */
  dropToken() {
    this.#token = null;
  }

  /**
   * Gives a 2xx response, or rejects with a Refusal. A 401 to a token asks for another one, once.
   * @param {string} path
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   */
  async get(path, headers, signal) {
    for (let again = false; ; again = true) {
      const token = await this.token();
      signal.throwIfAborted();
      const response = await fetch(this.#baseUrl + path, {
        headers: token === null ? headers : { ...headers, Authorization: `Bearer ${token}` },
        credentials: "same-origin",
        cache: "no-cache",
        signal,
      });
      if (response.ok) return response;
      const refusal = await refusalOf(response);
      if (refusal.status !== 401 || token === null || again) throw refusal;
      if (this.#token === token) this.forgetToken();
      const next = await this.token();
      if (next === null) throw refusal;
    }
  }
}
