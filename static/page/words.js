// @ts-check

import { english, late, speak } from "../view/words.js";

/** The texts that only the page has. As in view/words.js, functions take a number and its text. */
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
  banner: "Actualizado en tiempo real",
  mySchool: "Mi escuela",
  myClassroom: "Mi grupo",
  showMe: "Ver mi fila",
  lastDays: "Tus últimos días",
  placeOfDay: "Lugar de cada día",
  race: "Los diez primeros, día a día",
  raceToday: "Los diez primeros, hora por hora",
  now: "ahora",
  newBadge: "Nueva insignia",
  topBadge: "Tienes la insignia más alta",
  emptyHelp: "Completa un ejercicio: el primer lugar aparecerá aquí sin recargar la página.",
  closedText: "Entra con tu cuenta en la plataforma de tu escuela y vuelve a esta página.",
  closedDemo: "Elige un estudiante arriba para verlo.",
  absentText: "Revisa su nombre en la dirección, o elige otro arriba.",
  /** @param {number} n @param {string} text */
  score: (n, text) => (n === 1 ? "1 punto" : `${text} puntos`),
  /** @param {string} place */
  rose: (place) => `Subiste al ${place} lugar`,
  /** @param {string} place */
  fell: (place) => `Bajaste al ${place} lugar`,
  /** @param {number} n @param {string} text @param {string} badge */
  toBadge: (n, text, badge) =>
    n === 1 ? `Te falta 1 punto para ser ${badge}` : `Te faltan ${text} puntos para ser ${badge}`,
  /** @param {number} n @param {string} text */
  skipped: (n, text) => (n === 1 ? "1 lugar más" : `${text} lugares más`),
  someSkipped: "Más lugares",
  /** @param {string} from @param {string} to */
  moved: (from, to) => `del ${from} al ${to} lugar`,
  /** Before "lugar": 1.er, 2.º, 3.er, 11.º, 13.er, 21.er. @param {number} n @param {string} text */
  ordinal: (n, text) => {
    const short = n % 10 === 3 || (n % 10 === 1 && n % 100 !== 11);
    return text + (short ? ".er" : ".º");
  },
};

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
  banner: "Updated in real time",
  mySchool: "My school",
  myClassroom: "My class",
  showMe: "Show my row",
  lastDays: "Your last days",
  placeOfDay: "Place of each day",
  race: "The top ten, day by day",
  raceToday: "The top ten, hour by hour",
  now: "now",
  newBadge: "New badge",
  topBadge: "You have the highest badge",
  emptyHelp: "Complete an exercise: first place will show up here without a reload.",
  closedText: "Sign in on your school's platform, then come back to this page.",
  closedDemo: "Pick a student above to see it.",
  absentText: "Check its name in the address, or choose another one above.",
  score: (n, text) => (n === 1 ? "1 point" : `${text} points`),
  rose: (place) => `You are now ${place}`,
  fell: (place) => `You are now ${place}`,
  toBadge: (n, text, badge) => (n === 1 ? `1 point to ${badge}` : `${text} points to ${badge}`),
  skipped: (n, text) => (n === 1 ? "1 more place" : `${text} more places`),
  someSkipped: "More places",
  moved: (from, to) => `from ${from} to ${to}`,
  ordinal: english,
};

/** The language of the reader's browser. */
export const voice = speak([...(globalThis.navigator?.languages ?? [])]);

export const { language, figure, nameOf } = voice;

export const words = { ...voice.words, ...(language === "en" ? en : es) };

const days = late(() => new Intl.DateTimeFormat(voice.locale, { weekday: "short" }));
const hours = late(() => new Intl.DateTimeFormat(voice.locale, { hour: "numeric" }));
const shorts = late(
  () =>
    new Intl.NumberFormat(voice.locale, {
      notation: "compact",
      maximumSignificantDigits: 4,
    }),
);

/** @param {number} n */
export const ordinal = (n) => words.ordinal(n, figure(n));

/** "lun". @param {number} time milliseconds */
export const weekday = (time) => days().format(time).replace(".", "");

/** "15" or "3 PM". @param {number} time milliseconds */
export const hour = (time) => hours().format(time);

/** "12.3 k", for an axis. @param {number} n */
export const short = (n) => shorts().format(n);
