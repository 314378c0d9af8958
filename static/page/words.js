// @ts-check

/**
 * What the page says, in Spanish and in English. Plain texts are strings; what carries a number is a
 * function of the number and of its text, because plurals hang on the one and people read the other.
 */
const es = {
  demo: "Demostración",
  skip: "Ir al marcador",
  boards: "Marcadores",
  periods: "Periodos",
  watchAs: "Mirar como",
  justWatching: "Solo mirar",
  signedOut: "Sin sesión",
  exercise: "Completar ejercicio",
  exerciseFailed: "No se pudo guardar el ejercicio. Inténtalo de nuevo.",
  live: "En vivo",
  connecting: "Conectando…",
  offline: "Sin conexión",
  readonly: "Modo lectura",
  banner: "Actualizado en tiempo real",
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
  mySchool: "Mi escuela",
  myClassroom: "Mi grupo",
  "all-time": "Siempre",
  daily: "Hoy",
  weekly: "Semana",
  monthly: "Mes",
  fresh: "nuevo",
  same: "Sin cambio",
  you: "tú",
  yourPlace: "Tu lugar:",
  showMe: "Ver mi fila",
  yours: "Tu lugar",
  lastDays: "Tus últimos días",
  place: "Lugar",
  placeOfDay: "Lugar de cada día",
  race: "Los diez primeros, día a día",
  raceToday: "Los diez primeros, hora por hora",
  now: "ahora",
  newBadge: "Nueva insignia",
  topBadge: "Tienes la insignia más alta",
  first: "Vas en primer lugar",
  lastUpdate: "Última actualización",
  notUpdated: "No se pudo actualizar · Última actualización",
  justNow: "hace un momento",
  emptyTitle: "Todavía nadie tiene puntos en este marcador.",
  emptyText: "Completa un ejercicio: el primer lugar aparecerá aquí sin recargar la página.",
  closedTitle: "Este marcador pide iniciar sesión.",
  closedText: "Entra con tu cuenta en la plataforma de tu escuela y vuelve a esta página.",
  closedDemo: "Elige un estudiante arriba para verlo.",
  forbiddenTitle: "Tu cuenta no puede ver este marcador.",
  forbiddenText: "Pide a quien lo administra que te agregue al grupo.",
  lostTitle: "No se pudo leer el marcador.",
  lostText: "Revisa la conexión y vuelve a intentarlo.",
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
  /** @param {number} n @param {string} text */
  score: (n, text) => (n === 1 ? "1 punto" : `${text} puntos`),
  /** @param {string} percent */
  ahead: (percent) => `Por delante del ${percent}`,
  /** @param {string} place */
  rose: (place) => `Subiste al ${place} lugar`,
  /** @param {string} place */
  fell: (place) => `Bajaste al ${place} lugar`,
  /** @param {number} n @param {string} text @param {string} badge */
  toBadge: (n, text, badge) =>
    n === 1 ? `Te falta 1 punto para ser ${badge}` : `Te faltan ${text} puntos para ser ${badge}`,
  /** @param {number} n @param {string} text */
  skipped: (n, text) => (n === 1 ? "1 lugar más" : `${text} lugares más`),
  /** @param {string} from @param {string} to */
  moved: (from, to) => `del ${from} al ${to} lugar`,
  /** Before "lugar": 1.er, 2.º, 3.er, 11.º, 13.er, 21.er. @param {number} n @param {string} text */
  ordinal: (n, text) => {
    const short = n % 10 === 3 || (n % 10 === 1 && n % 100 !== 11);
    return text + (short ? ".er" : ".º");
  },
};

const SUFFIXES = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
const englishOrdinals = new Intl.PluralRules("en", { type: "ordinal" });

