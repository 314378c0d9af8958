// @ts-check

import { PERIODS } from "../client/options.js";
import { find } from "./find.js";
import { nameOf, words } from "./words.js";

/** What is shown: a board in a period. @typedef {{ board: string, period: string }} View */
/** @typedef {{ board: string, name: string }} Choice a board and what it is called */

const GLOBAL = { board: "global", name: words.global };

/**
 * What the page's address asks for: `?board=school:42&period=weekly`. What is no period is all time.
 * @returns {View}
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
 * The boards of a person: everybody's, their groups', their friends'.
 * @param {string} userId
 * @param {Record<string, string[]>} groups ids by kind, as the profile has them
 * @returns {Choice[]}
 */
export function boardsOf(userId, groups) {
  const own = new Map(Object.entries({ school: words.mySchool, classroom: words.myClassroom }));
  const kinds = Object.keys(groups).sort((one, other) => order(one) - order(other));
  const choices = kinds.flatMap((kind) =>
    groups[kind].map((id) => {
      const board = `${kind}:${id}`;
      const name = groups[kind].length === 1 ? own.get(kind) : undefined;
      return { board, name: name ?? nameOf(board) };
    }),
  );
  return [GLOBAL, ...choices, { board: `friends:${userId}`, name: words.friends }];
}

/** Schools, classrooms, then any other kind. @param {string} kind */
function order(kind) {
  const place = ["school", "classroom"].indexOf(kind);
  return place < 0 ? 2 : place;
}

/** The links that choose the board and the period; the address follows. */
export class Tabs {
  #boards = find("boards");
  #periods = find("periods");
  #choose;
  /** @type {Choice[]} */
  #choices = [GLOBAL];
  /** What boards are called by those who know. @type {Map<string, string>} */
  #names = new Map();
  #view = asked();

  /** @param {(view: View) => void} choose called with each choice, "back" included */
  constructor(choose) {
    this.#choose = choose;
    for (const nav of [this.#boards, this.#periods]) {
      nav.addEventListener("click", (event) => this.#clicked(event));
    }
    addEventListener("popstate", () => this.#turn(asked()));
    this.#render();
  }

  get view() {
    return this.#view;
  }

  /** Takes in what boards are called. @param {Record<string, string>} names by board */
  call(names) {
    this.#names = new Map(Object.entries(names));
  }

  /** What the board in view is called. */
  get name() {
    const { board } = this.#view;
    const name = this.#names.get(board);
    if (name !== undefined) return name;
    return this.#choices.find((one) => one.board === board)?.name ?? nameOf(board);
  }

  /** Offers the boards of somebody else. @param {Choice[]} choices */
  offer(choices) {
    this.#choices = choices;
    this.#render();
  }

  /** Back to what is there without anybody's boards. */
  reset() {
    this.offer([GLOBAL]);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const link = /** @type {Element} */ (event.target).closest("a");
    // With a modifier the link opens elsewhere, as any other.
    if (link === null || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.href === location.href) return;
    history.pushState(null, "", link.href);
    this.#turn(asked());
  }

  /** @param {View} view */
  #turn(view) {
    if (view.board === this.#view.board && view.period === this.#view.period) return;
    this.#view = view;
    this.#render();
    this.#choose(view);
  }

  #render() {
    const { board, period } = this.#view;
    const choices = [...this.#choices];
    if (!choices.some((one) => one.board === board)) choices.push({ board, name: nameOf(board) });
    fill(
      this.#boards,
      choices.map((one) => ({ ...one, period, current: one.board === board })),
    );
    fill(
      this.#periods,
      PERIODS.map((one) => ({ board, name: words[one], period: one, current: one === period })),
    );
  }
}

/** Bars that are scrolled perhaps. Until then the page needs no layout before its first picture. */
const scrolled = /** @type {WeakSet<Element>} */ (new WeakSet());

/**
 * Puts links in, keeping those that are there, and with them the keyboard's place.
 * @param {HTMLElement} nav
 * @param {(Choice & { period: string, current: boolean })[]} tabs
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

/** The page's address with another view; what is usual is left out. @param {string} board @param {string} period */
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
