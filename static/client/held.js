// @ts-check
/** @import { Entry } from "../marcador.d.ts" */
/** @import { Difference, Standing } from "./check.js" */

/** A difference does not lead from what is held, so that what it leads to is not known. */
export class Gap extends Error {}

/**
 * What streams have brought of their boards, by the boards' keys. A stream's `id` says what its
 * client holds of all of them up to the event that carries it; what came after it is said again by
 * the stream that goes on from there.
 */
export class Held {
  /** From which the next stream goes on, "" for none. */
  id = "";
  /** The keys of the boards that `id` is of: those of the stream that it came from. */
  keys = /** @type {string[]} */ ([]);

  /** The newest of each board, and what was held when `id` came. */
  #boards = /** @type {Map<string, { now: Standing | null, known: Standing | null }>} */ (
    new Map()
  );

  /** The epoch that versions count in, null where it is not known. */
  get epoch() {
    const dash = this.id.lastIndexOf("-");
    return dash < 0 ? null : this.id.slice(0, dash);
  }

  /** Whether `id` says all that is held. */
  get settled() {
    return [...this.#boards.values()].every(({ now, known }) => now === known);
  }

  /** The newest of a board, or null before the first. @param {string} key */
  standing(key) {
    return this.#boards.get(key)?.now ?? null;
  }

  /**
   * Whether a stream of these boards can go on from `id`. An id is of all the boards of its stream:
   * to a stream of fewer boards it may name a state of one that this client does not hold.
   * @param {string[]} keys
   */
  covers(keys) {
    if (keys.length !== this.keys.length) return false;
    return keys.every((key) => this.keys.includes(key) && this.#boards.get(key)?.known);
  }

  /** A stream of these boards begins. @param {string[]} keys @param {boolean} recovered whether it goes on from `id` */
  begin(keys, recovered) {
    if (!recovered) this.id = "";
    this.keys = keys;
    const old = this.#boards;
    this.#boards = new Map(
      keys.map((key) => {
        const known = (recovered && old.get(key)?.known) || null;
        return [key, { now: known, known }];
      }),
    );
  }

  /** @param {string} key @param {Standing} standing @param {string} id of the event, "" for none */
  put(key, standing, id) {
    const known = this.#boards.get(key)?.known ?? null;
    this.#boards.set(key, { now: standing, known });
    this.reach(id);
  }

  /**
   * Takes over what another tab holds of a board.
   * @param {string} key
   * @param {Standing} standing
   * @param {{ id: string, keys: string[] }} from `id` is "" where it does not say all that the tab holds
   */
  adopt(key, standing, { id, keys }) {
    this.put(key, standing, "");
    this.follow(id, keys);
    if (id !== "") this.#boards.set(key, { now: standing, known: standing });
  }

  /** Another tab's stream reached an id of these boards. @param {string} id @param {string[]} keys */
  follow(id, keys) {
    if (id === "") return;
    this.reach(id);
    this.keys = keys;
  }

  /**
   * Throws a Gap, and holds what it held, where the difference is from something else.
   * @param {string} key
   * @param {Difference} difference
   * @param {string} id of the event, "" for none
   */
  apply(key, difference, id) {
    this.put(key, changed(this.standing(key), difference), id);
  }

  /** An event came. @param {string} id that the stream named last, "" for none */
  reach(id) {
    if (id === "" || id === this.id) return;
    this.id = id;
    for (const board of this.#boards.values()) board.known = board.now;
  }
}

/**
 * Takes out the rows of all changes, and puts each behind those that have its rank or a better one.
 * @param {Standing | null} from
 * @param {Difference} difference
 * @returns {Standing}
 */
export function changed(from, { from: version, changes, ...to }) {
  if (from === null || from.version !== version) {
    throw new Gap(`it leads from version ${version}, ${from?.version ?? "none"} is held`);
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
