// @ts-check
/** @import { RankChanged } from "../marcador.d.ts" */
/** @import { What } from "./boards.js" */
/** @import { Standing } from "./check.js" */
/** @import { State } from "./connection.js" */
/** @import { Service } from "./http.js" */

import { keyOf } from "./boards.js";
import { within } from "./http.js";
import { SharedStream } from "./shared.js";

/** How long a getToken may take before the board goes on by itself. */
const PATIENCE = 10_000;

/**
 * Who is told of what a stream brings of a board.
 * @typedef {object} Follower
 * @property {(state: State) => void} state
 * @property {(standing: Standing, epoch: string | null) => void} standing
 * @property {(move: RankChanged) => void} move
 */

/**
 * One board's place on the stream that brings all boards of a page that one person follows. Who
 * that is, the token says: until it is there the board has a stream by itself.
 */
export class Seat {
  what;
  key;
  service;

  #shares;
  #follower;
  #streams;
  #stream = /** @type {SharedStream | null} */ (null);
  /** The one before: what it brought is gone on from. */
  #last = /** @type {SharedStream | null} */ (null);
  #entering = false;
  /** Calls off what was begun before something else. */
  #turn = 0;

  /**
   * @param {Service} service
   * @param {What} what
   * @param {boolean} shares whether other tabs may be asked
   * @param {Follower} follower
   * @param {Map<string, SharedStream>} streams the page's, by name
   */
  constructor(service, what, shares, follower, streams) {
    this.service = service;
    this.what = what;
    this.key = keyOf(what);
    this.#shares = shares;
    this.#follower = follower;
    this.#streams = streams;
    service.onOther = () => {
      if (this.#stream === null) return;
      this.close();
      this.#last = null;
      this.open();
    };
  }

  /** Takes its place; also anew, after `close`. */
  async open() {
    this.#follower.state({ status: "waiting", userId: null, error: null });
    await this.#enter();
  }

  /** Tries again at once, wherever the stream is. */
  retry() {
    this.#stream?.retry(this.key);
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  wake() {
    this.#stream?.wake();
  }

  /** Leaves the stream to others; `open` takes it up again. */
  close() {
    this.#turn++;
    this.#leave();
  }

  /** @param {State} state */
  state(state) {
    this.#follower.state(state);
    // Its stream knows whose it is by now.
    const alone = this.#stream?.name === "";
    if (state.status === "live" && alone && !this.#entering) this.#enter();
  }

  /** @param {Standing} standing @param {string | null} epoch */
  standing(standing, epoch) {
    this.#follower.standing(standing, epoch);
  }

  /** @param {RankChanged} move */
  move(move) {
    this.#follower.move(move);
  }

  async #enter() {
    const turn = ++this.#turn;
    let person = null;
    this.#entering = true;
    try {
      person = await within(PATIENCE, this.service.person());
    } catch {
      // The stream asks for it as well, and says what is wrong.
    }
    if (turn !== this.#turn) return;
    this.#entering = false;
    if (person === null) {
      if (this.#stream === null) this.#sit(new SharedStream());
      return;
    }
    const how = this.#shares ? "marcador/2" : "alone";
    const name = `${how} ${this.service.address("/")} ${person}`;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = this.#stream ?? (this.#last?.name === name ? this.#last : new SharedStream());
      this.#streams.set(name, stream);
      stream.call(name, this.#shares);
    }
    if (stream !== this.#stream) this.#sit(stream);
  }

  /** @param {SharedStream} stream */
  #sit(stream) {
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
