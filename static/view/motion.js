// @ts-check

/** How rows move. Times are in milliseconds. */
export const GLIDE = { duration: 450, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" };
export const WASH = { duration: 1500, easing: "ease-out" };
const COUNT = 700;

/** Whether the reader wants no motion. */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** A figure that counts up or down to its new value. */
export class Count {
  #element;
  #figure;
  #frame = 0;

  /** @param {HTMLElement} element @param {(n: number) => string} figure writes a number */
  constructor(element, figure) {
    this.#element = element;
    this.#figure = figure;
  }

  /** @param {number} from @param {number} to @param {boolean} moving whether it counts, or jumps */
  run(from, to, moving) {
    this.stop();
    if (!moving || from === to || still()) {
      this.#say(to);
      return;
    }
    const start = performance.now();
    /** @param {number} now */
    const step = (now) => {
      const left = 1 - Math.min(1, Math.max(0, now - start) / COUNT);
      this.#say(Math.round(to - (to - from) * left ** 3));
      if (left > 0) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
  }

  /** @param {number} n */
  #say(n) {
    const figure = this.#figure(n);
    // Changing a text node costs less than replacing it, after which browsers match styles again.
    const text = this.#element.firstChild;
    if (!(text instanceof Text)) this.#element.textContent = figure;
    else if (text.data !== figure) text.data = figure;
  }
}
