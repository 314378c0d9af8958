// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { avatar } from "./avatar.js";
import { breakable, fillBadge, fillChange } from "./cells.js";
import { make, part, say } from "./dom.js";
import { Count } from "./motion.js";
import { MovingRow } from "./moving.js";

/** The markup of a row. It is made once, and copied for each person. */
let markup = /** @type {HTMLTableRowElement | undefined} */ (undefined);

/** Roles are written out, since a table that is laid out as a grid loses its own. */
function build() {
  const names = make("span", "names", part("bdi", "name"));
  names.append(make("span", "detail", part("span", "you"), part("span", "badge")));
  const who = part("th", "who", make("i", "wash"), make("span", "person", names));
  who.scope = "row";
  const row = part("tr", "row", part("td", "rank", make("span", "")), part("td", "change"));
  row.append(who, part("td", "coins"), part("td", "points", make("span", "")));
  row.setAttribute("role", "row");
  for (const cell of row.cells) cell.setAttribute("role", "cell");
  who.setAttribute("role", "rowheader");
  return row;
}

/** @param {Element} row @param {string} selector */
function find(row, selector) {
  return /** @type {HTMLElement} */ (row.querySelector(selector));
}

/** One person's row of a board. */
export class Row extends MovingRow {
  /** What is shown. @type {Entry} */
  entry;
  /** What holds the avatar and the names. */
  person;

  #voice;
  #rank;
  #change;
  #name;
  #you;
  #badge;
  #coins;
  #count;

  /** @param {Voice} voice @param {Entry} entry */
  constructor(voice, entry) {
    markup ??= build();
    const element = /** @type {HTMLTableRowElement} */ (markup.cloneNode(true));
    super(element, find(element, ".wash"));
    element.dataset.userId = entry.userId;
    this.#voice = voice;
    this.person = find(element, ".person");
    this.#rank = find(element, ".rank > span");
    this.#change = find(element, ".change");
    this.#name = find(element, ".name");
    this.#you = find(element, ".you");
    this.#badge = find(element, ".badge");
    this.#coins = find(element, ".coins");
    this.#count = new Count(find(element, ".points > span"), (n) => breakable(voice.figure(n)));
    this.#you.textContent = voice.words.you;
    this.entry = entry;
    this.#fill(null);
    this.#count.run(entry.score, entry.score, false);
  }

  /** @override @param {Entry} entry @param {boolean} moving */
  update(entry, moving) {
    const old = this.entry;
    if (old === entry) return;
    this.entry = entry;
    this.#fill(old);
    if (old.score !== entry.score) this.#count.run(old.score, entry.score, moving);
    if (moving && old.rank !== entry.rank) this.wash(entry.rank < old.rank ? "up" : "down");
  }

  /** @override */
  remove() {
    this.#count.stop();
    super.remove();
  }

  /** @param {Entry | null} old */
  #fill(old) {
    const { entry } = this;
    const { figure } = this.#voice;
    say(this.#rank, figure(entry.rank));
    say(this.#coins, breakable(figure(entry.mlCoins)));
    this.#flag(entry);
    if (old?.change !== entry.change || old.changeType !== entry.changeType)
      fillChange(this.#change, entry, this.#voice);
    if (old?.rankBadge !== entry.rankBadge) fillBadge(this.#badge, entry.rankBadge);
    if (old?.username !== entry.username || old.avatar !== entry.avatar) {
      say(this.#name, entry.username);
      this.#name.title = entry.username;
      this.person.querySelector(".avatar")?.remove();
      this.person.prepend(avatar(entry.userId, entry.username, entry.avatar));
    }
  }

  /** Sets the first row and the reader's own apart. @param {Entry} entry */
  #flag({ rank, isCurrentUser }) {
    const { element } = this;
    const names = ["row", rank === 1 ? "first" : "", isCurrentUser ? "own" : ""];
    const all = names.filter(Boolean).join(" ");
    if (element.className !== all) {
      element.className = all;
      element.setAttribute("part", all);
    }
    this.#you.hidden = !isCurrentUser;
    if (isCurrentUser) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }
}
