// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { avatar } from "./avatar.js";
import { arrow, badgeMark } from "./drawing.js";
import { Count, GLIDE, still, WASH } from "./motion.js";

/**
 * An element whose class is its part's name too: shadow CSS sees the one, the page's CSS the other.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} name of class and part, "" for neither
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name !== "") {
    element.className = name;
    element.setAttribute("part", name);
  }
  element.append(...children);
  return element;
}

/** For screen readers alone. @param {string} text */
export function unseen(text) {
  const span = document.createElement("span");
  span.className = "unseen";
  span.textContent = text;
  return span;
}

/** @param {HTMLElement} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Entry} entry */
export function portrait({ userId, username, avatar: address }) {
  const picture = avatar(userId, username, address);
  picture.setAttribute("part", "avatar");
  return picture;
}

/**
 * How somebody moved: an arrow and a figure, and the same in words.
 * @param {HTMLElement} cell
 * @param {Entry} entry
 * @param {Voice} voice
 */
export function fillChange(cell, { change, changeType }, { words, figure }) {
  cell.dataset.change = changeType;
  cell.setAttribute("part", `change ${changeType}`);
  const text = figure(change);
  const shown = document.createElement("span");
  if (changeType === "new") {
    shown.className = "tag";
    shown.textContent = words.fresh;
    cell.replaceChildren(shown);
    return;
  }
  shown.setAttribute("aria-hidden", "true");
  if (changeType === "same") {
    shown.textContent = "–";
    cell.replaceChildren(shown, unseen(words.same));
  } else {
    shown.append(arrow(changeType), text);
    cell.replaceChildren(shown, unseen(words[changeType](change, text)));
  }
}

/** One person's row; it stays the same element for as long as they are shown. */
export class Row {
  element = make("tr", "row");

  #voice;
  #entry = /** @type {Entry | null} */ (null);
  #rank = make("span", "");
  #change = make("td", "change");
  #person = make("div", "person");
  #name = make("span", "name");
  #line = make("span", "line");
  #badge = make("span", "badge");
  #coins = make("td", "coins");
  #points = make("span", "");
  #count;

