// @ts-check
/** @import { Toasts } from "./toasts.js" */

import { find } from "./find.js";
import { words } from "./words.js";

/**
 * @typedef {{ userId: string, username: string, school: string, classroom: string }} Student
 * @typedef {{ token: string, expiresAt: string }} Grant
 * @typedef {{ pointsGained: number, oldRank: number | null, newRank: number | null }} Result
 * @typedef {(() => Promise<string | null>) | undefined} GetToken
 */

const KEY = "marcador.student";
const WATCHING = "";
const SIGNED_OUT = "-";

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function call(path, init) {
  const response = await fetch(path, init);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** The student that this tab watched as before; null if the browser stores nothing. */
function recall() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} student */
function store(student) {
  try {
    sessionStorage.setItem(KEY, student);
  } catch {
    // Browsers that block cookies forbid this. A reload of the tab then forgets its student.
  }
}

/** The bar above the board, where a visitor chooses which student to be. */
export class Demo {
  #student = /** @type {HTMLSelectElement} */ (find("student"));
  #exercise = /** @type {HTMLButtonElement} */ (find("exercise"));
  #toasts;
  #follow;
  #refresh;
  #learnNames;
  #token = /** @type {Promise<string> | null} */ (null);

  /**
   * @param {Toasts} toasts
   * @param {(getToken: GetToken) => void} follow called with each choice
   * @param {() => void} refresh called when the student's points have changed
   * @param {(names: Record<string, string>) => void} learnNames called with the names of boards
   */
  constructor(toasts, follow, refresh, learnNames) {
    this.#toasts = toasts;
    this.#follow = follow;
    this.#refresh = refresh;
    this.#learnNames = learnNames;
    find("demo").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#complete();
    });
    this.#student.addEventListener("change", () => {
      this.#remember();
      this.#choose();
    });
  }

  /** Follows the board as the student who was chosen before. */
  async start() {
    this.#student.append(new Option(words.justWatching, WATCHING));
    const named = new URL(location.href).searchParams.get("student");
    const wanted = named ?? recall() ?? WATCHING;
    // Watching needs no list of students, and the first paint does not wait for it.
    if (wanted === WATCHING) this.#choose();
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    try {
      const { students, boards } = await call("demo/students");
      this.#offer(students);
      this.#learnNames(boards);
    } catch (cause) {
      console.warn("marcador: no students:", cause);
    }
    this.#student.append(new Option(words.signedOut, SIGNED_OUT));
    if (wanted === WATCHING) return;
    this.#student.value = wanted;
    if (this.#student.selectedIndex < 0) this.#student.value = WATCHING;
    store(this.#student.value);
    this.#choose();
  }

  /** @param {Student[]} students */
  #offer(students) {
    /** @type {Map<string, HTMLOptGroupElement>} */
    const groups = new Map();
    for (const { userId, username, school, classroom } of students) {
      const label = `${school} · ${classroom}`;
      let group = groups.get(label);
      if (group === undefined) {
        group = document.createElement("optgroup");
        group.label = label;
        groups.set(label, group);
      }
      group.append(new Option(username, userId));
    }
    const sorted = [...groups].sort(([one], [other]) =>
      one.localeCompare(other, undefined, { numeric: true }),
    );
    this.#student.append(...sorted.map(([, group]) => group));
  }

  /** Remembers the student for this tab alone, also in an address that names one. */
  #remember() {
    store(this.#student.value);
    const address = new URL(location.href);
    if (!address.searchParams.has("student")) return;
    address.searchParams.set("student", this.#student.value);
    history.replaceState(null, "", address);
  }

  #choose() {
    const { value } = this.#student;
    this.#token = null;
    this.#exercise.disabled = value === WATCHING || value === SIGNED_OUT;
    if (value === WATCHING) this.#follow(undefined);
    else if (value === SIGNED_OUT) this.#follow(async () => null);
    else this.#follow(() => this.#grant(value));
  }

  /** A fresh token. @param {string} userId */
  async #grant(userId) {
    const token = call("demo/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ userId }),
    }).then((/** @type {Grant} */ grant) => grant.token);
    this.#token = token;
    return token;
  }

  async #complete() {
    const userId = this.#student.value;
    this.#exercise.disabled = true;
    try {
      // The token may have expired meanwhile, so one failure is tried again with a fresh token.
      const result = await this.#write(await (this.#token ?? this.#grant(userId))).catch(async () =>
        this.#write(await this.#grant(userId)),
      );
      if (this.#student.value === userId) {
        const { pointsGained, oldRank, newRank } = result;
        this.#toasts.gained(pointsGained, oldRank, newRank);
        // Readers should see their own points before the next broadcast.
        this.#refresh();
      }
    } catch {
      if (this.#student.value === userId) this.#toasts.say(words.exerciseFailed);
    }
    if (this.#student.value === userId) {
      this.#exercise.disabled = false;
      this.#exercise.focus();
    }
  }

  /** @param {string} token @returns {Promise<Result>} */
  #write(token) {
    return call("demo/exercise", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    });
  }
}
