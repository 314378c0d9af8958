// @ts-check
/** @import { Problem } from "../marcador.d.ts" */
/** @import { Voice } from "../view/words.js" */

import { NEVER } from "../client/refused.js";

/** What a `<marcador-board>` says in its place for the owner of the site that it stands on. */
const es = {
  cors: "El servicio todavía no permite que este sitio muestre el marcador.",
  /** @param {string} origin */
  corsHelp: (origin) => `Quien lo administra lo permite con\n--cors-origins ${origin}`,
  file: "Un archivo abierto sin servidor no puede mostrar el marcador.",
  fileHelp: "Abre esta página desde una dirección, como https://escuela.example.org.",
  csp: "La política de seguridad de esta página no permite el marcador.",
  /** @param {string} service */
  cspHelp: (service) => `Quien administra este sitio agrega ${service} a connect-src.`,
  tokenless:
    "A este sitio le falta dar el token de quien mira: la propiedad getToken de <marcador-board>.",
  refused: "El servicio no aceptó tu sesión.",
  refusedHelp: "Vuelve a entrar. Si no basta, la consola de esta página dice el motivo.",
  token: "Este sitio no pudo decir quién mira.",
  tokenHelp: "Recarga la página. Si no basta, la consola de esta página dice el motivo.",
  absent: "No existe este marcador.",
  absentHelp: "Revisa los atributos board y src.",
};

/** @type {typeof es} */
const en = {
  cors: "The service does not let this site show the leaderboard yet.",
  corsHelp: (origin) => `Whoever runs it allows this with\n--cors-origins ${origin}`,
  file: "A file that was opened without a server can't show the leaderboard.",
  fileHelp: "Open this page from an address, such as https://school.example.org.",
  csp: "This page's security policy does not let the leaderboard in.",
  cspHelp: (service) => `Whoever runs this site adds ${service} to connect-src.`,
  tokenless:
    "This site still has to give the reader's token: the property getToken of <marcador-board>.",
  refused: "The service did not accept your session.",
  refusedHelp: "Sign in again. If that is not enough, this page's console says why.",
  token: "This site could not say who is looking.",
  tokenHelp: "Reload the page. If that is not enough, this page's console says why.",
  absent: "There is no such leaderboard.",
  absentHelp: "Check the attributes board and src.",
};

/**
 * What keeps a board from showing, and what helps.
 * @param {Problem} problem
 * @param {Voice} voice
 * @param {string} baseUrl the service's, without an origin where that is the page's own
 * @param {boolean} reader whether the site gives tokens
 * @returns {[text: string, help: string]}
 */
export function refusal({ status, code }, { words, language }, baseUrl, reader) {
  const more = language === "en" ? en : es;
  const elsewhere = /^https?:/.test(baseUrl);
  const origin = globalThis.location?.origin ?? "null";
  if (code === "cors") {
    return origin === "null" ? [more.file, more.fileHelp] : [more.cors, more.corsHelp(origin)];
  }
  if (code === "csp") return [more.csp, more.cspHelp(new URL(baseUrl).origin)];
  if (status === 0 && code === "token") return [more.token, more.tokenHelp];
  if (status === 401) {
    if (reader && code !== "token_missing") return [more.refused, more.refusedHelp];
    return [words.closed, elsewhere && !reader ? more.tokenless : words.closedHelp];
  }
  if (status === 403) return [words.forbidden, words.forbiddenHelp];
  if (NEVER.has(status)) return [more.absent, more.absentHelp];
  return [words.lost, words.lostHelp];
}
