// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { make, unseen } from "./dom.js";
import { arrow, badgeIcon } from "./drawing.js";

/** Longer figures are broken into two lines, so that names have enough room. */
const LONG = 11;

/** The figure, with chances to break it behind separators if it is long. @param {string} figure */
export function breakable(figure) {
  return figure.length > LONG ? figure.replace(/(\d\D)(?=\d)/g, "$1\u200b") : figure;
}

/**
 * Makes the column of scores as wide as its widest score, or half as wide if that one is long.
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
 * Shows how somebody moved: an arrow and a figure, and the same in words for screen readers.
 * @param {HTMLElement} cell
 * @param {Pick<Entry, "change" | "changeType">} entry
 * @param {Pick<Voice, "words" | "figure">} voice
 */
export function fillChange(cell, { change, changeType }, { words, figure }) {
  cell.dataset.change = changeType;
  cell.setAttribute("part", `change ${changeType}`);
  if (changeType === "new") {
    cell.replaceChildren(make("span", "tag", words.fresh));
    return;
  }
  const text = figure(change);
  const same = changeType === "same";
  const shown = same ? make("span", "", "–") : make("span", "", arrow(changeType), text);
  shown.setAttribute("aria-hidden", "true");
  cell.replaceChildren(shown, unseen(same ? words.same : words[changeType](change, text)));
}

/** Shows a badge by its icon and its name. @param {HTMLElement} element @param {string} badge */
export function fillBadge(element, badge) {
  element.replaceChildren(badgeIcon(badge) ?? "", make("span", "", badge));
}
