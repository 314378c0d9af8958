// @ts-check

import { home, MOST_ROWS, PERIODS } from "../client/options.js";

/**
 * What the attributes of a `<marcador-board>` ask for. `wrong` names those that can't be followed.
 * If the settings are `broken`, no board can be followed. A wrong `rows` counts as the default.
 *
 * @typedef {{ name: "board" | "period" | "rows" | "src" | "getToken", value: string }} Wrong
 * @typedef {object} Settings
 * @property {string} board
 * @property {string} period
 * @property {number} rows
 * @property {string} baseUrl
 * @property {Wrong[]} wrong
 * @property {boolean} broken
 */

const ROWS = 10;

/** The names that a service accepts: `global`, or a kind and the id of a group or a user. */
const BOARD = /^(global|(?!global:)[a-z][a-z0-9_-]{0,31}:.{1,128})$/u;

/** What to write instead. The developer's console says it. */
export const REMEDIES = {
  board: 'write "global", or a kind and an id such as "school:42"',
  period: `write one of ${PERIODS.join(", ")}`,
  rows: `write a whole number from 1 to ${MOST_ROWS}`,
  src: "write the service's address, such as https://points.example.org",
  getToken:
    "set it as a property from script; in Vue and Svelte, import the element before the app",
};

/**
 * The address of the service that a module came from. If a bundler has moved the module, that is
 * the origin of the bundle.
 * @param {string | undefined} module the module's own address
 */
export function homeOf(module = "") {
  const found = home(module);
  if (found !== null) return found.origin + found.path;
  return /^https?:/.test(module) ? new URL(module).origin : "";
}

/**
 * The service's address as `connect` takes it, null if it is no address of http.
 * @param {string} src
 * @param {string} page the page's address, for a relative `src`
 */
function baseUrlOf(src, page) {
  let url;
  try {
    url = new URL(src, page);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const path = url.pathname.replace(/\/+$/, "");
  // The page's own origin has one spelling, so that all boards of that service share a stream.
  return url.origin === new URL(page).origin ? path : url.origin + path;
}

/**
 * @param {(name: string) => string | null} attribute
 * @param {string} defaultSrc
 * @param {string} page
 * @returns {Settings}
 */
export function settings(attribute, defaultSrc, page) {
  /** @type {Wrong[]} */
  const wrong = [];
  const board = attribute("board")?.trim() || "global";
  if (!BOARD.test(board)) wrong.push({ name: "board", value: board });
  const period = attribute("period")?.trim() || "all-time";
  if (!PERIODS.some((one) => one === period)) wrong.push({ name: "period", value: period });
  const count = attribute("rows")?.trim() || String(ROWS);
  let rows = /^\d{1,4}$/.test(count) ? Number(count) : 0;
  if (rows < 1 || rows > MOST_ROWS) {
    wrong.push({ name: "rows", value: count });
    rows = ROWS;
  }
  const src = attribute("src")?.trim() || defaultSrc;
  const baseUrl = baseUrlOf(src, page);
  if (baseUrl === null) wrong.push({ name: "src", value: src });
  const broken = wrong.some(({ name }) => name !== "rows");
  // A framework that does not know the tag yet writes the function into the markup.
  const token = attribute("gettoken");
  if (token !== null) wrong.push({ name: "getToken", value: token });
  return { board, period, rows, baseUrl: baseUrl ?? "", wrong, broken };
}
