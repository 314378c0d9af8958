// @ts-check

/**
 * An element with this class, "" for none.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} name
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name !== "") element.className = name;
  element.append(...children);
  return element;
}

/**
 * An element whose class is also its part: the view's own CSS selects it by the class, the CSS of a
 * page with a `<marcador-board>` by `::part()`.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} name
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function part(tag, name, ...children) {
  const element = make(tag, name, ...children);
  element.setAttribute("part", name);
  return element;
}

/** A text for screen readers alone. @param {string} text */
export function unseen(text) {
  return make("span", "unseen", text);
}

/**
 * Changes an element's text, and touches nothing if it has that text.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
