// @ts-check

/**
 * A board in a period. One stream can follow several.
 * @typedef {{ board: string, period: string }} Topic
 */

/** The service's bound for one stream. */
export const MOST_BOARDS = 32;

/** A text that is the same for the same topic. @param {Topic} topic */
export function keyOf({ board, period }) {
  return `${period} ${board}`;
}

/**
 * The service's usual spelling of a board's name. If a board exists under exactly the given name,
 * the service uses that name instead.
 * @param {string} board
 */
export function normal(board) {
  const [kind = "", ...id] = trim(board).split(":");
  return id.length === 0 ? kind : `${kind}:${trim(trim(id.join(":")).normalize("NFC"))}`;
}

/** Removes white space as Unicode defines it from both ends. @param {string} text */
function trim(text) {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
}

/** The path of a stream of these topics. @param {Topic[]} topics at least one */
export function streamPath(topics) {
  const query = new URLSearchParams(topics.map(({ board }) => ["board", board]));
  const periods = topics.map(({ period }) => period);
  // One period applies to all boards. Several periods are paired with the boards in order.
  if (periods.every((one) => one === periods[0])) periods.length = 1;
  for (const period of periods) query.append("period", period);
  query.append("mode", "diff");
  return `/v1/events?${query}`;
}

/** The path of a page of a topic. @param {Topic} topic @param {Record<string, string>} slice */
export function pagePath({ board, period }, slice) {
  const query = new URLSearchParams({ period, ...slice });
  return `/v1/leaderboards/${encodeURIComponent(board)}?${query}`;
}
