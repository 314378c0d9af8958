// @ts-check
/** @import { State } from "./connection.js" */
/** @import { Subscription } from "./subscription.js" */

import * as check from "./check.js";
import { Connections } from "./connections.js";
import { Group, groupsExist } from "./group.js";
import { refusalFrom } from "./http.js";
import { OtherTabs } from "./other-tabs.js";
import { keyOf } from "./topics.js";

/**
 * The leader tells its states when anything comes from the server, but not more often than this.
 */
const BEAT = 5_000;
/** A leader that is silent for longer is asked whether it is there, … */
const SILENCE = 10_000;
/** … and has this long to answer. */
const ANSWER = 3_000;
/** A follower tells what it wants this often. The leader forgets tabs that do not. */
const HERE = 30_000;
/** A tab that can't find other tabs closes its stream when it has been hidden for this long. */
const UNSEEN = 10_000;

/** @type {State} */
const WAITING = { status: "waiting", userId: null, error: null };

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * The stream that all boards of a page share if they are for one person. The person's other tabs
 * share it too. One tab leads: it has the stream, and tells the others what comes.
 *
 *     joins ──no other tab leads, or a cookie──▶ leads ──token refused──▶ alone ──live──▶ joins
 *       │                                        │   ▲
 *       │ another tab leads         another tab  │   │ the leader closes, or says nothing for 10 s
 *       │                        takes the lead  ▼   │ and for 3 s more after it was asked
 *       └─────────────────────────────────────▶ follows
 *
 * The leader has the streams. A follower tells the leader what it wants, and hears what the streams
 * bring. A tab that is alone leaves the lead to others, whose token may be better. A tab that can't
 * find others, because the browser forbids channels, leads for itself.
 */
export class SharedStream {
  /** Boards with the same name share a stream. "" while the person is not known. */
  name = "";