  /** @param {Voice} voice @param {Entry} entry */
  constructor(voice, entry) {
    this.#voice = voice;
    this.#count = new Count(this.#points, voice.figure);
    const names = make("div", "", this.#name, this.#line);
    names.className = "names";
    this.#person.append(names);
    this.#line.append(this.#badge);
    const who = make("th", "who", this.#person);
    who.scope = "row";
    this.element.append(
      make("td", "rank", this.#rank),
      this.#change,
      who,
      this.#coins,
      make("td", "points", this.#points),
    );
    this.update(entry, false);
  }

  /** Shows another state of the person. @param {Entry} entry @param {boolean} moving whether changes are to be seen */
  update(entry, moving) {
    const old = this.#entry;
    if (old === entry) return;
    this.#entry = entry;
    const { figure } = this.#voice;
    say(this.#rank, figure(entry.rank));
    say(this.#coins, figure(entry.mlCoins));
    this.#fillMarks(entry);
    if (old?.change !== entry.change || old.changeType !== entry.changeType)
      fillChange(this.#change, entry, this.#voice);
    if (old?.rankBadge !== entry.rankBadge) {
      const text = document.createElement("span");
      text.textContent = entry.rankBadge;
      this.#badge.replaceChildren(badgeMark(entry.rankBadge) ?? "", text);
    }
    if (old?.username !== entry.username || old.avatar !== entry.avatar) {
      say(this.#name, entry.username);
      this.#name.title = entry.username;
      this.#person.querySelector(".avatar")?.remove();
      this.#person.prepend(portrait(entry));
    }
    this.#count.run(old?.score ?? entry.score, entry.score, moving);
    if (moving && old !== null && old.rank !== entry.rank) this.#wash(entry.rank < old.rank);
  }

  /** Lets the row come from where it stood. @param {number} distance in pixels, positive from below */
  glide(distance) {
    const { element } = this;
    // Whoever rises passes above those who make room.
    element.style.zIndex = distance > 0 ? "1" : "";
    const from = { transform: `translateY(${distance}px)` };
    const glide = element.animate([from, { transform: "none" }], { ...GLIDE, id: "glide" });
    glide.onfinish = () => {
      element.style.zIndex = "";
    };
  }

  /** Puts the row where it belongs, without the rest of its way. */
  rest() {
    for (const way of this.element.getAnimations()) if (way.id === "glide") way.cancel();
    this.element.style.zIndex = "";
  }

  appear() {
    this.element.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
  }

  remove() {
    this.#count.stop();
    this.element.remove();
  }

  /** @param {Entry} entry */
  #fillMarks({ rank, isCurrentUser }) {
    const { element } = this;
    const names = ["row", rank === 1 ? "first" : "", isCurrentUser ? "own" : ""];
    element.className = names.filter(Boolean).join(" ");
    element.setAttribute("part", element.className);
    if (isCurrentUser) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
    const you = this.#line.querySelector(".you");
    if (isCurrentUser && you === null)
      this.#line.prepend(make("span", "you", this.#voice.words.you));
    if (!isCurrentUser) you?.remove();
  }

  /** @param {boolean} rose */
  #wash(rose) {
    const color = `color-mix(in oklab, var(${rose ? "--accent" : "--trouble"}) 22%, var(--ground))`;
    const ground = getComputedStyle(this.element).backgroundColor;
    this.element.animate([{ backgroundColor: color }, { backgroundColor: ground }], WASH);
  }
}

/** The moving rows of a table's body. */
export class Rows {
  #body;
  #voice;
  #rows = /** @type {Map<string, Row>} By user id, as many as are shown. */ (new Map());
  #first = true;

  /** @param {HTMLTableSectionElement} body @param {Voice} voice */
  constructor(body, voice) {
    this.#body = body;
    this.#voice = voice;
  }

  /** Rows of stone, in the geometry of what will come. @param {number} count */
  wait(count) {
    this.clear();
    this.#body.append(...Array.from({ length: count }, stone));
  }

  clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#first = true;
    this.#body.replaceChildren();
  }

  /** Shows these; whoever was there before glides to their new place. @param {readonly Entry[]} entries */
  show(entries) {
    const moving = !this.#first && document.visibilityState === "visible";
    const gliding = moving && !still();
    if (this.#first) this.#body.replaceChildren();
    this.#first = false;

    // Where they are seen now, on their way perhaps; from there they go on.
    const tops = new Map(
      gliding ? [...this.#rows.values()].map((row) => [row, top(row)]) : undefined,
    );
    for (const row of tops.keys()) row.rest();
    const there = new Set(entries.map((entry) => entry.userId));
    for (const [userId, row] of this.#rows) {
      if (there.has(userId)) continue;
      row.remove();
      this.#rows.delete(userId);
    }
    let next = this.#body.firstElementChild;
    for (const entry of entries) {
      let row = this.#rows.get(entry.userId);
      if (row === undefined) {
        row = new Row(this.#voice, entry);
        this.#rows.set(entry.userId, row);
        if (gliding) row.appear();
      } else {
        row.update(entry, moving);
      }
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
    const ways = [...tops]
      .filter(([row]) => row.element.isConnected)
      .map(([row, from]) => ({ row, way: from - top(row) }));
    for (const { row, way } of ways) if (Math.abs(way) >= 1) row.glide(way);
  }
}

/** Where a row is seen, in the window. @param {Row} row */
function top(row) {
  return row.element.getBoundingClientRect().top;
}

function stone() {
  const row = document.createElement("tr");
  row.className = "stone";
  row.setAttribute("aria-hidden", "true");
  for (const [column, stones] of [
    ["rank", 1],
    ["change", 1],
    ["who", 2],
    ["coins", 0],
    ["points", 1],
  ]) {
    const cell = document.createElement("td");
    cell.className = String(column);
    const names = document.createElement("div");
    names.className = column === "who" ? "names" : "";
    for (let i = 0; i < Number(stones); i++) names.append(document.createElement("i"));
    if (column === "who") {
      const picture = document.createElement("i");
      picture.className = "avatar";
      const person = document.createElement("div");
      person.className = "person";
      person.append(picture, names);
      cell.append(person);
    } else {
      cell.append(names);
    }
    row.append(cell);
  }
  return row;
}
