// @ts-check
/** @import { Problem } from "../marcador.d.ts" */
/** @import { Voice } from "./words.js" */

import { NEVER } from "../client/refused.js";

/**
 * The site of a view, as far as it decides what helps.
 * @typedef {object} Site
 * @property {string} baseUrl the service's address, without an origin if that is the page's own
 * @property {boolean} givesTokens whether the site has a getToken
 * @property {Partial<Record<Kind, string>>} help texts that say more here than the usual ones
 */

/**
 * Why a board is not shown.
 * @typedef {"cors" | "file" | "csp" | "token" | "tokenless" | "refused" | "closed" | "forbidden"
 *   | "absent" | "lost"} Kind
 */

/**
 * What is said of each kind, and what helps. `$` stands for an origin.
 * @type {Record<Kind, [text: string, help: string]>}
 */
const es = {
  cors: [
    "El servicio todavía no permite que este sitio muestre el marcador.",
    "Quien lo administra lo permite con\n--cors-origins $",
  ],
  file: [
    "Un archivo abierto sin servidor no puede mostrar el marcador.",
    "Abre esta página desde una dirección, como https://escuela.example.org.",
  ],
  csp: [
    "La política de seguridad de esta página no permite el marcador.",
    "Quien administra este sitio agrega $ a connect-src.",
  ],
  token: [
    "Este sitio no pudo decir quién mira.",
    "Recarga la página. Si no basta, la consola de esta página dice el motivo.",
  ],
  tokenless: [
    "Este marcador pide iniciar sesión.",
    "A este sitio le falta dar el token de quien mira: la propiedad getToken de <marcador-board>.",
  ],
  refused: [
    "El servicio no aceptó tu sesión.",
    "Vuelve a entrar. Si no basta, la consola de esta página dice el motivo.",
  ],
  closed: ["Este marcador pide iniciar sesión.", "Entra con tu cuenta y vuelve a esta página."],
  forbidden: [
    "Tu cuenta no puede ver este marcador.",
    "Pide a quien lo administra que te agregue al grupo.",
  ],
  absent: ["No existe este marcador.", "Revisa su nombre."],
  lost: ["No se pudo leer el marcador.", "Revisa la conexión y vuelve a intentarlo."],
};

/** @type {typeof es} */
const en = {
  cors: [
    "The service does not let this site show the leaderboard yet.",
    "Whoever runs it allows this with\n--cors-origins $",
  ],
  file: [
    "A file that was opened without a server can't show the leaderboard.",
    "Open this page from an address, such as https://school.example.org.",
  ],
  csp: [
    "This page's security policy does not let the leaderboard in.",
    "Whoever runs this site adds $ to connect-src.",
  ],
  token: [
    "This site could not say who is looking.",
    "Reload the page. If that is not enough, this page's console says why.",
  ],
  tokenless: [
    "This leaderboard asks you to sign in.",
    "This site still has to give the reader's token: the property getToken of <marcador-board>.",
  ],
  refused: [
    "The service did not accept your session.",
    "Sign in again. If that is not enough, this page's console says why.",
  ],
  closed: [
    "This leaderboard asks you to sign in.",
    "Sign in with your account, then come back to this page.",
  ],
  forbidden: [
    "Your account may not see this leaderboard.",
    "Ask whoever runs it to add you to the group.",
  ],
  absent: ["There is no such leaderboard.", "Check its name."],
  lost: ["The leaderboard could not be read.", "Check the connection and try again."],
};

/**
 * Why a board is not shown, and what helps.
 * @param {Problem} problem
 * @param {Pick<Voice, "language">} voice
 * @param {Site} site
 * @returns {[text: string, help: string]}
 */
export function refusal(problem, { language }, site) {
  const kind = kindOf(problem, site);
  const [text, help] = (language === "en" ? en : es)[kind];
  const origin = kind === "csp" ? new URL(site.baseUrl).origin : ownOrigin();
  return [text, site.help[kind] ?? help.replace("$", origin)];
}

/** @param {Problem} problem @param {Site} site @returns {Kind} */
function kindOf({ status, code }, { baseUrl, givesTokens }) {
  if (code === "cors") return ownOrigin() === "null" ? "file" : "cors";
  if (code === "csp") return "csp";
  if (status === 0 && code === "token") return "token";
  if (status === 401) {
    if (givesTokens) return code === "token_missing" ? "closed" : "refused";
    return /^https?:/.test(baseUrl) ? "tokenless" : "closed";
  }
  if (status === 403) return "forbidden";
  return NEVER.has(status) ? "absent" : "lost";
}

/** The page's origin, "null" for a file. */
function ownOrigin() {
  return globalThis.location?.origin ?? "null";
}
