// @ts-check
/** @import { ConnectOptions } from "../marcador.d.ts" */

export const PERIODS = /** @type {const} */ (["all-time", "daily", "weekly", "monthly"]);
export const MOST_ROWS = 1000;

/**
 * The options with their defaults. Throws a TypeError that names a wrong option and its remedy.
 * @param {ConnectOptions} options
 */
export function complete(options) {
  if (typeof options !== "object" || options === null) {
    throw new TypeError('connect takes an object of options, such as { board: "global" }');
  }
  const { board = "global", period = "all-time", baseUrl = ownHome(), getToken } = options;
  const { rows = null, shared = true } = options;
  if (typeof board !== "string" || board === "") {
    throw new TypeError(
      `board is ${said(board)}; give the name of one, such as "global" or "school:42"`,
    );
  }
  if (board.trim() === "") throw new TypeError("board is only white space; give the name of one");
  if (!PERIODS.some((one) => one === period)) {
    throw new TypeError(`period is ${said(period)}; give one of ${PERIODS.join(", ")}`);
  }
  if (rows !== null && (!Number.isInteger(rows) || rows < 1 || rows > MOST_ROWS)) {
    throw new TypeError(`rows is ${said(rows)}; give a whole number from 1 to ${MOST_ROWS}`);
  }
  if (getToken !== undefined && typeof getToken !== "function") {
    throw new TypeError(
      `getToken is ${said(getToken)}; give a function that returns a promise of a token, or leave it out`,
    );
  }
  if (typeof shared !== "boolean")
    throw new TypeError(`shared is ${said(shared)}; give true or false`);
  return { board, period, rows, shared, getToken, baseUrl: address(baseUrl) };
}

/** A module's address, as a service serves it. A proxy may put a path in front of it. */
const MODULE =
  /^(https?:\/\/[^/?#]+)([^?#]*?)(?:\/static)?\/marcador\/(?:client\/)?[a-z-]+\.js(?:[?#]|$)/;

/**
 * The address of the service that a module came from, null if a bundler or a package manager moved
 * it.
 * @param {string | undefined} module the module's own address
 */
export function home(module = "") {
  const [, origin, path] = MODULE.exec(module) ?? [];
  if (origin === undefined || path.includes("/node_modules")) return null;
  return { origin, path };
}

/** The default of `baseUrl`: the service that this module came from, else the page's own origin. */
function ownHome() {
  const found = home(import.meta.url);
  if (found === null) return "";
  // The page's own origin has one spelling, so that all boards of that service share a stream.
  return found.origin === globalThis.location?.origin ? found.path : found.origin + found.path;
}

/** A checked address, without slashes at its end. @param {unknown} baseUrl */
function address(baseUrl) {
  const remedy = 'give the service\'s origin and path, such as "https://scores.example"';
  if (typeof baseUrl !== "string") throw new TypeError(`baseUrl is ${said(baseUrl)}; ${remedy}`);
  if (/[?#]/.test(baseUrl)) {
    throw new TypeError(`baseUrl is ${said(baseUrl)}, which has a query or a fragment; ${remedy}`);
  }
  if (baseUrl !== "" && !/^(https?:\/\/[^/\s]+|(?=\/(?!\/)))[^\s]*$/i.test(baseUrl)) {
    throw new TypeError(`baseUrl is ${said(baseUrl)}, which is no address of http; ${remedy}`);
  }
  return baseUrl.replace(/\/+$/, "");
}

/** @param {unknown} value */
function said(value) {
  if (typeof value === "function") return "a function";
  return JSON.stringify(value)?.slice(0, 80) ?? String(value);
}
