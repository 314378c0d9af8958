// @ts-check

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * What a member of a group is told. `lost` comes only after `lead`.
 * @typedef {object} Member
 * @property {() => void} lead it leads from now on
 * @property {() => void} lost another one leads now
 * @property {(message: Record<string, unknown>) => void} hear of the others; of any shape
 */

/** Whether tabs can find each other here: a browser that blocks cookies may forbid all of it. */
export function groupsExist() {
  try {
    new BroadcastChannel("marcador").close();
    return navigator.locks !== undefined;
  } catch {
    return false;
  }
}

/**
 * Tabs of one origin that have something in common, one of which leads: who holds the lock. It passes on
 * when the leader leaves, closes or crashes; from one that is frozen it can be taken.
 */
export class Group {
  /** Whether this member leads. */
  leading = false;

  #name;
  #member;
  #channel;
  #left = false;
  /** Takes the place in the queue back. */
  #queued = /** @type {AbortController | null} */ (null);
  #release = () => {};

  /** @param {string} name @param {Member} member @param {boolean} atOnce whether it takes the lead as it comes */
  constructor(name, member, atOnce) {
    this.#name = name;
    this.#member = member;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => {
      if (!this.#left && typeof data === "object" && data !== null) member.hear(data);
    };
    if (atOnce) this.take();
    else this.#queue();
  }

  /** Tells all other members. @param {Record<string, unknown>} message */
  post(message) {
    if (!this.#left) this.#channel.postMessage(message);
  }

  /** Takes the lead from whoever has it. */
  take() {
    if (this.leading || this.#left) return;
    this.#queued?.abort();
    this.#queued = null;
    this.#hold(navigator.locks.request(this.#name, { steal: true }, () => this.#lead()));
  }

  /** Gives up the lead, and hears nothing any more. */
  leave() {
    this.#left = true;
    this.leading = false;
    this.#queued?.abort();
    this.#release();
    this.#channel.close();
  }

  #queue() {
    const queued = new AbortController();
    this.#queued = queued;
    const { signal } = queued;
    this.#hold(
      navigator.locks.request(this.#name, { signal }, () => this.#lead()),
      signal,
    );
  }

  /** Holds the lock until it is released. */
  #lead() {
    if (this.#left) return;
    this.leading = true;
    this.#queued = null;
    const held = new Promise((resolve) => {
      this.#release = () => resolve(undefined);
    });
    this.#member.lead();
    return held;
  }

  /** @param {Promise<unknown>} request @param {AbortSignal} [signal] that of whoever gave up waiting */
  async #hold(request, signal) {
    try {
      await request;
    } catch (cause) {
      if (this.#left || (signal?.aborted && !this.leading)) return;
      if (!this.leading) {
        // There are no locks for this page: it is alone.
        console.warn("marcador: tabs share no stream:", cause);
        this.leading = true;
        this.#member.lead();
        return;
      }
      this.leading = false;
      this.#queue();
      this.#member.lost();
    }
  }
}
