// @ts-check

/** How long a newcomer waits for a leader to speak up, in milliseconds. */
const WAIT = 100;
/** How long a claim has to stand before its tab leads: two that are made together open one stream. */
const SETTLE = 75;
/** Those who would succeed a leader do so at different times within this. */
const SPREAD = 300;

/**
 * Which tab leads where there are no Web Locks, as on a page of plain http: the one whose claim is
 * the newest. Everybody hears each claim, so all agree as soon as messages have arrived.
 *
 *     waits ──nobody claims for 100 ms──▶ claims      waits ──hears a claim──▶ follows
 *     follows ──takes, or the leader leaves──▶ claims
 *     claims ──75 ms──▶ leads                claims, leads ──hears a newer claim──▶ follows
 */
export class Election {
  #id = Math.random().toString(36).slice(2);
  /** When the own claim was made, 0 where somebody else leads. */
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

  /** Leads if nobody else does. */
  stand() {
    this.#post({ kind: "who" });
    this.#claimIn(WAIT);
  }

  /** Leads, unless somebody else claims to at the same time. */
  claim() {
    clearTimeout(this.#timer);
    this.#since = Date.now();
    this.#tell();
    this.#timer = setTimeout(() => {
      this.#leads = true;
      this.#lead();
    }, SETTLE);
  }

  /** Succeeds a leader that says nothing, unless another one is faster. */
  succeed() {
    this.#claimIn(Math.random() * SPREAD);
  }

  leave() {
    clearTimeout(this.#timer);
    if (this.#since > 0) this.#post({ kind: "left" });
    this.#since = 0;
    this.#leads = false;
  }

  /** Takes a message that is about this, and tells whether it was. @param {Record<string, unknown>} message */
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
