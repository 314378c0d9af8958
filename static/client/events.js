// @ts-check
/** @import { RankChanged } from "../marcador.d.ts" */
/** @import { Authenticated, Difference, Top } from "./check.js" */
/** @import { StreamEvent } from "./sse.js" */
/** @import { Stream } from "./stream.js" */
/** @import { Topic } from "./topics.js" */

import * as check from "./check.js";
import { Refusal } from "./http.js";
import { keyOf } from "./topics.js";

/**
 * What an event of a stream says. A board may be asked for in several spellings, so an event about
 * one board may have several keys.
 * @typedef {{ kind: "begun", hello: Authenticated }
 *   | { kind: "top", keys: string[], top: Top }
 *   | { kind: "difference", keys: string[], difference: Difference }
 *   | { kind: "moves", moves: [key: string, move: RankChanged][] }
 *   | { kind: "refused", topics: Topic[], refusal: Refusal }
 *   | { kind: "ended", refusal: Refusal }
 *   | { kind: "nothing" }} News
 */

/**
 * Reads an event. Throws if it is malformed.
 * @param {Stream} stream
 * @param {StreamEvent} event
 * @returns {News}
 */
export function read(stream, { type, data }) {
  switch (type) {
    case "authenticated":
      return { kind: "begun", hello: check.authenticated(JSON.parse(data)) };
    case "leaderboard:updated": {
      const { from, keys, board, period } = subject(stream, data);
      return { kind: "top", keys, top: check.update(from, board, period) };
    }
    case "position_change": {
      const { from, keys, board, period } = subject(stream, data);
      return { kind: "difference", keys, difference: check.difference(from, board, period) };
    }
    case "rank_changed": {
      const { from, topics, board, period } = subject(stream, data);
      const move = check.move(from, board, period);
      return {
        kind: "moves",
        moves: topics.map((topic) => [
          keyOf(topic),
          Object.freeze({ ...move, board: topic.board }),
        ]),
      };
    }
    case "error": {
      const { code, message, board } = check.failure(JSON.parse(data));
      const status = code === "forbidden" ? 403 : board === null ? 0 : 404;
      const refusal = new Refusal(status, code, message);
      if (board === null) return { kind: "ended", refusal };
      return { kind: "refused", topics: stream.called(board), refusal };
    }
    case "goodbye": {
      const { reason, retryAfter } = check.goodbye(JSON.parse(data));
      return { kind: "ended", refusal: new Refusal(0, "closed", reason, retryAfter) };
    }
    default:
      return { kind: "nothing" };
  }
}

/** Finds the topics that an event is about. @param {Stream} stream @param {string} data */
function subject(stream, data) {
  const from = JSON.parse(data);
  const { board, period } = check.subject(from);
  const topics = stream.called(board, period);
  if (topics.length === 0) throw new TypeError("board or period is not one that is followed");
  return { from, board, period, topics, keys: topics.map(keyOf) };
}
