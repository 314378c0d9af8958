// @ts-check

import { beforeEach } from "node:test";
import { follow, given, tokenOf, untilVersion } from "./following.js";
import { frame, page, refuse, update } from "./service.js";

/** What the service of a test with several boards does and was asked. */
export const classrooms = {
  /** The boards and periods of each stream that was asked for. @type {string[]} */
  asked: [],
  /** The status by which a board's stream and page are refused. @type {Map<string, number>} */
  closed: new Map(),
  /** The version of each first page. */
  version: 5,
};

/** The names of so many boards. @param {number} count */
export const names = (count) => Array.from({ length: count }, (_, i) => `classroom:c${i}`);

/** The token of the reader. */
export const getToken = async () => tokenOf({ sub: "u1" });

/** Lets the service of each test of a file have any board. Call it after `prepare`. */
export function prepareClassrooms() {
  beforeEach(() => {
    Object.assign(classrooms, { asked: [], closed: new Map(), version: 5 });
    given.service.userId = "u1";
    given.service.onStream = stream;
    given.service.onPage = onePage;
  });
}

/** Follows so many boards, and waits until all are live. @param {number} count */
export async function followClassrooms(count) {
  const boards = names(count).map((board) => follow({ board, getToken }));
  for (const board of boards) await untilVersion(board, 5);
  return boards;
}

/** @type {import("./service.js").Answer} */
function stream(request, response) {
  const { asked, closed, version } = classrooms;
  const topics = topicsOf(request.url ?? "");
  asked.push(topics.map(({ board, period }) => `${board} ${period}`).join());
  const shut = topics.find(({ board }) => closed.has(board));
  if (shut !== undefined) {
    refuse(closed.get(shut.board) ?? 0, "no")(request, response);
    return;
  }
  const pages = topics.map((topic, i) => {
    const id = i === topics.length - 1 ? `e-${version}` : undefined;
    return frame("leaderboard:updated", update(version, topic), id);
  });
  given.service.greeting = pages.join("");
  given.service.welcome(response);
}

/** @type {import("./service.js").Answer} */
function onePage(request, response) {
  const board = decodeURIComponent(/leaderboards\/([^?]+)/.exec(request.url ?? "")?.[1] ?? "");
  const status = classrooms.closed.get(board);
  if (status !== undefined) refuse(status, "no")(request, response);
  else response.end(JSON.stringify(page(1, { board })));
}

/** The boards and periods that a request for a stream names. @param {string} url */
function topicsOf(url) {
  const query = new URL(url, "http://service").searchParams;
  const periods = query.getAll("period");
  return query
    .getAll("board")
    .map((board, i) => ({ board, period: periods.length === 1 ? periods[0] : periods[i] }));
}
