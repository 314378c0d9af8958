// @ts-check
/** @import { Service } from "./http.js" */

import { refusalFrom } from "./http.js";

/** A fresh token is asked for at most this long before the old one expires, and not in the last moment. */
const EARLY = 60_000;
const LATE = 2_000;
/** Longer timers than 24 days fire at once. */
const LONGEST_TIMER = 24 * 60 * 60 * 1000;

/** Has a stream go on when its token does not: it is handed a fresh one before the old one expires. */
export class Renewal {
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /** For this stream, in place of any other. @param {() => Service} service gives the one whose token speaks @param {string} socketId @param {AbortSignal} signal aborted when the stream is over */
  begin(service, socketId, signal) {
    this.end();
    const life = service().tokenLife;
    if (life === null || life < LATE) return;
    // Between a half and the whole of it, so that tabs and people do not ask at one time.
    const early = Math.min(EARLY, life / 4) * (0.5 + Math.random() / 2);
    const delay = life - early;
    this.#timer = setTimeout(
      () =>
        delay > LONGEST_TIMER
          ? this.begin(service, socketId, signal)
          : this.#renew(service, socketId, signal),
      Math.min(delay, LONGEST_TIMER),
    );
  }

  end() {
    clearTimeout(this.#timer);
  }

  /** @param {() => Service} service @param {string} socketId @param {AbortSignal} signal */
  async #renew(service, socketId, signal) {
    try {
      const speaker = service();
      // Whoever has left meanwhile may speak for somebody else.
      if ((await speaker.renew()) !== null && !signal.aborted && speaker === service()) {
        const path = `/v1/events/${encodeURIComponent(socketId)}/token`;
        await speaker.get(path, { Accept: "application/json" }, signal, "POST");
      }
    } catch (cause) {
      // The stream ends with `token_expired`, and the next one asks again.
      console.warn("marcador: the token was not renewed:", refusalFrom(cause).message);
      return;
    }
    if (!signal.aborted) this.begin(service, socketId, signal);
  }
}
