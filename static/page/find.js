// @ts-check

/** The element with an id, which the page has. @param {string} id @returns {HTMLElement} */
export function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** The path that the service lies under, without a slash at its end: a proxy may have put it anywhere. */
export const base = new URL(".", location.href).pathname.replace(/\/+$/, "");

/** @param {string} id */
export function template(id) {
  return /** @type {HTMLTemplateElement} */ (find(id));
}
