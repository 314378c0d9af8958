// @ts-check

import { PERIODS } from "../client/options.js";
import { find } from "./find.js";
import { nameOf, words } from "./words.js";

/** What is shown: a board in a period. @typedef {{ board: string, period: string }} Choice */
/** A board, and how people call it. @typedef {{ board: string, name: string }} NamedBoard */

const GLOBAL = { board: "global", name: words.global };

/**
 * What the page's address asks for: `?board=school:42&period=weekly`. An unknown period is all
 * time.
 * @returns {Choice}
 */
export function asked() {
  const query = new URLSearchParams(location.search);
  const period = PERIODS.find((one) => one === query.get("period")) ?? "all-time";
  return { board: query.get("board") || "global", period };
}

/** @param {string} period */
export function periodName(period) {
  const known = PERIODS.find((one) => one === period);
  return known === undefined ? period : words[known];
}

/**
 * The boards that a person is on: the global one, their groups', their friends'.
 * @param {string} userId
 * @param {Record<string, string[]>} groups ids by kind, as the profile has them
 * @returns {NamedBoard[]}
 */
export function boardsOf(userId, groups) {
  const own = new Map(Object.entries({ school: words.mySchool, classroom: words.myClassroom }));
  const kinds = Object.keys(groups).sort((one, other) => order(one) - order(other));
  const boards = kinds.flatMap((kind) =>
    groups[kind].map((id) => {
      const board = `${kind}:${id}`;
      const name = groups[kind].length === 1 ? own.get(kind) : undefined;
      return { board, name: name ?? nameOf(board) };
    }),
  );
  return [GLOBAL, ...boards, { board: `friends:${userId}`, name: words.friends }];
}

/** Schools, classrooms, then any other kind. @param {string} kind */
function order(kind) {
  const index = ["school", "classroom"].indexOf(kind);
  return index < 0 ? 2 : index;
}

/** The links that choose the board and the period. The page's address says the same. */
export class Tabs {
  #boards = find("boards");
  #periods = find("periods");
  #chosen;
  /** @type {NamedBoard[]} */
  #offered = [GLOBAL];
  /** Names of boards that the service has told. @type {Map<string, string>} */
  #names = new Map();
  #choice = asked();

  /** @param {(choice: Choice) => void} chosen called with each new choice, also after "back" */
  constructor(chosen) {
    this.#chosen = chosen;
    for (const nav of [this.#boards, this.#periods]) {
      nav.addEventListener("click", (event) => this.#clicked(event));
    }
    addEventListener("popstate", () => this.#choose(asked()));
    this.#render();
  }

  get choice() {
    return this.#choice;
  }

  /** Learns the names of boards. @param {Record<string, string>} names by board */
  learn(names) {
    this.#names = new Map(Object.entries(names));
  }

  /** The name of the chosen board. */
  get name() {
    const { board } = this.#choice;
    const name = this.#names.get(board);
    if (name !== undefined) return name;
    return this.#offered.find((one) => one.board === board)?.name ?? nameOf(board);
  }

  /** Offers a person's boards. @param {NamedBoard[]} boards */
  offer(boards) {
    this.#offered = boards;
    this.#render();
  }

  /** Offers the boards that are there for everybody. */
  reset() {
    this.offer([GLOBAL]);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const link = /** @type {Element} */ (event.target).closest("a");
    // With a modifier key a link opens in another tab, as any link does.
    if (link === null || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.href === location.href) return;
    history.pushState(null, "", link.href);
    this.#choose(asked());
  }

  /** @param {Choice} choice */
  #choose(choice) {
    if (choice.board === this.#choice.board && choice.period === this.#choice.period) return;
    this.#choice = choice;
    this.#render();
    this.#chosen(choice);
  }

  #render() {
    const { board, period } = this.#choice;
    const boards = [...this.#offered];
    if (!boards.some((one) => one.board === board)) boards.push({ board, name: nameOf(board) });
    fill(
      this.#boards,
      boards.map((one) => ({ ...one, period, current: one.board === board })),
    );
    fill(
      this.#periods,
      PERIODS.map((one) => ({ board, name: words[one], period: one, current: one === period })),
    );
  }
}

/**
 * Bars that may be scrolled. Other bars are not measured, so the first paint needs no extra layout.
 */
const scrolled = /** @type {WeakSet<Element>} */ (new WeakSet());

/**
 * Fills a bar with links. Elements are reused, so that the keyboard's focus stays.
 * @param {HTMLElement} nav
 * @param {(NamedBoard & { period: string, current: boolean })[]} tabs
 */
function fill(nav, tabs) {
  while (nav.children.length > tabs.length) nav.lastElementChild?.remove();
  for (const [index, { board, name, period, current }] of tabs.entries()) {
    const link = /** @type {HTMLAnchorElement} */ (
      nav.children[index] ?? nav.appendChild(document.createElement("a"))
    );
    link.textContent = name;
    link.dataset.text = name;
    link.href = addressOf(board, period);
    if (current) {
      link.setAttribute("aria-current", "page");
      if (index > 0 || scrolled.has(nav)) {
        scrolled.add(nav);
        nav.scrollLeft = link.offsetLeft - nav.offsetLeft - nav.clientWidth / 3;
      }
    } else {
      link.removeAttribute("aria-current");
    }
  }
}

/**
 * The page's address for another choice, without the defaults.
 * @param {string} board
 * @param {string} period
 */
function addressOf(board, period) {
  const address = new URL(location.href);
  address.hash = "";
  for (const [name, value, usual] of [
    ["board", board, "global"],
    ["period", period, "all-time"],
  ]) {
    if (value === usual) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  return address.href;
}
