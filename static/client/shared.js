// @ts-check
/** @import { What } from "./boards.js" */
/** @import { State } from "./connection.js" */
/** @import { Seat } from "./seat.js" */

import { keyOf, MOST_BOARDS } from "./boards.js";
import * as check from "./check.js";
import { Connection } from "./connection.js";
import { Group, groupsExist } from "./group.js";
import { Held } from "./held.js";
import { refusalFrom } from "./http.js";
import { Tabs } from "./others.js";

/** With HTTP/1.1 a browser has six connections to a service: most are for the page's other requests. */
const MOST_STREAMS = 3;
/** The leader says that it is there when its stream is heard of, which is with each heartbeat of the server, but not more often than this. */
const BEAT = 5_000;
/** A leader that is silent for longer is asked whether it is there, … */
const SILENCE = 10_000;
/** … and has this long to answer. */
const ANSWER = 3_000;
/** A tab that follows says so this often: the leader forgets tabs that don't. */
const HERE = 30_000;
/** A tab that can't find the others gives its stream up when it is hidden for this long. */
const UNSEEN = 10_000;

/** @type {State} */
const WAITING = { status: "waiting", userId: null, error: null };
/** Boards past all bounds are read as pages. @type {State} */
const OVER = { status: "held", userId: null, error: null };

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * What brings all boards of a page that one person follows their news, and those of the person's
 * other tabs: one stream, which one of the tabs has.
 *
 *     joins ──no other tab, or it takes the lead──▶ leads: has the stream of what all tabs want
 *     joins ──another tab leads──▶ follows: says what it wants, hears what the stream brings
 *     follows ──the leader leaves, or is silent for 10 s and 3 s more──▶ leads
 *     leads ──another tab takes the lead──▶ follows
 *     leads ──its token is refused──▶ alone: leaves the lead to others ──live──▶ joins
 */
export class SharedStream {
  /** By what boards are joined; "" for none, where the person is not known yet. */
  name = "";

  #shares = false;
  #seats = /** @type {Set<Seat>} */ (new Set());
  #held = new Held();
  /** The own streams, of which there is more than one past 32 boards; none where another tab has it. */
  #connections = /** @type {Connection[]} */ ([]);
  /** Which stream brings a board. */
  #placed = /** @type {Map<string, Connection>} */ (new Map());
  /** What the leader says of boards. */
  #told = /** @type {Map<string, State>} */ (new Map());
  #group = /** @type {Group | null} */ (null);
  /** What the other tabs want of the leader. */
  #tabs = new Tabs();
  #me = Math.random().toString(36).slice(2);
  /** Calls off what was begun before something else. */
  #turn = 0;
  /** What is to be asked of the leader in a moment. */
  #question = "";
  #postedAt = 0;
  #saidAt = 0;
  #watchdog = /** @type {Timer} */ (undefined);
  /** Ends `#mind`, where this tab can't find the others. */
  #unseen = /** @type {AbortController | null} */ (null);

  /** Whether nobody follows anything here. */
  get empty() {
    return this.#seats.size === 0;
  }

