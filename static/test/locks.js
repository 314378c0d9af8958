// @ts-check

/**
 * @typedef {{ reject: (cause: unknown) => void, release: () => void }} Holder
 * @typedef {{ begin: () => void }} Waiting
 */

/** The Web Locks of one origin, as far as the client uses them. */
export class Locks {
  /** @type {Map<string, { holder: Holder | null, queue: Waiting[] }>} */
  #names = new Map();

  /**
   * @param {string} name
   * @param {{ steal?: boolean, signal?: AbortSignal }} options
   * @param {() => unknown} callback
   */
  request(name, { steal = false, signal }, callback) {
    if (steal && signal) throw new DOMException("steal has no signal", "NotSupportedError");
    const lock = this.#names.get(name) ?? { holder: null, queue: [] };
    this.#names.set(name, lock);
    return new Promise((resolve, reject) => {
      const release = () => {
        if (lock.holder !== holder) return;
        lock.holder = null;
        lock.queue.shift()?.begin();
      };
      const holder = { reject, release };
      const waiting = {
        begin: () => {
          lock.holder = holder;
          queueMicrotask(async () => {
            try {
              resolve(await callback());
            } catch (cause) {
              reject(cause);
            }
            release();
          });
        },
      };
      signal?.addEventListener("abort", () => {
        const at = lock.queue.indexOf(waiting);
        if (at < 0) return;
        lock.queue.splice(at, 1);
        reject(signal.reason);
      });
      if (steal) {
        lock.holder?.reject(new DOMException("the lock was stolen", "AbortError"));
        waiting.begin();
      } else if (lock.holder === null) {
        waiting.begin();
      } else {
        lock.queue.push(waiting);
      }
    });
  }

  /** The names of all locks that were ever asked for. */
  get names() {
    return [...this.#names.keys()];
  }
}
