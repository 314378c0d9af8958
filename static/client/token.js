// @ts-check

/**
 * What a token says of itself. Nothing here is checked, which is the service's affair: it is for knowing
 * when to ask for the next one, and which tabs are of one person.
 *
 * @typedef {{ sub: string | null, scope: string, exp: number | null, iat: number | null }} Claims times in seconds
 */

/**
 * Each claim is null where the token is no JWT or does not have it.
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
 * Whom a token speaks for: the same text for all tokens of a user with the same scope, or of this
 * one token where it does not say.
 * @param {string} token
 */
export async function personOf(token) {
  const { sub, scope } = claimsOf(token);
  if (sub !== null) return scope === "" ? `user:${sub}` : `user:${sub} ${scope}`;
  // A page of plain http can't work it out.
  const { subtle } = globalThis.crypto;
  if (subtle === undefined) return `token:${token}`;
  const sum = await subtle.digest("SHA-256", new TextEncoder().encode(token));
  return `token:${Array.from(new Uint8Array(sum), (one) => one.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * Milliseconds for which a token that was just given is good, or null where it does not say. A clock that
 * is wrong here does not make it longer than it was made for.
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
