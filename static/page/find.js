// @ts-check

/** The page's element with this id. @param {string} id @returns {HTMLElement} */
export function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** The path of the service, without a slash at its end. A proxy may have put it under any path. */
export const base = new URL(".", location.href).pathname.replace(/\/+$/, "");
