// @ts-check
/** @import { Line, Trend } from "./charts.js" */
/** @typedef {import("../vendor/uPlot.esm.js")} Plot */

import uPlot from "../vendor/uPlot.esm.js";
import { WEEK } from "./charts.js";
import { say, unseen } from "./find.js";
import { figure, hour, ordinal, short, weekday, words } from "./words.js";

/** Height of a name beside the race, which its line ends at, in pixels at the usual size of text. */
const NAME = 32;
const AXIS = 24;
const LINE = 88;

/** @type {Map<HTMLElement, Plot>} The chart of each place. */
const plots = new Map();
/** What draws each place anew, when colours or sizes have changed. @type {Map<HTMLElement, () => void>} */
const draws = new Map();

const resized = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const target = /** @type {HTMLElement} */ (entry.target);
    const plot = plots.get(target);
    if (plot !== undefined && target.clientWidth > 0 && plot.width !== target.clientWidth) {
      plot.setSize({ width: target.clientWidth, height: plot.height });
    }
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const draw of draws.values()) draw();
});

/** A colour of the page, by its property. @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Pixels of a length in rem. @param {number} rem */
function pixels(rem) {
  return rem * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/**
 * Puts a chart in a place, instead of the one that is there.
 * @param {HTMLElement} place
 * @param {() => [Omit<uPlot.Options, "width">, uPlot.AlignedData]} make options and data
 */
function draw(place, make) {
  const again = () => {
    plots.get(place)?.destroy();
    const [options, data] = make();
    plots.set(place, new uPlot({ width: place.clientWidth || 300, ...options }, data, place));
  };
  draws.set(place, again);
  resized.observe(place);
  again();
}

/** What all charts have in common. */
function common() {
  return {
    cursor: { show: false },
    legend: { show: false },
  };
}

/** @param {uPlot.Axis} [more] @returns {uPlot.Axis} */
function axis(more = {}) {
  return {
    stroke: colour("quiet"),
    font: `${pixels(0.75)}px system-ui, sans-serif`,
    grid: { show: false },
    ticks: { show: false },
    gap: 4,
    ...more,
  };
}

/**
 * The race of the first ten: who was where, day by day, with their names at the end.
 * @param {HTMLElement} section
 * @param {Trend} trend
 * @param {string} period
 * @param {string | null} userId the reader's
 */
export function race(section, { times, entries }, period, userId) {
  const place = /** @type {HTMLElement} */ (section.querySelector(".plot"));
  const list = /** @type {HTMLElement} */ (section.querySelector("ol"));
  const title = /** @type {HTMLElement} */ (section.querySelector("h2"));
  const daily = period === "daily";
  say(title, daily ? words.raceToday : words.race);
  const at = times.map((time) => Date.parse(time));
  let marked = -1;

  draw(place, () => {
    const height = pixels(NAME / 16) * entries.length;
    const labels = at.map((time, index) => {
      if (index === at.length - 1) return words.now;
      return daily ? hour(time) : weekday(time - 1);
    });
    const spline = uPlot.paths.spline?.();
    const series = entries.map((entry, index) => {
      const own = entry.userId === userId || index === marked;
      const stroke = colour(own ? "jade" : index === 0 ? "maize" : "border");
      const width = own || index === 0 ? 3 : 1.5;
      const points = { show: true, size: width + 3, fill: stroke, stroke };
      return { stroke, width, paths: spline, points, spanGaps: false };
    });
    return [
      {
        ...common(),
        height: height + AXIS,
        padding: [0, 8, 0, 12],
        scales: { x: { time: false }, y: { dir: -1, range: [0.5, entries.length + 0.5] } },
        axes: [
          axis({
            size: AXIS,
            splits: () => at.map((_, index) => index),
            /** @param {unknown} _ @param {number[]} splits */
            values: (_, splits) => splits.map((index) => labels[index] ?? ""),
          }),
          { show: false },
        ],
        series: [{}, ...series],
      },
      [at.map((_, index) => index), ...entries.map(({ ranks }) => ranks)],
    ];
  });

  const items = entries.map((entry, index) => {
    const item = document.createElement("li");
    const [number, name] = [document.createElement("span"), document.createElement("bdi")];
    number.textContent = figure(index + 1);
    name.textContent = entry.username;
    name.title = entry.username;
    item.append(number, name);
    item.classList.toggle("first", index === 0);
    item.classList.toggle("own", entry.userId === userId);
    const then = entry.ranks.find((rank) => rank !== null);
    const last = entry.ranks[entry.ranks.length - 1];
    if (then != null && last != null && then !== last) {
      item.append(unseen(`, ${words.moved(ordinal(then), ordinal(last))}`));
    }
    item.addEventListener("pointerenter", () => mark(index));
    item.addEventListener("pointerleave", () => mark(-1));
    return item;
  });
  list.replaceChildren(...items);

  /** Shows one's line among the others. @param {number} index */
  function mark(index) {
    marked = index;
    draws.get(place)?.();
  }
}

/**
 * The reader's own days: points, and below them places.
 * @param {HTMLElement} figureElement
 * @param {Line} points
 * @param {Line & { ofDay: boolean }} places
 */
export function own(figureElement, points, places) {
  const frame = /** @type {HTMLElement} */ (figureElement.querySelector(".plots"));
  if (frame.childElementCount === 0) {
    for (const name of ["points", "places"]) {
      const [part, label, place] = [
        document.createElement("div"),
        document.createElement("p"),
        document.createElement("div"),
      ];
      label.className = "quiet";
      place.className = `plot ${name}`;
      place.setAttribute("role", "img");
      part.append(label, place);
      frame.append(part);
    }
  }
  const [above, below] = /** @type {HTMLElement[]} */ ([...frame.children]);
  line(above, words.points, points, "jade", false);
  below.hidden = places.values.filter((rank) => rank !== null).length < 2;
  if (!below.hidden)
    line(below, places.ofDay ? words.placeOfDay : words.place, places, "ink", true);
}

/**
 * @param {HTMLElement} part
 * @param {string} label
 * @param {Line} data
 * @param {string} stroke a colour of the page
 * @param {boolean} isRank whether the best is at the top and each value stands for itself
 */
function line(part, label, { times, values }, stroke, isRank) {
  const [text, place] = /** @type {HTMLElement[]} */ ([...part.children]);
  say(text, label);
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  const since = Date.now() - WEEK;
  const [first, last] = [known[0], known[known.length - 1]];
  place.setAttribute("aria-label", `${label}: ${figure(first)} → ${figure(last)}`);
  draw(place, () => {
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const room = Math.max(1, (high - low) * 0.15);
    const [bottom, top] = [isRank ? Math.max(0.5, low - room) : low - room, high + room];
    return [
      {
        ...common(),
        height: LINE,
        padding: [8, 16, 0, 0],
        scales: {
          x: { range: [since / 1000, Date.now() / 1000] },
          y: { dir: isRank ? -1 : 1, range: [bottom, top] },
        },
        axes: [
          axis({
            size: AXIS,
            space: 24,
            incrs: [86_400],
            /** @param {unknown} _ @param {number[]} splits */
            values: (_, splits) => splits.map((time) => weekday(time * 1000)),
          }),
          axis({
            size: 56,
            splits: () => (low === high ? [low] : [low, high]),
            /** @param {unknown} _ @param {number[]} splits */
            values: (_, splits) =>
              splits.map((value) => (high < 100_000 ? figure(value) : short(value))),
          }),
        ],
        series: [
          {},
          {
            stroke: colour(stroke),
            width: 2,
            paths: isRank ? uPlot.paths.linear?.() : uPlot.paths.stepped?.({ align: 1 }),
            points: { show: isRank, size: 5, fill: colour(stroke) },
            spanGaps: isRank,
          },
        ],
      },
      [times.map((time) => time / 1000), values],
    ];
  });
}
