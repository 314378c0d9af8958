// @ts-check
/** @import { Sink, State } from "./connection.js" */
/** @import { Service } from "./http.js" */

import * as check from "./check.js";
import { Connection } from "./connection.js";
import { Group, groupsExist } from "./group.js";
import { Held } from "./held.js";
import { refusalFrom } from "./http.js";

/** The leader says that it is there when its stream is heard of, which is with each heartbeat of the server, but not more often than this. */
const BEAT = 5_000;
/** A leader that is silent for longer is asked whether it is there, … */
const SILENCE = 40_000;
/** … and has this long to answer. */
const ANSWER = 3_000;
/** How long a getToken may take before the board goes on by itself. */
const PATIENCE = 10_000;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * What brings a board its news: a stream of its own, or that of another tab that follows the same board
 * in the same period for the same person.
 */
export class Line {
  #service;
  #what;
  #shares;
  #sink;
  #held = new Held();
  /** @type {State} */
  #state = { status: "waiting", userId: null, error: null };
  /** The own stream; null where another tab has it. */
  #connection = /** @type {Connection | null} */ (null);
  #group = /** @type {Group | null} */ (null);
  /** Makes what was begun before something else void. */
  #turn = 0;
  #postedAt = 0;
  #watchdog = /** @type {Timer} */ (undefined);

  /**
   * @param {Service} service
   * @param {{ board: string, period: string }} what
   * @param {boolean} shared whether other tabs may be asked
   * @param {Sink} sink
   */
  constructor(service, what, shared, sink) {
    this.#service = service;
    this.#what = what;
    this.#shares = shared && groupsExist();
    this.#sink = sink;
    service.onOther = () => {
      if (this.#group === null && this.#connection === null) return;
      this.#leave();
      this.#held = new Held();
      this.open();
    };
  }

  /** Looks for the other tabs; without them, opens a stream. */
  async open() {
    if (!this.#shares) {
      this.#lead();
      return;
    }
    this.#become({ ...this.#state, status: "waiting" });
    await this.#enter();
  }

  /** Tries again at once, wherever the stream is. */
  retry() {
    if (this.#state.status === "live") return;
    if (this.#state.status === "readonly") {
      this.#leave();
      this.open();
    } else if (this.#connection !== null) {
      this.#connection.retry();
    } else {
      this.#ask("retry");
    }
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  wake() {
    if (this.#connection !== null) this.#connection.wake();
    else if (this.#group !== null) this.#ask("wake");
  }

  /** Leaves the stream to other tabs; `open` takes it up again. */
  close() {
    this.#leave();
  }

  async #enter() {
    const turn = ++this.#turn;
    let person = null;
    try {
      person = await Promise.race([this.#service.person(), lapse(PATIENCE)]);
    } catch {
      // The stream asks for it as well, and says what is wrong.
    }
    if (turn !== this.#turn) return;
    if (person === null) {
      this.#lead();
      return;
    }
    const { board, period } = this.#what;
    const name = `marcador/1 ${this.#service.address("/")} ${period} ${board} ${person}`;
    // A cookie may be another user's by now: whose tab comes last knows best.
    this.#group = new Group(
      name,
      {
        lead: () => this.#lead(),
        lost: () => this.#follow(),
        hear: (message) => this.#hear(message),
      },
      !this.#service.asksForToken,
    );
    if (!this.#group.leading) this.#ask("hello");
  }

  #leave() {
    this.#turn++;
    clearTimeout(this.#watchdog);
    this.#group?.leave();
    this.#group = null;
    this.#connection?.close();
    this.#connection = null;
  }

  /** Has a stream of its own from now on, and tells the others, where there are any. */
  #lead() {
    clearTimeout(this.#watchdog);
    if (this.#connection !== null) {
      this.#tellAll();
      return;
    }
    const sink = {
      state: (/** @type {State} */ state) => this.#stand(state),
      standing: (/** @type {check.Standing} */ standing, /** @type {string | null} */ epoch) => {
        this.#postStanding();
        this.#sink.standing(standing, epoch);
      },
      move: (/** @type {import("../marcador.d.ts").RankChanged} */ move) => {
        this.#post({ kind: "move", move, id: this.#held.id });
        this.#sink.move(move);
      },
    };
    const quietly = this.#state.status === "live";
    this.#connection = new Connection(this.#service, this.#what, this.#held, sink, () =>
      this.#beat(),
    );
    this.#connection.state = this.#state;
    this.#connection.open(quietly ? "soon" : "said");
  }

  /** Another tab has the stream. */
  #follow() {
    this.#connection?.close();
    this.#connection = null;
    this.#ask("hello");
  }

  /** The own stream stands otherwise. @param {State} state */
  #stand(state) {
    if (state.status === "readonly") {
      // Others may have a better token.
      this.#group?.leave();
      this.#group = null;
    }
    const alone = this.#group === null;
    this.#become(state);
    if (alone && this.#shares && state.status === "live") this.#enter();
    else this.#postState();
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    this.#sink.state(state);
  }

  /** @param {Record<string, unknown>} message */
  #hear(message) {
    if (this.#group?.leading) {
      if (this.#connection === null) return;
      if (message.kind === "wake") this.#connection.wake();
      else if (message.kind === "retry") this.#connection.retry();
      else if (message.kind !== "hello") return;
      this.#connection.hurry();
      this.#tellAll();
      return;
    }
    try {
      this.#learn(message);
    } catch (cause) {
      console.warn("marcador: a tab's message ignored:", refusalFrom(cause).message);
    }
  }

  /** Takes in what the leader says. Throws a TypeError where it can't be. @param {Record<string, unknown>} message */
  #learn(message) {
    const { board, period } = this.#what;
    if (message.kind === "state") {
      const state = check.state(message.state);
      this.#wait(SILENCE, () => this.#ask("hello"));
      this.#connection?.close();
      this.#connection = null;
      this.#become(state);
    } else if (message.kind === "standing") {
      const standing = check.update(message.update, board, period);
      const { id, epoch } = check.named(message);
      this.#held.put(standing, id);
      this.#sink.standing(standing, epoch);
    } else if (message.kind === "move") {
      const move = check.move(message.move, board, period);
      this.#held.reach(check.named(message).id);
      this.#sink.move(move);
    }
  }

  /** Asks the leader for something, which it answers with all that it knows, or is replaced. @param {string} kind */
  #ask(kind) {
    this.#group?.post({ kind });
    this.#wait(ANSWER, () => this.#group?.take());
  }

  /** @param {number} delay @param {() => void} then */
  #wait(delay, then) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(then, delay);
  }

  #beat() {
    if (Date.now() - this.#postedAt >= BEAT) this.#postState();
  }

  #tellAll() {
    this.#postState();
    this.#postStanding();
  }

  #postState() {
    this.#postedAt = Date.now();
    this.#post({ kind: "state", state: this.#state });
  }

  #postStanding() {
    const { standing, id, settled } = this.#held;
    if (standing === null) return;
    const { entries: leaderboard, lastUpdated: timestamp, ...rest } = standing;
    const update = { ...this.#what, ...rest, leaderboard, timestamp };
    this.#post({ kind: "standing", update, id: settled ? id : "", epoch: this.#held.epoch });
  }

  /** @param {Record<string, unknown>} message */
  #post(message) {
    if (this.#group?.leading) this.#group.post(message);
  }
}

/** @param {number} delay @returns {Promise<null>} */
function lapse(delay) {
  return new Promise((resolve) => setTimeout(() => resolve(null), delay));
}
