// @ts-check

import { svg } from "./drawing.js";

/** Patterns for the ground of an avatar, on a grid of 8 by 8. */
const PATTERNS = [
  ["00000011", "00000011", "00001111", "00001111", "00111111", "00111111", "11111111", "11111111"],
  ["00000000", "00000000", "00011000", "00011000", "01111110", "01111110", "11111111", "11111111"],
  ["11000011", "11000011", "00000000", "00000000", "00000000", "00000000", "11000011", "11000011"],
  ["11111111", "11111111", "00111100", "00111100", "00111100", "00111100", "11111111", "11111111"],
  ["11110000", "11110000", "00110000", "00110000", "00001100", "00001100", "00001111", "00001111"],
  ["11111111", "11111111", "00000011", "00000011", "11110011", "11110011", "11000000", "11000000"],
];

/** Jade, lake, indigo, plum, terracotta, earth, moss. */
const HUES = [172, 215, 262, 330, 34, 70, 130];

/** FNV-1a, 32 bits. @param {string} text */
function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 0;
}

/**
 * The first letters of the first and of the last word that has letters; "" for a name without any.
 * @param {string} name
 */
function initials(name) {
  const letters = name
    .split(/\s+/u)
    .map((word) => word.match(/[\p{L}\p{N}]\p{M}*/u)?.[0] ?? "")
    .filter((letter) => letter !== "");
  const last = letters.length > 1 ? letters[letters.length - 1] : "";
  return ((letters[0] ?? "") + last).toLocaleUpperCase();
}

/**
 * A picture made from the user's id, so that a person has the same picture everywhere.
 * @param {string} userId
 * @param {string} name
 */
function draw(userId, name) {
  const seed = hash(userId);
  const hue = HUES[seed % HUES.length];
  const other = HUES[(seed + 1 + ((seed >>> 8) % (HUES.length - 1))) % HUES.length];
  const pattern = PATTERNS[(seed >>> 16) % PATTERNS.length];
  const angle = ((seed >>> 24) % 4) * 90;
  let d = "";
  for (const [y, row] of pattern.entries()) {
    for (const { index, 0: run } of row.matchAll(/1+/g)) {
      d += `M${index * 5} ${y * 5}h${run.length * 5}v5h-${run.length * 5}z`;
    }
  }
  return svg(
    "svg",
    { viewBox: "0 0 40 40" },
    svg("path", { d: "M0 0h40v40H0z", fill: `oklch(38% 0.07 ${hue})` }),
    svg("path", { d, fill: `oklch(46% 0.085 ${other})`, transform: `rotate(${angle} 20 20)` }),
    svg("text", { x: 20, y: 25, "text-anchor": "middle" }, initials(name)),
  );
}

/** Pictures that a page can show and that run nothing: over HTTPS, or inside the address itself. */
const PICTURE = /^(https:\/\/|data:image\/)/i;

/**
 * The user's picture above the drawn one, which is seen while the picture loads or if it can't be
 * loaded.
 * @param {string} userId
 * @param {string} name
 * @param {string} picture address, or ""
 */
export function avatar(userId, name, picture) {
  const frame = document.createElement("span");
  frame.className = "avatar";
  frame.setAttribute("part", "avatar");
  frame.setAttribute("aria-hidden", "true");
  frame.append(draw(userId, name));
  if (PICTURE.test(picture)) {
    const image = document.createElement("img");
    image.alt = "";
    image.decoding = "async";
    image.referrerPolicy = "no-referrer";
    image.addEventListener("error", () => image.remove(), { once: true });
    image.addEventListener("load", () => image.classList.add("there"), { once: true });
    image.src = picture;
    frame.append(image);
  }
  return frame;
}
