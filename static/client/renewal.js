// @ts-check
/** @import { Service } from "./http.js" */

import { refusalFrom } from "./http.js";

/**
 * A fresh token is asked for at most EARLY before the old one expires, and not in the last LATE.
 */
const EARLY = 60_000;
const LATE = 2_000;
/** Longer timers than 24 days fire at once. */
const LONGEST_TIMER = 24 * 60 * 60 * 1000;

/** Gives a live stream a fresh token before the old one expires. */
export class Renewal {
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);

  /**
   * Renews the token of this stream from now on.
   * @param {() => Service} service the one whose token speaks at the moment
   * @param {string} socketId the stream's
   * @param {AbortSignal} signal aborted when the stream is over
   */
  begin(service, socketId, signal) {
    this.end();
    const life = service().tokenLife;
    if (life === null || life < LATE) return;
    // A random part of it, so that tabs and people do not ask at the same time.
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
      // The service may be another one by now, whose token speaks for somebody else.
      if ((await speaker.renew()) !== null && !signal.aborted && speaker === service()) {
        const path = `/v1/events/${encodeURIComponent(socketId)}/token`;
        await speaker.get(path, { Accept: "application/json" }, signal, "POST");
      }
    } catch (cause) {
      // The stream will end with `token_expired`, and the next one asks for a token again.
      console.warn("marcador: the token was not renewed:", refusalFrom(cause).message);
      return;
    }
    if (!signal.aborted) this.begin(service, socketId, signal);
  }
}
