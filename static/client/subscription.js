// @ts-check
/** @import { RankChanged } from "../marcador.d.ts" */
/** @import { Top } from "./check.js" */
/** @import { State } from "./connection.js" */
/** @import { Service } from "./http.js" */
/** @import { Topic } from "./topics.js" */

import { within } from "./http.js";
import { SharedStream } from "./shared.js";
import { keyOf } from "./topics.js";

/** How long a getToken may take before the board opens a stream of its own, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Hears what a stream brings for one board.
 * @typedef {object} Listener
 * @property {(state: State) => void} state
 * @property {(top: Top, epoch: string | null) => void} top
 * @property {(move: RankChanged) => void} move
 */

/**
 * One board's subscription to a shared stream. Boards of a page share a stream if they are for one
 * person. The token tells who that is. Until the token is there, the board has its own stream.
 */
export class Subscription {
  topic;
  key;
  service;

  #shares;
  #listener;
  #streams;
  #stream = /** @type {SharedStream | null} */ (null);
  /** The stream before. The next one goes on from what it brought. */
  #last = /** @type {SharedStream | null} */ (null);
  #finding = false;
  /** Counts searches for a stream. A search that is not the newest has no effect. */
  #search = 0;

  /**
   * @param {Service} service
   * @param {Topic} topic
   * @param {boolean} shares whether it may share a stream with other tabs
   * @param {Listener} listener
   * @param {Map<string, SharedStream>} streams the page's, by name
   */
  constructor(service, topic, shares, listener, streams) {
    this.service = service;
    this.topic = topic;
    this.key = keyOf(topic);
    this.#shares = shares;
    this.#listener = listener;
    this.#streams = streams;
    service.onOther = () => {
      if (this.#stream === null) return;
      this.close();
      this.#last = null;
      this.open();
    };
  }

  /** Begins, also again after `close`. */
  async open() {
    this.#listener.state({ status: "waiting", userId: null, error: null });
    await this.#find();
  }

  /** Tries again at once, whichever tab has the stream. */
  retry() {
    this.#stream?.retry(this.key);
  }

  /** Call it when a try may succeed: the page is visible again, or the network is back. */
  wake() {
    this.#stream?.wake();
  }

  /** Leaves the stream to others, until `open`. */
  close() {
    this.#search++;
    this.#leave();
  }

  /** @param {State} state */
  state(state) {
    this.#listener.state(state);
    // An unnamed stream is this board's alone. Now that it is live, its person is known.
    const unnamed = this.#stream?.name === "";
    if (state.status === "live" && unnamed && !this.#finding) this.#find();
  }

  /** @param {Top} top @param {string | null} epoch */
  top(top, epoch) {
    this.#listener.top(top, epoch);
  }

  /** @param {RankChanged} move */
  move(move) {
    this.#listener.move(move);
  }

  /** Finds the person's stream on this page, or begins one. */
  async #find() {
    const search = ++this.#search;
    let person = null;
    this.#finding = true;
    try {
      person = await within(PATIENCE, this.service.person());
    } catch {
      // The stream asks for the token as well, and reports what is wrong.
    }
    if (search !== this.#search) return;
    this.#finding = false;
    if (person === null) {
      if (this.#stream === null) this.#join(new SharedStream());
      return;
    }
    const how = this.#shares ? "marcador/3" : "alone";
    const name = `${how} ${this.service.address("/")} ${person}`;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = this.#stream ?? (this.#last?.name === name ? this.#last : new SharedStream());
      this.#streams.set(name, stream);
      stream.call(name, this.#shares);
    }
    if (stream !== this.#stream) this.#join(stream);
  }

  /** @param {SharedStream} stream */
  #join(stream) {
    this.#leave();
    this.#stream = stream;
    stream.join(this);
  }

  #leave() {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    this.#last = stream;
    stream.leave(this);
    if (stream.empty && this.#streams.get(stream.name) === stream)
      this.#streams.delete(stream.name);
  }
}