/** @type {typeof es} */
const en = {
  demo: "Demo",
  skip: "Skip to the leaderboard",
  boards: "Leaderboards",
  periods: "Periods",
  watchAs: "Watch as",
  justWatching: "Just watching",
  signedOut: "Signed out",
  exercise: "Complete an exercise",
  exerciseFailed: "The exercise could not be saved. Try again.",
  live: "Live",
  connecting: "Connecting…",
  offline: "Offline",
  readonly: "Read-only",
  banner: "Updated in real time",
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
  mySchool: "My school",
  myClassroom: "My class",
  "all-time": "All time",
  daily: "Today",
  weekly: "Week",
  monthly: "Month",
  fresh: "new",
  same: "No change",
  you: "you",
  yourPlace: "Your place:",
  showMe: "Show my row",
  yours: "Your place",
  lastDays: "Your last days",
  place: "Place",
  placeOfDay: "Place of each day",
  race: "The top ten, day by day",
  raceToday: "The top ten, hour by hour",
  now: "now",
  newBadge: "New badge",
  topBadge: "You have the highest badge",
  first: "You are in first place",
  lastUpdate: "Last update",
  notUpdated: "Could not refresh · Last update",
  justNow: "just now",
  emptyTitle: "Nobody has points on this leaderboard yet.",
  emptyText: "Complete an exercise: first place will show up here without a reload.",
  closedTitle: "This leaderboard asks you to sign in.",
  closedText: "Sign in on your school's platform, then come back to this page.",
  closedDemo: "Pick a student above to see it.",
  forbiddenTitle: "Your account may not see this leaderboard.",
  forbiddenText: "Ask whoever runs it to add you to the group.",
  lostTitle: "The leaderboard could not be read.",
  lostText: "Check the connection and try again.",
  up: (n, text) => (n === 1 ? "Up 1 place" : `Up ${text} places`),
  down: (n, text) => (n === 1 ? "Down 1 place" : `Down ${text} places`),
  people: (n, text) => (n === 1 ? "1 participant" : `${text} participants`),
  toNext: (n, text) => (n === 1 ? "1 point to the next place" : `${text} points to the next place`),
  score: (n, text) => (n === 1 ? "1 point" : `${text} points`),
  ahead: (percent) => `Ahead of ${percent}`,
  rose: (place) => `You are now ${place}`,
  fell: (place) => `You are now ${place}`,
  toBadge: (n, text, badge) => (n === 1 ? `1 point to ${badge}` : `${text} points to ${badge}`),
  skipped: (n, text) => (n === 1 ? "1 more place" : `${text} more places`),
  moved: (from, to) => `from ${from} to ${to}`,
  ordinal: (n, text) => text + SUFFIXES[englishOrdinals.select(n)],
};

/** The first language of the reader that the page speaks, with its region; Spanish where there is none. */
export const locale =
  globalThis.navigator?.languages?.find((tag) => /^(es|en)\b/i.test(tag)) ?? "es";

export const language = locale.slice(0, 2).toLowerCase() === "en" ? "en" : "es";

export const words = language === "en" ? en : es;

// Always grouped: figures of a column look alike.
const figures = new Intl.NumberFormat(locale, { useGrouping: true });
const shorts = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 4 });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(locale, { style: "short" });
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

/** @param {number} n */
export const figure = (n) => figures.format(n);

/** @param {number} n from 0 to 100 */
export const percent = (n) => percents.format(n / 100);

/** @param {number} n */
export const ordinal = (n) => words.ordinal(n, figures.format(n));

const days = new Intl.DateTimeFormat(locale, { weekday: "short" });
const hours = new Intl.DateTimeFormat(locale, { hour: "numeric" });

/** "lun". @param {number} time milliseconds */
export const weekday = (time) => days.format(time).replace(".", "");

/** "15" or "3 PM". @param {number} time milliseconds */
export const hour = (time) => hours.format(time);

/** "12.3 k", for an axis. @param {number} n */
export const short = (n) => shorts.format(n);

/** @param {string} time */
export const moment = (time) => moments.format(new Date(time));

/**
 * "hace 2 min". Below a minute it moves in steps of ten seconds, so that it does not fidget.
 * @param {string} time
 * @param {number} now milliseconds
 */
export function ago(time, now) {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
  if (seconds < 10) return words.justNow;
  if (seconds < 60) return relative.format(-Math.floor(seconds / 10) * 10, "second");
  if (seconds < 3_600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3_600), "hour");
  return relative.format(-Math.floor(seconds / 86_400), "day");
}
