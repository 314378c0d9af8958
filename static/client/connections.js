// @ts-check
/** @import { Sink, State } from "./connection.js" */
/** @import { Service } from "./http.js" */
/** @import { Topic } from "./topics.js" */

import { Connection } from "./connection.js";
import { Received } from "./received.js";
import { MOST_BOARDS } from "./topics.js";

/**
 * With HTTP/1.1 a browser opens six connections to a service, and the page needs some for other
 * requests.
 */
const MOST_STREAMS = 3;

/** The state of boards past all bounds. They are read as pages. @type {State} */
const OVER = { status: "buffered", userId: null, error: null };

/** The streams of this tab: one for each 32 boards, three at most. */
export class Connections {
  /**
   * What the first stream has brought. It outlives the stream, so that the next one can go on from
   * there.
   */
  received = new Received();

  #sink;
  #all = /** @type {Connection[]} */ ([]);
  /** The stream of each board. */
  #assigned = /** @type {Map<string, Connection>} */ (new Map());

  /** @param {Sink} sink */
  constructor(sink) {
    this.#sink = sink;
  }

  /** How many streams there are. */
  get count() {
    return this.#all.length;
  }

  /** The status of the first stream, undefined without one. */
  get status() {
    return this.#all[0]?.state.status;
  }

  /** The keys of all boards that have a stream. */
  get keys() {
    return [...this.#assigned.keys()];
  }

  /**
   * Gives each of these boards a stream, and no other board.
   * @param {Map<string, Topic>} wanted by key
   * @param {Service} service for new streams
   * @param {() => State} first gives the state that the first stream begins with
   */
  spread(wanted, service, first) {
    for (const key of this.#assigned.keys()) if (!wanted.has(key)) this.#assigned.delete(key);
    const opened = [];
    for (const key of wanted.keys()) {
      if (this.#assigned.has(key)) continue;
      let free = this.#all.find((one) => this.#boardsOf(one).length < MOST_BOARDS);
      if (free === undefined && this.#all.length < MOST_STREAMS) {
        free = this.#connect(service, first);
        opened.push(free);
      }
      if (free !== undefined) this.#assigned.set(key, free);
    }
    for (const connection of [...this.#all]) {
      const topics = this.#boardsOf(connection).flatMap((key) => wanted.get(key) ?? []);
      connection.follow(topics);
      if (topics.length === 0) {
        connection.close();
        this.#all.splice(this.#all.indexOf(connection), 1);
      }
    }
    for (const one of opened) one.open(one.state.status === "live" ? "soon" : "said");
  }

  /**
   * Streams that spoke with the old service's token speak with the other's from now on.
   * @param {Service} old
   * @param {Service} other
   */
  replaceService(old, other) {
    for (const one of this.#all) if (one.service === old) one.service = other;
  }

  /** @param {string} key @returns {State} */
  stateOf(key) {
    return this.#assigned.get(key)?.stateOf(key) ?? OVER;
  }

  /** What is known of a board. @param {string} key */
  known(key) {
    const received = this.#assigned.get(key)?.received ?? this.received;
    return { top: received.top(key), epoch: received.epoch };
  }

  /** Where another tab could go on from. The id is "" if something came after the last id. */
  get position() {
    const { id, keys, settled } = this.received;
    return { id: this.#all.length === 1 && settled ? id : "", keys };
  }

  /** Tries the stream of a board, or all streams, at once. @param {string} [key] */
  retry(key) {
    if (key !== undefined) this.#assigned.get(key)?.retry();
    else for (const one of this.#all) one.retry();
  }

  wake() {
    for (const one of this.#all) one.wake();
  }

  hurry() {
    for (const one of this.#all) one.hurry();
  }

  close() {
    for (const one of this.#all) one.close();
    this.#all = [];
    this.#assigned.clear();
  }

  /** @param {Connection} connection */
  #boardsOf(connection) {
    return [...this.#assigned].flatMap(([key, one]) => (one === connection ? [key] : []));
  }

  /** @param {Service} service @param {() => State} first */
  #connect(service, first) {
    const only = this.#all.length === 0;
    const received = only ? this.received : new Received();
    const connection = new Connection(service, received, this.#sink);
    if (only) connection.state = first();
    this.#all.push(connection);
    return connection;
  }
}
