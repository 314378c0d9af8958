// @ts-check
/** @import { UnrankedMe } from "../marcador.d.ts" */

import { PERIODS } from "../client/options.js";

/**
 * The texts of a board. Functions take a number, which decides the plural, and the number's text,
 * which is shown.
 */
const es = {
  connecting: "Conectando…",
  live: "En vivo",
  stale: "Conectando…",
  offline: "Sin conexión",
  polling: "Cada 15 s",
  readonly: "Modo lectura",
  refresh: "Actualizar",
  retry: "Reintentar",
  rank: "Lugar",
  change: "Cambio",
  name: "Nombre",
  coins: "Monedas",
  points: "Puntos",
  global: "Global",
  school: "Escuela",
  classroom: "Grupo",
  friends: "Amigos",
  "all-time": "Siempre",
  daily: "Hoy",
  weekly: "Semana",
  monthly: "Mes",
  fresh: "nuevo",
  same: "Sin cambio",
  you: "tú",
  yourPlace: "Tu lugar",
  first: "Vas en primer lugar",
  lastUpdate: "Última actualización",
  notUpdated: "No se pudo actualizar · Última actualización",
  justNow: "hace un momento",
  empty: "Todavía nadie tiene puntos en este marcador.",
  emptyHelp: "El primer lugar aparecerá aquí sin recargar la página.",
  checkAttributes: "Revisa los atributos board y src.",
  wrong: "Este marcador está mal configurado.",
  /** @param {string} attribute @param {string} value */
  attribute: (attribute, value) => `El atributo ${attribute} no puede ser “${value}”.`,
  remedies: {
    board: "Escribe global, o un tipo y un id, como school:42.",
    period: "Escribe all-time, daily, weekly o monthly.",
    rows: "Escribe un número entero de 1 a 1000.",
    src: "Escribe la dirección del servicio, como https://puntos.example.org.",
    getToken: "Dalo como propiedad, desde un script.",
  },
  /** @param {number} n @param {string} text */
  up: (n, text) => (n === 1 ? "Sube 1 lugar" : `Sube ${text} lugares`),
  /** @param {number} n @param {string} text */
  down: (n, text) => (n === 1 ? "Baja 1 lugar" : `Baja ${text} lugares`),
  /** @param {number} n @param {string} text */
  people: (n, text) => (n === 1 ? "1 participante" : `${text} participantes`),
  /** @param {number} n @param {string} text */
  toNext: (n, text) =>
    n === 1
      ? "Te falta 1 punto para el siguiente lugar"
      : `Te faltan ${text} puntos para el siguiente lugar`,
  /** @param {string} percent */
  ahead: (percent) => `Por delante del ${percent}`,
  /** In the order of the periods. */
  noPoints: [
    "Aún no tienes puntos.",
    "Aún no tienes puntos hoy.",
    "Aún no tienes puntos esta semana.",
    "Aún no tienes puntos este mes.",
  ],
  /** @param {number} n @param {string} text @param {string} place */
  enter: (n, text, place) =>
    n === 1 ? `Con 1 punto entras en ${place}` : `Con ${text} entras en ${place}`,
};

const SUFFIXES = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
const englishOrdinals = late(() => new Intl.PluralRules("en", { type: "ordinal" }));

/** "7th". @param {number} n @param {string} text */
export const english = (n, text) => text + SUFFIXES[englishOrdinals().select(n)];

/** @type {typeof es} */
const en = {
  connecting: "Connecting…",
  live: "Live",
  stale: "Connecting…",
  offline: "Offline",
  polling: "Every 15 s",
  readonly: "Read-only",
  refresh: "Refresh",
  retry: "Try again",
  rank: "Place",
  change: "Change",
  name: "Name",
  coins: "Coins",
  points: "Points",
  global: "Global",
  school: "School",
  classroom: "Class",
  friends: "Friends",
  "all-time": "All time",
  daily: "Today",
  weekly: "Week",
  monthly: "Month",
  fresh: "new",
  same: "No change",
  you: "you",
  yourPlace: "Your place",
  first: "You are in first place",
  lastUpdate: "Last update",
  notUpdated: "Could not refresh · Last update",
  justNow: "just now",
  empty: "Nobody has points on this leaderboard yet.",
  emptyHelp: "First place will show up here without a reload.",
  checkAttributes: "Check the attributes board and src.",
  wrong: "This leaderboard is not set up right.",
  attribute: (attribute, value) => `The attribute ${attribute} can't be “${value}”.`,
  remedies: {
    board: "Write global, or a kind and an id, such as school:42.",
    period: "Write all-time, daily, weekly or monthly.",
    rows: "Write a whole number from 1 to 1000.",
    src: "Write the service's address, such as https://points.example.org.",
    getToken: "Set it as a property, from script.",
  },
  up: (n, text) => (n === 1 ? "Up 1 place" : `Up ${text} places`),
  down: (n, text) => (n === 1 ? "Down 1 place" : `Down ${text} places`),
  people: (n, text) => (n === 1 ? "1 participant" : `${text} participants`),
  toNext: (n, text) => (n === 1 ? "1 point to the next place" : `${text} points to the next place`),
  ahead: (percent) => `Ahead of ${percent}`,
  noPoints: [
    "You have no points yet.",
    "You have no points today yet.",
    "You have no points this week yet.",
    "You have no points this month yet.",
  ],
  enter: (n, text, place) =>
    `${n === 1 ? "1 point takes" : `${text} points take`} you to ${place} place`,
};

