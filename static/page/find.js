// @ts-check

/** The element with an id, which the page has. @param {string} id @returns {HTMLElement} */
export function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** @param {string} id */
export function template(id) {
  return /** @type {HTMLTemplateElement} */ (find(id));
}

/** Says a text, without touching what says it already. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** For screen readers alone. @param {string} text */
export function unseen(text) {
  const span = document.createElement("span");
  span.className = "unseen";
  span.textContent = text;
  return span;
}
