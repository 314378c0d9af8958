// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "../view/words.js" */

import { medal } from "../view/drawing.js";
import { Row } from "../view/row.js";
import { Rows } from "../view/rows.js";

/** How many people are on the podium. */
const STEPS = 3;

/** A row that is on the podium while it is among the first three. */
class PodiumRow extends Row {
  /** Of the podium, 0 below it. */
  #step = 0;

  /** Between the podium and the table a row does not glide. @override */
  get layout() {
    return this.#step > 0 ? "podium" : "row";
  }

  /** On the podium the person moves, and the stone stays. @override */
  get mover() {
    return this.#step > 0 ? this.person : this.element;
  }

  /** @override @param {Entry} entry @param {boolean} moving */
  update(entry, moving) {
    super.update(entry, moving);
    this.#fillMedal();
  }

  /** @override @param {number} index */
  moveTo(index) {
    const step = index < STEPS ? index + 1 : 0;
    if (step === this.#step) return;
    this.#step = step;
    if (step === 0) delete this.element.dataset.step;
    else this.element.dataset.step = String(step);
    this.#fillMedal();
  }

  /** On the podium the avatar wears the medal of its rank, which equal scores may share. */
  #fillMedal() {
    const { rank } = this.entry;
    const worn = this.#step > 0 && rank <= STEPS;
    const old = this.person.querySelector(".medal");
    if (worn && old?.classList.contains(`m${rank}`)) return;
    old?.remove();
    if (worn) this.person.querySelector(".avatar")?.append(medal(rank));
  }
}

/** The page's rows. The first three are on a podium. */
export class PodiumRows extends Rows {
  /** @override @param {Entry} entry @returns {Row} */
  rowOf(entry) {
    return new PodiumRow(this.voice, entry);
  }

  /** @override @param {number} index */
  stone(index) {
    const row = super.stone(index);
    if (index < STEPS) row.dataset.step = String(index + 1);
    return row;
  }
}
