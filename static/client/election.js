// @ts-check

/** How long a new tab waits for a leader to answer, in milliseconds. */
const WAIT = 100;
/**
 * How long a claim goes undisputed before its tab leads, so that claims made together open one
 * stream.
 */
const SETTLE = 75;
/** Tabs claim a free lead at random times within this. */
const SPREAD = 300;

/**
 * Elects a leader where there are no Web Locks, as on a page of plain http. The newest claim wins.
 * Every tab hears each claim, so all agree as soon as messages have arrived.
 *
 *     waits ──nobody claims for 100 ms──▶ claims      waits ──hears a claim──▶ follows
 *     follows ──takes, or the leader leaves──▶ claims
 *     claims ──75 ms──▶ leads                claims, leads ──hears a newer claim──▶ follows
 */
export class Election {
  #id = Math.random().toString(36).slice(2);
  /** When this tab made its claim, 0 without one. */
  #since = 0;
  #leads = false;
  #post;
  #lead;
  #lost;
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /**
   * @param {(message: Record<string, unknown>) => void} post tells the others
   * @param {() => void} lead
   * @param {() => void} lost called only after `lead`
   */
  constructor(post, lead, lost) {
    this.#post = post;
    this.#lead = lead;
    this.#lost = lost;
  }

  /** Leads, if no other tab does. */
  enter() {
    this.#post({ kind: "who" });
    this.#claimIn(WAIT);
  }

  /** Leads, unless another tab claims the lead after this one. */
  claim() {
    clearTimeout(this.#timer);
    this.#since = Date.now();
    this.#tell();
    this.#timer = setTimeout(() => {
      this.#leads = true;
      this.#lead();
    }, SETTLE);
  }

  /** Claims the lead from a leader that says nothing, unless another tab is faster. */
  succeed() {
    this.#claimIn(Math.random() * SPREAD);
  }

  leave() {
    clearTimeout(this.#timer);
    if (this.#since > 0) this.#post({ kind: "left" });
    this.#since = 0;
    this.#leads = false;
  }

  /**
   * Takes a message about the election, and returns whether it was one.
   * @param {Record<string, unknown>} message
   */
  hear({ kind, since, id }) {
    if (kind === "who") {
      if (this.#since > 0) this.#tell();
    } else if (kind === "left") {
      if (this.#since === 0) this.succeed();
    } else if (kind === "claim") {
      this.#yield(Number(since), String(id));
    } else {
      return false;
    }
    return true;
  }

  /** @param {number} since @param {string} id */
  #yield(since, id) {
    const older = since < this.#since || (since === this.#since && id <= this.#id);
    if (this.#since > 0 && older) return;
    clearTimeout(this.#timer);
    this.#since = 0;
    if (this.#leads) this.#lost();
    this.#leads = false;
  }

  /** @param {number} delay */
  #claimIn(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.claim(), delay);
  }

  #tell() {
    this.#post({ kind: "claim", since: this.#since, id: this.#id });
  }
}
