// @ts-check
/** @import { Me } from "../marcador.d.ts" */
/** @import { Voice } from "../view/words.js" */

import { avatar } from "../view/avatar.js";
import { breakable, fillChange } from "../view/cells.js";
import { make, part } from "../view/dom.js";
import { ownPlace } from "../view/own.js";

/**
 * The reader's own place, for below the rows: all of it, or only the way to the next place if the
 * reader's row is above. Both are equally high, so that nothing moves.
 * @param {Me} me
 * @param {string} period
 * @param {boolean} above
 * @param {Voice} voice
 */
export function ownRow(me, period, above, voice) {
  const { rank, score, way, rest } = ownPlace(me, period, voice);
  const ranked = me.rank !== null;
  const text = part("div", "rest", ranked ? way : `${way} ${rest}`);
  if (ranked) text.append(make("span", "ahead", ` · ${rest}`));
  if (above) return text;

  const change = part("div", "change");
  if (ranked) fillChange(change, me, voice);
  const name = part("span", "name", me.username);
  name.title = me.username;
  const points = part("span", "points", make("span", "", breakable(score)));
  const line = make("div", "", name, part("span", "you", voice.words.you), points);
  const picture = avatar(me.userId, me.username, me.avatar);
  const names = make("div", "names", line, text);
  return make("div", "person", part("div", "rank", make("span", "", rank)), change, picture, names);
}
