// @ts-check

import { Election } from "./election.js";

/**
 * The callbacks of a group's member. `lost` is called only after `lead`.
 * @typedef {object} Member
 * @property {() => void} lead it leads from now on
 * @property {() => void} lost another member leads now
 * @property {(message: Record<string, unknown>) => void} hear a message of another member, of any
 *   shape
 */

/**
 * Whether tabs can find each other here. Browsers that block cookies may forbid it, and Node has no
 * tabs.
 */
export function groupsExist() {
  try {
    new BroadcastChannel("marcador").close();
    return globalThis.document !== undefined || navigator.locks !== undefined;
  } catch {
    return false;
  }
}

/**
 * A group of tabs of one origin, one of which leads: the tab that holds the Web Lock or, without
 * Web Locks, the tab that is elected. The lead passes on when the leader leaves, closes or crashes.
 * It can be taken from a frozen leader.
 */
export class Group {
  /** Whether this member leads. */
  leading = false;

  #name;
  #member;
  #channel;
  #left = false;
  /** Leaves the lock's queue. */
  #queued = /** @type {AbortController | null} */ (null);
  #release = () => {};
  /** Replaces the lock where there are no Web Locks. */
  #election = /** @type {Election | null} */ (null);

  /**
   * @param {string} name
   * @param {Member} member
   * @param {boolean} atOnce whether it takes the lead at once
   */
  constructor(name, member, atOnce) {
    this.#name = name;
    this.#member = member;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => {
      if (this.#left || typeof data !== "object" || data === null) return;
      if (!this.#election?.hear(data)) member.hear(data);
    };
    if (globalThis.navigator?.locks === undefined) this.#elect(atOnce);
    else if (atOnce) this.take();
    else this.#queue();
  }

  /** Tells all other members. @param {Record<string, unknown>} message */
  post(message) {
    if (!this.#left) this.#channel.postMessage(message);
  }

  /** Takes the lead from the leader. */
  take() {
    if (this.leading || this.#left) return;
    if (this.#election !== null) {
      this.#election.succeed();
      return;
    }
    this.#queued?.abort();
    this.#queued = null;
    this.#hold({ steal: true });
  }

  /** Gives up the lead. Nothing is called after this. */
  leave() {
    this.#election?.leave();
    this.#left = true;
    this.leading = false;
    this.#queued?.abort();
    this.#release();
    this.#channel.close();
  }

  #queue() {
    const queued = new AbortController();
    this.#queued = queued;
    this.#hold({ signal: queued.signal });
  }

  /** Waits for the lock, and holds it until it is released. @param {LockOptions} options */
  async #hold(options) {
    const { signal, steal = false } = options;
    try {
      await navigator.locks.request(this.#name, options, () => {
        if (this.#left) return undefined;
        this.#queued = null;
        this.#lead();
        return new Promise((resolve) => {
          this.#release = () => resolve(undefined);
        });
      });
    } catch {
      if (this.#left || (signal?.aborted && !this.leading)) return;
      if (this.leading) {
        this.leading = false;
        this.#queue();
        this.#member.lost();
      } else if (this.#election === null) {
        // The browser has locks, but not for this page.
        this.#elect(steal);
      }
    }
  }

  /** @param {boolean} atOnce */
  #elect(atOnce) {
    const post = (/** @type {Record<string, unknown>} */ message) => this.post(message);
    const lost = () => {
      this.leading = false;
      this.#member.lost();
    };
    const election = new Election(post, () => this.#lead(), lost);
    this.#election = election;
    if (atOnce) queueMicrotask(() => this.#left || election.claim());
    else election.enter();
  }

  #lead() {
    this.leading = true;
    this.#member.lead();
  }
}