  /** What is known of a board. @param {string} key */
  #known(key) {
    const held = this.#heldOf(key);
    return { standing: held.standing(key), epoch: held.epoch };
  }

  /** Is found by that name from now on. @param {string} name @param {boolean} shares whether by other tabs too */
  call(name, shares) {
    this.name = name;
    this.#shares = shares;
    if (this.#connections.length > 0 && shares) this.#enter();
  }

  /** @param {Seat} seat */
  join(seat) {
    this.#seats.add(seat);
    if (this.#seats.size === 1) {
      const turn = ++this.#turn;
      // What a page mounts together is asked for together.
      queueMicrotask(() => turn === this.#turn && this.#start());
    } else if (this.#connections.length > 0) {
      this.#spread();
    } else if (this.#group !== null) {
      this.#ask("hello");
    }
    this.#tell(seat);
  }

  /** @param {Seat} seat */
  leave(seat) {
    if (!this.#seats.delete(seat)) return;
    if (this.#seats.size === 0) {
      this.#leaveGroup();
      this.#close();
      this.#told.clear();
      return;
    }
    const [next] = this.#seats;
    for (const connection of this.#connections) {
      if (connection.service === seat.service) connection.service = next.service;
    }
    if (this.#connections.length > 0) this.#spread();
    else this.#ask("here");
  }

  /** Tries again at once, wherever the stream is. @param {string} key */
  retry(key) {
    const { status } = this.#stateOf(key);
    if (status === "live") return;
    if (this.#connections.length > 0) this.#placed.get(key)?.retry();
    else this.#ask("retry");
  }

  /** Something changed for the better: the page is seen again, or the network is back. */
  wake() {
    if (this.#connections.length > 0) for (const one of this.#connections) one.wake();
    else if (this.#group !== null) this.#ask("wake");
  }

  #start() {
    if (this.#shares) this.#enter();
    else this.#lead();
  }

  /** Looks for the other tabs. */
  #enter() {
    if (!groupsExist()) {
      this.#lead();
      if (this.#unseen === null) this.#mind();
      return;
    }
    const [{ service }] = this.#seats;
    // A cookie may be another user's by now: whose tab comes last knows best.
    this.#group = new Group(
      this.name,
      {
        lead: () => this.#lead(),
        lost: () => this.#follow(),
        hear: (message) => this.#hear(message),
      },
      !service.asksForToken,
    );
    if (!this.#group.leading) this.#ask("hello");
  }

  #leaveGroup() {
    this.#turn++;
    clearTimeout(this.#watchdog);
    this.#unseen?.abort();
    this.#unseen = null;
    if (this.#group?.leading === false) this.#group.post({ kind: "bye", tab: this.#me });
    this.#group?.leave();
    this.#group = null;
    this.#tabs.clear();
  }

  #close() {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
    this.#placed.clear();
  }

  /** Alone, it would take a connection from tabs that are seen: it gives up the stream while it is not. */
  #mind() {
    this.#unseen = new AbortController();
    const { signal } = this.#unseen;
    const { document } = globalThis;
    if (document === undefined) return;
    /** @type {Timer} */
    let timer;
    const look = () => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden") timer = setTimeout(() => this.#rest(), UNSEEN);
      else if (this.#connections.length === 0) this.#lead();
    };
    signal.addEventListener("abort", () => clearTimeout(timer));
    document.addEventListener("visibilitychange", look, { signal });
    look();
  }

  /** Has a stream of its own from now on, and tells the others, where there are any. */
  #lead() {
    clearTimeout(this.#watchdog);
    if (this.#connections.length > 0) this.#tellAll();
    else this.#spread();
  }

  /** Another tab has the stream. */
  #follow() {
    this.#rest();
    this.#ask("hello");
  }

  /** Ends the own streams. Boards stand as they did until somebody says otherwise. */
  #rest() {
    for (const { key } of this.#seats) this.#told.set(key, this.#stateOf(key));
    this.#close();
  }

  /** What is wanted here, and, where this tab leads, by the others, by key. */
  #wanted() {
    const own = [...this.#seats].map(({ what }) => what);
    const all = this.#group?.leading ? [...own, ...this.#tabs.wanted()] : own;
    return new Map(all.map((what) => [keyOf(what), what]));
  }

  /** Gives each board that is wanted to a stream. */
  #spread() {
    const wanted = this.#wanted();
    for (const key of this.#placed.keys()) if (!wanted.has(key)) this.#placed.delete(key);
    const opened = [];
    for (const key of wanted.keys()) {
      if (this.#placed.has(key)) continue;
      let free = this.#connections.find((one) => this.#boardsOf(one).length < MOST_BOARDS);
      if (free === undefined && this.#connections.length < MOST_STREAMS) {
        free = this.#connect();
        opened.push(free);
      }
      if (free !== undefined) this.#placed.set(key, free);
    }
    for (const connection of [...this.#connections]) {
      const boards = this.#boardsOf(connection).flatMap((key) => wanted.get(key) ?? []);
      connection.follow(boards);
      if (boards.length === 0) {
        connection.close();
        this.#connections.splice(this.#connections.indexOf(connection), 1);
      }
    }
    for (const one of opened) one.open(one.state.status === "live" ? "soon" : "said");
    this.#stood();
  }

  /** @param {Connection} connection */
  #boardsOf(connection) {
    return [...this.#placed].flatMap(([key, one]) => (one === connection ? [key] : []));
  }

  #connect() {
    const [{ service, what }] = this.#seats;
    const first = this.#connections.length === 0;
    const held = first ? this.#held : new Held();
    const connection = new Connection(service, held, {
      stood: () => this.#stood(),
      standing: (key) => {
        this.#postStanding(key);
        this.#deliver(key);
      },
      move: (key, move) => {
        this.#post({ kind: "move", move, ...this.#position });
        for (const seat of this.#at(key)) seat.move(move);
      },
      heard: () => this.#beat(),
    });
    // The lead was passed on by a tab that had a stream: nobody has to notice.
    if (first) connection.state = this.#told.get(keyOf(what)) ?? WAITING;
    this.#connections.push(connection);
    return connection;
  }

  /** The boards' states are other ones now. */
  #stood() {
    const status = this.#connections[0]?.state.status;
    if (status === "readonly" && this.#group !== null) {
      // Others may have a better token.
      this.#group.leave();
      this.#group = null;
      this.#tabs.clear();
    }
    for (const seat of [...this.#seats]) seat.state(this.#stateOf(seat.key));
    const alone = this.#group === null && this.#unseen === null;
    if (status === "live" && alone && this.#shares) this.#enter();
    else this.#postStates();
  }

  /** @param {string} key @returns {State} */
  #stateOf(key) {
    if (this.#connections.length === 0) return this.#told.get(key) ?? WAITING;
    return this.#placed.get(key)?.stateOf(key) ?? OVER;
  }

  /** @param {string} key */
  #heldOf(key) {
    return this.#placed.get(key)?.held ?? this.#held;
  }

  /** @param {string} key */
  #at(key) {
    return [...this.#seats].filter((seat) => seat.key === key);
  }

  /** Tells whoever follows a board what is known of it. @param {string} key */
  #deliver(key) {
    const { standing, epoch } = this.#known(key);
    if (standing !== null) for (const seat of this.#at(key)) seat.standing(standing, epoch);
  }

  /** Tells somebody who comes. @param {Seat} seat */
  #tell(seat) {
    seat.state(this.#stateOf(seat.key));
    const { standing, epoch } = this.#known(seat.key);
    if (standing !== null) seat.standing(standing, epoch);
  }

  /** @param {Record<string, unknown>} message */
  #hear(message) {
    try {
      if (this.#group?.leading) this.#serve(message);
      else this.#learn(message);
    } catch (cause) {
      console.warn("marcador: a tab's message ignored:", refusalFrom(cause).message);
    }
  }

  /** Does what another tab asks for. Throws a TypeError where it can't be. @param {Record<string, unknown>} message */
  #serve(message) {
    const { kind } = message;
    if (kind === "bye") {
      if (this.#tabs.drop(String(message.tab))) this.#spread();
      return;
    }
    if (!/^(hello|here|there|wake|retry)$/.test(String(kind))) return;
    const { tab, boards } = check.wants(message);
    if (this.#tabs.put(tab, boards)) this.#spread();
    if (kind === "here") return;
    for (const connection of this.#connections) {
      if (kind === "wake") connection.wake();
      else if (kind === "retry") connection.retry();
      connection.hurry();
    }
    this.#postStates();
    if (kind === "there") return;
    for (const what of boards) this.#postStanding(keyOf(what));
  }

  /** Takes in what the leader says. Throws a TypeError where it can't be. @param {Record<string, unknown>} message */
  #learn(message) {
    if (message.kind === "states") {
      const states = check.states(message.states);
      this.#wait(SILENCE, () => this.#ask("there"));
      this.#close();
      for (const [key, state] of states) {
        // A new leader opens its stream: that is over, or said to fail, in a moment.
        const opening = state.status === "waiting" && state.error === null;
        if (!opening || this.#told.get(key)?.status !== "live") this.#told.set(key, state);
      }
      const unknown = [...this.#seats].some(({ key }) => !states.has(key));
      if (unknown || Date.now() - this.#saidAt >= HERE) this.#ask("here");
      for (const seat of [...this.#seats]) seat.state(this.#stateOf(seat.key));
    } else if (message.kind === "standing") {
      const what = check.subject(message.update);
      const standing = check.update(message.update, what.board, what.period);
      const position = check.position(message);
      if (this.#at(keyOf(what)).length === 0) return;
      this.#held.adopt(keyOf(what), standing, position);
      const { epoch } = position;
      for (const seat of this.#at(keyOf(what))) seat.standing(standing, epoch);
    } else if (message.kind === "move") {
      const what = check.subject(message.move);
      const move = check.move(message.move, what.board, what.period);
      const { id, keys } = check.position(message);
      this.#held.follow(id, keys);
      for (const seat of this.#at(keyOf(what))) seat.move(move);
    }
  }

  /** Asks the leader for something, which it answers, or is replaced. @param {"here" | "there" | "hello" | "wake" | "retry"} kind */
  #ask(kind) {
    const asked = ["", "here", "there", "hello", "wake", "retry"];
    if (this.#question === "") queueMicrotask(() => this.#say());
    if (asked.indexOf(kind) > asked.indexOf(this.#question)) this.#question = kind;
  }

  #say() {
    const kind = this.#question;
    this.#question = "";
    if (this.#group === null || this.#group.leading) return;
    this.#saidAt = Date.now();
    this.#group.post({ kind, tab: this.#me, boards: [...this.#seats].map(({ what }) => what) });
    if (kind !== "here") this.#wait(ANSWER, () => this.#group?.take());
  }

  /** @param {number} delay @param {() => void} then */
  #wait(delay, then) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(then, delay);
  }

  #beat() {
    if (Date.now() - this.#postedAt < BEAT) return;
    if (this.#tabs.prune()) this.#spread();
    this.#postStates();
  }

  #tellAll() {
    this.#postStates();
    for (const key of this.#placed.keys()) this.#postStanding(key);
  }

  #postStates() {
    this.#postedAt = Date.now();
    const keys = [...this.#wanted().keys()];
    this.#post({ kind: "states", states: keys.map((key) => [key, this.#stateOf(key)]) });
  }

  /** @param {string} key */
  #postStanding(key) {
    const held = this.#heldOf(key);
    const standing = held.standing(key);
    const what = this.#wanted().get(key);
    if (standing === null || what === undefined) return;
    const { entries: leaderboard, lastUpdated: timestamp, ...rest } = standing;
    const update = { ...what, ...rest, leaderboard, timestamp };
    this.#post({ kind: "standing", update, ...this.#position, epoch: held.epoch });
  }

  /** From which a tab that takes the lead goes on: what it then holds has to be of one stream. */
  get #position() {
    const { id, keys, settled } = this.#held;
    return { id: this.#connections.length === 1 && settled ? id : "", keys };
  }

  /** @param {Record<string, unknown>} message */
  #post(message) {
    if (this.#group?.leading) this.#group.post(message);
  }
}
