// @ts-check
/** @import { Entry } from "../marcador.d.ts" */

import { avatar } from "../view/avatar.js";
import { breakable, fillChange, say } from "../view/cells.js";
import { badgeMark, medal } from "../view/drawing.js";
import { Count } from "../view/motion.js";
import { MovingRow } from "../view/moving.js";
import { figure, words } from "./words.js";

/** The first element of a class in a row made from the template. @param {Element} row @param {string} name */
function part(row, name) {
  const found = row.querySelector(`.${name}`);
  if (!(found instanceof HTMLElement)) throw new Error(`the row has no ${name}`);
  return found;
}

/** One person's row on the page. */
export class Row extends MovingRow {
  /** @type {Entry} */
  entry;

  #who;
  #rank;
  #change;
  #name;
  #you;
  #badge;
  #coins;
  #count;
  #podium;
  /** Of the podium, 0 below it. */
  #step = 0;

  /** @param {DocumentFragment} template @param {Entry} entry @param {number} podium how many stand on it */
  constructor(template, entry, podium) {
    const copy = document.importNode(template, true);
    const element = copy.querySelector("tr");
    if (element === null) throw new Error("the template has no row");
    super(element, part(element, "wash"));
    this.#podium = podium;
    this.element.dataset.userId = entry.userId;
    this.#who = part(element, "who");
    this.#rank = part(element, "rank");
    this.#change = part(element, "change");
    this.#name = part(element, "name");
    this.#you = part(element, "you");
    this.#badge = part(element, "badge");
    this.#coins = part(element, "coins");
    this.#count = new Count(part(element, "points"), (n) => breakable(figure(n)));
    this.#you.textContent = words.you;
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
  get layout() {
    return this.#step > 0 ? "podium" : "row";
  }

  /** On the podium the person moves, the stone stays. @override */
  get mover() {
    return this.#step > 0 ? this.#who : this.element;
  }

  /** On the podium or below it. @override @param {number} index */
  stand(index) {
    const step = index < this.#podium ? index + 1 : 0;
    if (step === this.#step) return;
    this.#step = step;
    if (step === 0) delete this.element.dataset.step;
    else this.element.dataset.step = String(step);
    this.#fillMedal();
  }

  /** @override */
  remove() {
    this.#count.stop();
    super.remove();
  }

  /** @param {Entry | null} old */
  #fill(old) {
    const { entry } = this;
    say(this.#rank, figure(entry.rank));
    if (old?.rank !== entry.rank) this.#fillMedal();
    this.element.classList.toggle("own", entry.isCurrentUser);
    this.#you.hidden = !entry.isCurrentUser;
    say(this.#coins, breakable(figure(entry.mlCoins)));
    if (old?.change !== entry.change || old.changeType !== entry.changeType)
      fillChange(this.#change, entry, { words, figure });
    if (old?.rankBadge !== entry.rankBadge) {
      const text = document.createElement("span");
      text.textContent = entry.rankBadge;
      this.#badge.replaceChildren(badgeMark(entry.rankBadge) ?? "", text);
    }
    if (old?.username !== entry.username || old.avatar !== entry.avatar) {
      say(this.#name, entry.username);
      this.#name.title = entry.username;
      this.element.querySelector(".avatar")?.remove();
      this.#who.prepend(avatar(entry.userId, entry.username, entry.avatar));
      this.#fillMedal();
    }
  }

  /** On the podium the avatar wears the medal of the rank, which equal scores may share. */
  #fillMedal() {
    const frame = this.element.querySelector(".avatar");
    if (frame === null) return;
    frame.querySelector(".medal")?.remove();
    if (this.#step > 0 && this.entry.rank <= this.#podium) frame.append(medal(this.entry.rank));
  }
}
