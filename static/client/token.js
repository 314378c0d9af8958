// @ts-check

/**
 * The claims of a token. They are not verified here, which is the service's task. The client uses
 * them to know when to ask for the next token, and which tabs belong to one person.
 *
 * @typedef {object} Claims
 * @property {string | null} sub
 * @property {string} scope
 * @property {number | null} exp seconds since 1970
 * @property {number | null} iat seconds since 1970
 */

/**
 * A claim that is missing is null, and so are all claims of a token that is no JWT.
 * @param {string} token
 * @returns {Claims}
 */
export function claimsOf(token) {
  const none = { sub: null, scope: "", exp: null, iat: null };
  const parts = token.split(".");
  if (parts.length !== 3) return none;
  try {
    const text = atob(parts[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (one) => one.charCodeAt(0));
    const { sub, scope, exp, iat } = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    );
    return {
      sub: typeof sub === "string" && sub !== "" ? sub : null,
      scope: [scope ?? ""].flat().join(" "),
      exp: Number.isFinite(exp) ? exp : null,
      iat: Number.isFinite(iat) ? iat : null,
    };
  } catch {
    return none;
  }
}

/**
 * A text for the person that a token speaks for. It is the same for all tokens of a user with the
 * same scope. A token that names no user has a text of its own.
 * @param {string} token
 */
export async function personOf(token) {
  const { sub, scope } = claimsOf(token);
  if (sub !== null) return scope === "" ? `user:${sub}` : `user:${sub} ${scope}`;
  // Pages of plain http have no Web Crypto.
  const { subtle } = globalThis.crypto;
  if (subtle === undefined) return `token:${token}`;
  const sum = await subtle.digest("SHA-256", new TextEncoder().encode(token));
  return `token:${Array.from(new Uint8Array(sum), (one) => one.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * How long a token that was just given is good, in milliseconds, null if it does not say. If this
 * device's clock is wrong, the result is still no longer than the life that the token was made for.
 * @param {string} token
 */
export function lifeOf(token) {
  const { exp, iat } = claimsOf(token);
  if (exp === null) return null;
  const left = exp * 1000 - Date.now();
  if (iat === null || iat >= exp) return left;
  const whole = (exp - iat) * 1000;
  return left > 0 && left < whole ? left : whole;
}
