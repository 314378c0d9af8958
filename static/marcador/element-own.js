// @ts-check
/** @import { Me } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { fillChange } from "./cells.js";
import { make, portrait } from "./element-rows.js";

/**
 * The reader's own place, for the line under the rows: all of it where their row is not above, else only how far
 * it is to the next. Both are as high, so that nothing moves.
 * @param {Me} me
 * @param {boolean} above
 * @param {Voice} voice
 */
export function ownPlace(me, above, voice) {
  const { words, figure, percent } = voice;
  const { pointsToNext: more, percentile } = me;
  const rest = make("div", "rest", more === null ? words.first : words.toNext(more, figure(more)));
  const ahead = document.createElement("span");
  ahead.className = "ahead";
  ahead.textContent = ` · ${words.ahead(percent(percentile))}`;
  rest.append(ahead);
  if (above) return rest;

  const rank = make("div", "rank", make("span", "", figure(me.rank)));
  const change = make("div", "change");
  fillChange(change, me, voice);
  const name = make("span", "name", me.username);
  name.title = me.username;
  const points = make("span", "points", make("span", "", figure(me.score)));
  const line = make("div", "", name, make("span", "you", words.you), points);
  const names = make("div", "", line, rest);
  names.className = "names";
  const person = make("div", "person", rank, change, portrait(me), names);
  person.removeAttribute("part");
  return person;
}
