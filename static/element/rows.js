// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "../view/words.js" */

import { avatar } from "../view/avatar.js";
import { breakable, fillChange, say } from "../view/cells.js";
import { badgeMark } from "../view/drawing.js";
import { Count } from "../view/motion.js";
import { MovingRow, MovingRows } from "../view/moving.js";

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

/** @param {Pick<Entry, "userId" | "username" | "avatar">} entry */
export function portrait({ userId, username, avatar: address }) {
  const picture = avatar(userId, username, address);
  picture.setAttribute("part", "avatar");
  return picture;
}

/** One person's row in a `<marcador-board>`. */
class Row extends MovingRow {
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
    const wash = document.createElement("i");
    wash.className = "wash";
    super(make("tr", "row"), wash);
    this.#voice = voice;
    this.#count = new Count(this.#points, (n) => breakable(voice.figure(n)));
    const names = make("div", "", this.#name, this.#line);
    names.className = "names";
    this.#person.append(names);
    this.#line.append(this.#badge);
    const who = make("th", "who", wash, this.#person);
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

  /** @override @param {Entry} entry @param {boolean} moving */
  update(entry, moving) {
    const old = this.#entry;
    if (old === entry) return;
    this.#entry = entry;
    const { figure } = this.#voice;
    say(this.#rank, figure(entry.rank));
    say(this.#coins, breakable(figure(entry.mlCoins)));
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
    if (moving && old !== null && old.rank !== entry.rank)
      this.wash(entry.rank < old.rank ? "up" : "down");
  }

  /** @override */
  remove() {
    this.#count.stop();
    super.remove();
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
}

/**
 * The rows of a `<marcador-board>`.
 * @extends {MovingRows<Row>}
 */
export class Rows extends MovingRows {
  /** @param {HTMLTableSectionElement} body @param {Voice} voice */
  constructor(body, voice) {
    super(body, (entry) => new Row(voice, entry));
  }

  /** So many rows of stone. @param {number} count */
  waitFor(count) {
    this.wait(Array.from({ length: count }, stone));
  }
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
