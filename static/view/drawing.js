// @ts-check

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...(SVGElement | string)} children
 */
export function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** The badges with an icon, a stepped pyramid: each has a step more than the one before. */
const BADGES = ["Ajaw", "Nacom", "Ah K'in", "Halach Uinic", "K'uk'ulkan"];

/**
 * The icon of a badge, null for a badge without one.
 * @param {string} badge
 * @param {boolean} [apart] whether each step is a path of its own, the lowest first
 */
export function badgeIcon(badge, apart = false) {
  const count = BADGES.indexOf(badge.replaceAll("’", "'")) + 1;
  if (count === 0) return null;
  const steps = Array.from({ length: count }, (_, step) => {
    // The foot and the top of all icons are equally wide; the steps between share the difference.
    const inset = count === 1 ? 0 : Math.round((step * 7) / (count - 1));
    return `M${inset} ${12 - step * 3}h${18 - inset * 2}v3h-${18 - inset * 2}z`;
  });
  const attributes = { viewBox: "0 0 18 15", class: "icon", "aria-hidden": "true" };
  const paths = apart ? steps : [steps.join("")];
  return svg("svg", attributes, ...paths.map((d) => svg("path", { d })));
}

/** @param {"up" | "down"} direction */
export function arrow(direction) {
  const d = direction === "up" ? "M5 1l4 5H6.5v4h-3V6H1z" : "M5 10L1 5h2.5V1h3v4H9z";
  return svg(
    "svg",
    { viewBox: "0 0 10 11", class: "arrow", "aria-hidden": "true" },
    svg("path", { d }),
  );
}

/**
 * The medal of a rank: a disc with the pyramid, whose class makes it gold, silver or bronze.
 * @param {number} rank 1 to 3
 */
export function medal(rank) {
  const attributes = { viewBox: "0 0 24 24", class: `medal m${rank}`, "aria-hidden": "true" };
  const steps = svg("path", { d: "M6 14h12v2H6zM8 12h8v2H8zM10 10h4v2h-4zM11 8h2v2h-2z" });
  return svg("svg", attributes, svg("circle", { cx: 12, cy: 12, r: 11 }), steps);
}
