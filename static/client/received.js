// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Difference, Top } from "./check.js" */

/** A difference begins at another state than the one that is known, so its result is not known. */
export class Gap extends Error {}

/**
 * What streams have brought, for each board by its key.
 *
 * A stream's `id` names the state of all its boards at the event with that id. A stream that goes
 * on from an id brings again whatever came after it. So there are two states of each board: the
 * newest, and the one at the id.
 */
export class Received {
  /** The id that the next stream goes on from, "" for none. */
  id = "";
  /** The keys of the boards of the stream that `id` came from. */
  keys = /** @type {string[]} */ ([]);

  #boards = /** @type {Map<string, { newest: Top | null, atId: Top | null }>} */ (new Map());

  /** The epoch of the versions, null while it is not known. */
  get epoch() {
    const dash = this.id.lastIndexOf("-");
    return dash < 0 ? null : this.id.slice(0, dash);
  }

  /** Whether nothing has come after `id`. */
  get settled() {
    return [...this.#boards.values()].every(({ newest, atId }) => newest === atId);
  }

  /** The newest state of a board, null before the first. @param {string} key */
  top(key) {
    return this.#boards.get(key)?.newest ?? null;
  }

  /**
   * Whether a stream of these boards can go on from `id`. An id covers all boards of its stream.
   * For a stream of fewer boards, it may name a state that this client does not have.
   * @param {string[]} keys
   */
  covers(keys) {
    if (keys.length !== this.keys.length) return false;
    return keys.every((key) => this.keys.includes(key) && this.#boards.get(key)?.atId);
  }

  /**
   * A stream of these boards begins.
   * @param {string[]} keys
   * @param {boolean} recovered whether it goes on from `id`
   */
  begin(keys, recovered) {
    if (!recovered) this.id = "";
    this.keys = keys;
    const old = this.#boards;
    this.#boards = new Map(
      keys.map((key) => {
        const atId = (recovered && old.get(key)?.atId) || null;
        return [key, { newest: atId, atId }];
      }),
    );
  }

  /** @param {string} key @param {Top} top @param {string} id of the event, "" for none */
  put(key, top, id) {
    const atId = this.#boards.get(key)?.atId ?? null;
    this.#boards.set(key, { newest: top, atId });
    this.reach(id);
  }

  /**
   * Takes over a board's state from another tab.
   * @param {string} key
   * @param {Top} top
   * @param {{ id: string, keys: string[] }} from `id` is "" if something came to that tab after its
   *   id
   */
  adopt(key, top, { id, keys }) {
    this.put(key, top, "");
    this.follow(id, keys);
    if (id !== "") this.#boards.set(key, { newest: top, atId: top });
  }

  /**
   * Another tab's stream of these boards reached an id.
   * @param {string} id
   * @param {string[]} keys
   */
  follow(id, keys) {
    if (id === "") return;
    this.reach(id);
    this.keys = keys;
  }

  /**
   * Applies a difference. Throws a Gap, and changes nothing, if it begins at another state.
   * @param {string} key
   * @param {Difference} difference
   * @param {string} id of the event, "" for none
   */
  apply(key, difference, id) {
    this.put(key, changed(this.top(key), difference), id);
  }

  /** An event has come. @param {string} id the last id that the stream named, "" for none */
  reach(id) {
    if (id === "" || id === this.id) return;
    this.id = id;
    for (const board of this.#boards.values()) board.atId = board.newest;
  }
}

/**
 * The state that a difference leads to. Rows with a change are taken out. Those that stay in the
 * top are put back behind all rows with the same rank or a better one.
 * @param {Top | null} from
 * @param {Difference} difference
 * @returns {Top}
 */
export function changed(from, { from: version, changes, ...to }) {
  if (from === null || from.version !== version) {
    throw new Gap(
      `it begins at version ${version}, and the known one is ${from?.version ?? "none"}`,
    );
  }
  const rows = new Map(from.entries.map((one) => [one.userId, one]));
  /** @type {Entry[]} */
  const moved = [];
  for (const { userId, oldRank, newRank, entry } of changes) {
    const row = rows.get(userId);
    if ((row?.rank ?? null) !== oldRank) throw new Gap(`${userId} is not at ${oldRank}`);
    rows.delete(userId);
    if (newRank === null) continue;
    if (entry !== null) moved.push(entry);
    else if (row !== undefined) moved.push({ ...row, rank: newRank });
    else throw new Gap(`${userId} is new and has no entry`);
  }
  const entries = [];
  let next = 0;
  for (const row of rows.values()) {
    while (next < moved.length && moved[next].rank < row.rank) entries.push(moved[next++]);
    entries.push(row);
  }
  entries.push(...moved.slice(next));
  if (entries.length > to.totalEntries || (entries.length === 0 && to.totalEntries > 0)) {
    throw new Gap(`it leads to ${entries.length} rows of ${to.totalEntries}`);
  }
  return { entries, ...to };
}
