// @ts-check
/** @import { UnrankedMe } from "../marcador.d.ts" */

import { PERIODS } from "../client/options.js";

/** What a board says, on the page and in a `<marcador-board>`. Functions take a number and its text: plurals hang on the one, people read the other. */
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
  justNow: "hace un momento",
  empty: "Todavía nadie tiene puntos en este marcador.",
  emptyHelp: "El primer lugar aparecerá aquí sin recargar la página.",
  closed: "Este marcador pide iniciar sesión.",
  closedHelp: "Entra con tu cuenta y vuelve a esta página.",
  forbidden: "Tu cuenta no puede ver este marcador.",
  forbiddenHelp: "Pide a quien lo administra que te agregue al grupo.",
  lost: "No se pudo leer el marcador.",
  lostHelp: "Revisa la conexión y vuelve a intentarlo.",
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
  justNow: "just now",
  empty: "Nobody has points on this leaderboard yet.",
  emptyHelp: "First place will show up here without a reload.",
  closed: "This leaderboard asks you to sign in.",
  closedHelp: "Sign in with your account, then come back to this page.",
  forbidden: "Your account may not see this leaderboard.",
  forbiddenHelp: "Ask whoever runs it to add you to the group.",
  lost: "The leaderboard could not be read.",
  lostHelp: "Check the connection and try again.",
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

/** @typedef {ReturnType<typeof voice>} Voice words, and figures as they are written with them */

const voices = /** @type {Map<string, Voice>} At most as many as a page names languages. */ (
  new Map()
);

/**
 * The voice of the first of these languages that is spoken here, Spanish where none is. A bare "es"
 * is as the reader's browser has it: "es-MX" writes figures otherwise than "es-ES".
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
      found = voice(locale.slice(0, 2)); // "es-what ever" is Spanish, if nowhere's
    }
    voices.set(locale, found);
  }
  return found;
}

/**
 * What is made when it is first asked for: a format takes a phone some 20 ms to make.
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
  // Always grouped: figures of a column look alike.
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
     * What is said to a reader who has no points in the period: that, and how many lead to which place.
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
    /** "hace 2 min", in steps of ten seconds below a minute. @param {string} time @param {number} now milliseconds */
    ago: (time, now) => {
      const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
      if (seconds < 10) return words.justNow;
      if (seconds < 60) return relative().format(-Math.floor(seconds / 10) * 10, "second");
      if (seconds < 3_600) return relative().format(-Math.floor(seconds / 60), "minute");
      if (seconds < 86_400) return relative().format(-Math.floor(seconds / 3_600), "hour");
      return relative().format(-Math.floor(seconds / 86_400), "day");
    },
    /** What a board is called: its kind's word, and which of them it is. @param {string} board */
    nameOf: (board) => {
      const [kind, ...id] = board.split(":");
      const { global, school, classroom, friends } = words;
      const word = new Map(Object.entries({ global, school, classroom, friends })).get(kind);
      return kind === "friends" ? friends : [word ?? kind, id.join(":")].join(" ").trim();
    },
  };
}
