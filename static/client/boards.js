// @ts-check

/** A board in a period. @typedef {{ board: string, period: string }} What */

/** As a service has it. */
export const MOST_BOARDS = 32;

/** The same text for the same board in the same period. @param {What} what */
export function keyOf({ board, period }) {
  return `${period} ${board}`;
}

/**
 * How the service names a board, unless it has one of exactly the name that is given: then it
 * means that one.
 * @param {string} board
 */
export function normal(board) {
  const [kind = "", ...id] = trim(board).split(":");
  return id.length === 0 ? kind : `${kind}:${trim(trim(id.join(":")).normalize("NFC"))}`;
}

/** Takes off what Unicode calls white space. @param {string} text */
function trim(text) {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
}

/** The stream's address for these boards, of which there is one at least. @param {What[]} boards */
export function streamOf(boards) {
  const query = new URLSearchParams(boards.map(({ board }) => ["board", board]));
  const periods = boards.map(({ period }) => period);
  // One period applies to all boards; several are paired with them in order.
  if (periods.every((one) => one === periods[0])) periods.length = 1;
  for (const period of periods) query.append("period", period);
  query.append("mode", "diff");
  return `/v1/events?${query}`;
}

/** The address of a board's page. @param {What} what @param {Record<string, string>} slice */
export function pageOf({ board, period }, slice) {
  const query = new URLSearchParams({ period, ...slice });
  return `/v1/leaderboards/${encodeURIComponent(board)}?${query}`;
}
