// @ts-check
/** @import { Service } from "./http.js" */

import { Refusal, refusalFrom } from "./http.js";

/** How long the service may take to show that it is there, in milliseconds. */
const PATIENCE = 10_000;

/** The codes of requests that a browser blocks until somebody changes a setting. */
export const BLOCKED = new Set(["cors", "csp"]);

/**
 * Why a request got no answer. Browsers do not tell scripts. So the service is asked for a file
 * that is open to every site: if it comes, the service is there and does not let this site call it.
 * @param {Service} service
 * @param {unknown} cause
 * @returns {Promise<Refusal>}
 */
export async function whyNoAnswer(service, cause) {
  const { location, document, navigator } = globalThis;
  const plain = refusalFrom(cause);
  if (location === undefined || service.ownOrigin || navigator?.onLine === false) return plain;
  const { origin, href } = new URL(service.address("/marcador.js"), location.href);
  let policy = false;
  /** @param {SecurityPolicyViolationEvent} event */
  const violated = ({ blockedURI }) => {
    policy ||= blockedURI.startsWith(origin);
  };
  document?.addEventListener("securitypolicyviolation", violated);
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    await fetch(href, { method: "HEAD", cache: "no-store", credentials: "omit", signal });
    const text = `${origin} does not let pages of ${location.origin} call it: start it with --cors-origins ${location.origin}`;
    return new Refusal(0, "cors", text);
  } catch {
    // Browsers report a violation a moment later.
    await new Promise((resolve) => setTimeout(resolve));
    const text = `the page's content security policy lacks ${origin} in connect-src`;
    return policy ? new Refusal(0, "csp", text) : plain;
  } finally {
    document?.removeEventListener("securitypolicyviolation", violated);
  }
}