  #shares = false;
  #subscriptions = /** @type {Set<Subscription>} */ (new Set());
  /** This tab's own streams. There are none while another tab leads. */
  #connections = new Connections({
    changed: () => this.#changed(),
    moved: (key) => {
      this.#postTop(key);
      this.#deliver(key);
    },
    move: (key, move) => {
      this.#post({ kind: "move", move, ...this.#connections.position });
      for (const one of this.#of(key)) one.move(move);
    },
    heard: () => this.#beat(),
  });
  /** The states that the leader has told, by key. */
  #told = /** @type {Map<string, State>} */ (new Map());
  #group = /** @type {Group | null} */ (null);
  /** What the other tabs want from this one while it leads. */
  #tabs = new OtherTabs();
  #me = Math.random().toString(36).slice(2);
  /** Counts starts. A start that is not the newest has no effect. */
  #starts = 0;
  /** What to ask the leader in a moment, "" for nothing. */
  #question = "";
  #postedAt = 0;
  #askedAt = 0;
  #watchdog = /** @type {Timer} */ (undefined);
  /** Ends `#closeWhileHidden`. Null in a tab that can find others. */
  #alone = /** @type {AbortController | null} */ (null);

  /** Whether nothing is followed here. */
  get empty() {
    return this.#subscriptions.size === 0;
  }

  get #leads() {
    return this.#connections.count > 0;
  }

  /**
   * Gives the stream a name, once the person is known.
   * @param {string} name
   * @param {boolean} shares whether with other tabs too
   */
  call(name, shares) {
    this.name = name;
    this.#shares = shares;
    if (this.#leads && shares) this.#enter();
  }

  /** @param {Subscription} subscription */
  join(subscription) {
    this.#subscriptions.add(subscription);
    if (this.#subscriptions.size === 1) {
      const start = ++this.#starts;
      // Boards that a page mounts together are asked for together.
      queueMicrotask(() => start === this.#starts && this.#start());
    } else if (this.#leads) {
      this.#spread();
    } else if (this.#group !== null) {
      this.#ask("hello");
    }
    subscription.state(this.#stateOf(subscription.key));
    const { top, epoch } = this.#connections.known(subscription.key);
    if (top !== null) subscription.top(top, epoch);
  }

  /** @param {Subscription} subscription */
  leave(subscription) {
    if (!this.#subscriptions.delete(subscription)) return;
    if (this.#subscriptions.size === 0) {
      this.#leaveGroup();
      this.#connections.close();
      this.#told.clear();
      return;
    }
    const [next] = this.#subscriptions;
    this.#connections.replaceService(subscription.service, next.service);
    if (this.#leads) this.#spread();
    else this.#ask("here");
  }

  /** Tries a board's stream at once, whichever tab has it. @param {string} key */
  retry(key) {
    if (this.#stateOf(key).status === "live") return;
    if (this.#leads) this.#connections.retry(key);
    else this.#ask("retry");
  }

  /** Call it when a try may succeed: the page is visible again, or the network is back. */
  wake() {
    if (this.#leads) this.#connections.wake();
    else if (this.#group !== null) this.#ask("wake");
  }

  #start() {
    if (this.#shares) this.#enter();
    else this.#lead();
  }

  /** Looks for other tabs. */
  #enter() {
    if (!groupsExist()) {
      this.#lead();
      if (this.#alone === null) this.#closeWhileHidden();
      return;
    }
    const [{ service }] = this.#subscriptions;
    // A cookie may be another user's by now. The newest tab knows best whose it is, so it leads.
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
    this.#starts++;
    clearTimeout(this.#watchdog);
    this.#alone?.abort();
    this.#alone = null;
    if (this.#group?.leading === false) this.#group.post({ kind: "bye", tab: this.#me });
    this.#group?.leave();
    this.#group = null;
    this.#tabs.clear();
  }

  /** Has no stream while the tab is hidden: connections are few, and visible tabs need them. */
  #closeWhileHidden() {
    this.#alone = new AbortController();
    const { signal } = this.#alone;
    const { document } = globalThis;
    if (document === undefined) return;
    /** @type {Timer} */
    let timer;
    const look = () => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden") timer = setTimeout(() => this.#rest(), UNSEEN);
      else if (!this.#leads) this.#lead();
    };
    signal.addEventListener("abort", () => clearTimeout(timer));
    document.addEventListener("visibilitychange", look, { signal });
    look();
  }

  /** Has the streams from now on, and tells the other tabs. */
  #lead() {
    clearTimeout(this.#watchdog);
    if (!this.#leads) {
      this.#spread();
      return;
    }
    this.#postStates();
    for (const key of this.#connections.keys) this.#postTop(key);
  }

  /** Another tab has the streams from now on. */
  #follow() {
    this.#rest();
    this.#ask("hello");
  }

  /** Closes this tab's streams. States stay as they are until a leader tells others. */
  #rest() {
    for (const { key } of this.#subscriptions) this.#told.set(key, this.#stateOf(key));
    this.#connections.close();
  }

  /** What this tab wants and, while it leads, what the others want, by key. */
  #wanted() {
    const own = [...this.#subscriptions].map(({ topic }) => topic);
    const all = this.#group?.leading ? [...own, ...this.#tabs.wanted()] : own;
    return new Map(all.map((topic) => [keyOf(topic), topic]));
  }

  /** Gives each board that is wanted a stream. */
  #spread() {
    const [{ service, topic }] = this.#subscriptions;
    // A tab that takes the lead from another shows its boards as they were, so nobody notices.
    const first = () => this.#told.get(keyOf(topic)) ?? WAITING;
    this.#connections.spread(this.#wanted(), service, first);
    this.#changed();
  }

  /** States may have changed. */
  #changed() {
    const { status } = this.#connections;
    if (status === "readonly" && this.#group !== null) {
      // Another tab may have a better token.
      this.#group.leave();
      this.#group = null;
      this.#tabs.clear();
    }
    this.#tellStates();
    const outside = this.#group === null && this.#alone === null;
    if (status === "live" && outside && this.#shares) this.#enter();
    else this.#postStates();
  }

  /** @param {string} key @returns {State} */
  #stateOf(key) {
    return this.#leads ? this.#connections.stateOf(key) : (this.#told.get(key) ?? WAITING);
  }

  /** The subscriptions to a board. @param {string} key */
  #of(key) {
    return [...this.#subscriptions].filter((one) => one.key === key);
  }

  #tellStates() {
    for (const one of [...this.#subscriptions]) one.state(this.#stateOf(one.key));
  }

  /** Tells a board's newest state to its subscriptions. @param {string} key */
  #deliver(key) {
    const { top, epoch } = this.#connections.known(key);
    if (top !== null) for (const one of this.#of(key)) one.top(top, epoch);
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

  /**
   * Does what another tab asks. Throws a TypeError if the message is malformed.
   * @param {Record<string, unknown>} message
   */
  #serve(message) {
    const { kind } = message;
    if (kind === "bye") {
      if (this.#tabs.drop(String(message.tab))) this.#spread();
      return;
    }
    if (!/^(hello|here|there|wake|retry)$/.test(String(kind))) return;
    const { tab, topics } = check.wants(message);
    if (this.#tabs.put(tab, topics)) this.#spread();
    if (kind === "here") return;
    if (kind === "wake") this.#connections.wake();
    else if (kind === "retry") this.#connections.retry();
    this.#connections.hurry();
    this.#postStates();
    if (kind === "there") return;
    for (const topic of topics) this.#postTop(keyOf(topic));
  }

  /**
   * Learns what the leader tells. Throws a TypeError if the message is malformed.
   * @param {Record<string, unknown>} message
   */
  #learn(message) {
    const { received } = this.#connections;
    if (message.kind === "states") {
      this.#learnStates(check.states(message.states));
    } else if (message.kind === "top") {
      const topic = check.subject(message.update);
      const top = check.update(message.update, topic.board, topic.period);
      const position = check.position(message);
      const listeners = this.#of(keyOf(topic));
      if (listeners.length === 0) return;
      received.adopt(keyOf(topic), top, position);
      for (const one of listeners) one.top(top, position.epoch);
    } else if (message.kind === "move") {
      const topic = check.subject(message.move);
      const move = check.move(message.move, topic.board, topic.period);
      const { id, keys } = check.position(message);
      received.follow(id, keys);
      for (const one of this.#of(keyOf(topic))) one.move(move);
    }
  }

  /** @param {Map<string, State>} states */
  #learnStates(states) {
    this.#wait(SILENCE, () => this.#ask("there"));
    this.#connections.close();
    for (const [key, state] of states) {
      // A new leader is still opening its stream. It will be live, or tell an error, in a moment.
      const opening = state.status === "waiting" && state.error === null;
      if (!opening || this.#told.get(key)?.status !== "live") this.#told.set(key, state);
    }
    const unknown = [...this.#subscriptions].some(({ key }) => !states.has(key));
    if (unknown || Date.now() - this.#askedAt >= HERE) this.#ask("here");
    this.#tellStates();
  }

  /**
   * Asks the leader for something. A leader that does not answer is replaced.
   * @param {"here" | "there" | "hello" | "wake" | "retry"} kind
   */
  #ask(kind) {
    const order = ["", "here", "there", "hello", "wake", "retry"];
    if (this.#question === "") queueMicrotask(() => this.#send());
    if (order.indexOf(kind) > order.indexOf(this.#question)) this.#question = kind;
  }

  #send() {
    const kind = this.#question;
    this.#question = "";
    if (this.#group === null || this.#group.leading) return;
    this.#askedAt = Date.now();
    const boards = [...this.#subscriptions].map(({ topic }) => topic);
    this.#group.post({ kind, tab: this.#me, boards });
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

  #postStates() {
    this.#postedAt = Date.now();
    const keys = [...this.#wanted().keys()];
    this.#post({ kind: "states", states: keys.map((key) => [key, this.#stateOf(key)]) });
  }

  /** @param {string} key */
  #postTop(key) {
    const { top, epoch } = this.#connections.known(key);
    const topic = this.#wanted().get(key);
    if (top === null || topic === undefined) return;
    const { entries: leaderboard, lastUpdated: timestamp, ...rest } = top;
    const update = { ...topic, ...rest, leaderboard, timestamp };
    this.#post({ kind: "top", update, ...this.#connections.position, epoch });
  }

  /** @param {Record<string, unknown>} message */
  #post(message) {
    if (this.#group?.leading) this.#group.post(message);
  }
}
