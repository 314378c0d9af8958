// @ts-check
/** @import { Me, RankedMe } from "../marcador.d.ts" */
/** @import { Voice } from "../view/words.js" */

import { breakable, fillChange } from "../view/cells.js";
import { make, portrait } from "./rows.js";

/** How far it is to the next place. @param {RankedMe} me @param {Voice} voice */
function wayOn({ pointsToNext: more, percentile }, { words, figure, percent }) {
  const rest = make("div", "rest", more === null ? words.first : words.toNext(more, figure(more)));
  const ahead = document.createElement("span");
  ahead.className = "ahead";
  ahead.textContent = ` · ${words.ahead(percent(percentile))}`;
  rest.append(ahead);
  return rest;
}

/**
 * The reader's own place, for the line under the rows: all of it where their row is not above, else only how far
 * it is to the next. Both are as high, so that nothing moves.
 * @param {Me} me
 * @param {string} period
 * @param {boolean} above
 * @param {Voice} voice
 */
export function ownPlace(me, period, above, voice) {
  const { words, figure, without } = voice;
  const ranked = me.rank !== null;
  const rest = ranked ? wayOn(me, voice) : make("div", "rest");
  if (!ranked) {
    const { none, enter } = without(period, me);
    rest.textContent = `${none} ${enter}`;
  }
  if (above) return rest;

  const rank = make("div", "rank", make("span", "", ranked ? figure(me.rank) : "–"));
  const change = make("div", "change");
  if (ranked) fillChange(change, me, voice);
  const name = make("span", "name", me.username);
  name.title = me.username;
  const points = make(
    "span",
    "points",
    make("span", "", ranked ? breakable(figure(me.score)) : "–"),
  );
  const line = make("div", "", name, make("span", "you", words.you), points);
  const names = make("div", "", line, rest);
  names.className = "names";
  const person = make("div", "person", rank, change, portrait(me), names);
  person.removeAttribute("part");
  return person;
}