/**
 * @typedef {ReturnType<typeof voice>} Voice a language: its words, and how it writes figures and
 *   times
 */

const voices = /** @type {Map<string, Voice>} By locale; a page names few. */ (new Map());

/**
 * The voice of the first of these languages that there is, else Spanish. A bare "es" becomes the
 * regional one of the reader's browser, since "es-MX" and "es-ES" write figures differently.
 * @param {(string | null | undefined)[]} wanted
 */
export function speak(wanted) {
  const spoken = /^(es|en)(-|$)/i;
  let locale = wanted.find((tag) => tag && spoken.test(tag)) ?? "es";
  if (locale.length === 2) {
    const regional = `${locale.toLowerCase()}-`;
    locale = wanted.find((tag) => tag?.toLowerCase().startsWith(regional)) ?? locale;
  }
  let found = voices.get(locale);
  if (found === undefined) {
    try {
      found = voice(locale);
    } catch {
      found = voice(locale.slice(0, 2)); // the region is malformed, as in "es-what ever"
    }
    voices.set(locale, found);
  }
  return found;
}

/**
 * Puts off making something until it is needed. A format takes a phone some 20 ms.
 * @template T
 * @param {() => T} make
 */
export function late(make) {
  let made = /** @type {T | undefined} */ (undefined);
  return () => (made ??= make());
}

/** @param {string} locale */
function voice(locale) {
  const language = locale.slice(0, 2).toLowerCase();
  const words = language === "en" ? en : es;
  // Always grouped, so that the figures of a column look alike.
  const figures = new Intl.NumberFormat(locale, { useGrouping: true });
  const percents = late(
    () => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }),
  );
  const relative = late(() => new Intl.RelativeTimeFormat(locale, { style: "short" }));
  const moments = late(
    () => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }),
  );
  return {
    language,
    locale,
    words,
    /** @param {number} n */
    figure: (n) => figures.format(n),
    /** @param {number} n from 0 to 100 */
    percent: (n) => percents().format(n / 100),
    /**
     * Texts for a reader without points in the period: that there are none, and how many points
     * lead to which place.
     * @param {string} period
     * @param {UnrankedMe} me
     */
    without: (period, { pointsToNext: more, nextRank: rank }) => {
      const periods = /** @type {readonly string[]} */ (PERIODS);
      const none = words.noPoints[Math.max(0, periods.indexOf(period))];
      if (more === null || rank === null) return { none, enter: "" };
      const text = figures.format(rank);
      const place = language === "en" ? english(rank, text) : `${text}.º`;
      return { none, enter: words.enter(more, figures.format(more), place) };
    },
    /** @param {string} time */
    moment: (time) => moments().format(new Date(time)),
    /**
     * "hace 2 min"; below a minute in steps of ten seconds.
     * @param {string} time
     * @param {number} now milliseconds
     */
    ago: (time, now) => {
      const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
      if (seconds < 10) return words.justNow;
      if (seconds < 60) return relative().format(-Math.floor(seconds / 10) * 10, "second");
      if (seconds < 3_600) return relative().format(-Math.floor(seconds / 60), "minute");
      if (seconds < 86_400) return relative().format(-Math.floor(seconds / 3_600), "hour");
      return relative().format(-Math.floor(seconds / 86_400), "day");
    },
    /** A board's name: the word for its kind, and its id. @param {string} board */
    nameOf: (board) => {
      const [kind, ...id] = board.split(":");
      const { global, school, classroom, friends } = words;
      const word = new Map(Object.entries({ global, school, classroom, friends })).get(kind);
      return kind === "friends" ? friends : [word ?? kind, id.join(":")].join(" ").trim();
    },
  };
}
