// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { arrow } from "./drawing.js";

/** For screen readers alone. @param {string} text */
export function unseen(text) {
  const span = document.createElement("span");
  span.className = "unseen";
  span.textContent = text;
  return span;
}

/** Says a text, without touching what says it already. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Longer figures go on in a second line, so that they leave names their room. */
const LONG = 11;

/**
 * The figure with places to break it at, behind separators, where it is long.
 * @param {string} figure
 */
export function breakable(figure) {
  return figure.length > LONG ? figure.replace(/(\d\D)(?=\d)/g, "$1\u200b") : figure;
}

/**
 * Makes the column of scores as wide as the widest of them, or as half of it where that is long.
 * @param {HTMLElement} table
 * @param {readonly Entry[]} entries
 * @param {number} least characters
 * @param {Voice["figure"]} figure
 */
export function fitScores(table, entries, least, figure) {
  const widest = entries.reduce((most, { score }) => Math.max(most, figure(score).length), least);
  const long = widest > LONG;
  table.classList.toggle("long", long);
  table.style.setProperty("--score", `${long ? Math.ceil(widest / 2) + 1 : widest}ch`);
}

/**
 * How somebody moved: an arrow and a figure, and the same in words.
 * @param {HTMLElement} cell
 * @param {Pick<Entry, "change" | "changeType">} entry
 * @param {Pick<Voice, "words" | "figure">} voice
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
