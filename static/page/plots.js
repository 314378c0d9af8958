// @ts-check
/** @import { Course, Line, Trend } from "./charts.js" */
/** @typedef {import("../vendor/uPlot.esm.js")} Plot */

import uPlot from "../vendor/uPlot.esm.js";
import { say, unseen } from "../view/cells.js";
import { WEEK } from "./charts.js";
import { figure, hour, ordinal, short, weekday, words } from "./words.js";

/** Height of a name beside the race, which its line ends at, in rem. */
const NAME = 2;
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
 * The race of the first: who was where, time by time, with their names at the end.
 * @param {HTMLElement} section
 * @param {Trend} trend
 * @param {string} period
 * @param {string | null} userId the reader's
 */
export function race(section, trend, period, userId) {
  const [title, place, list] = ["h2", ".plot", "ol"].map(
    (selector) => /** @type {HTMLElement} */ (section.querySelector(selector)),
  );
  const daily = period === "daily";
  say(title, daily ? words.raceToday : words.race);
  const times = trend.times.map((time) => Date.parse(time));
  const labels = times.map((time, index) => {
    if (index === times.length - 1) return words.now;
    return daily ? hour(time) : weekday(time - 1);
  });
  /** Whose line stands out, besides the first and the reader's. */
  let marked = /** @type {Course | null} */ (null);
  draw(place, () => {
    const strong = trend.entries.map((one) => one === marked || one.userId === userId);
    return racePlot(trend.entries, labels, strong);
  });
  const items = trend.entries.map((course, index) => {
    const item = nameOf(course, index, userId);
    for (const [type, whom] of /** @type {const} */ ([
      ["pointerenter", course],
      ["pointerleave", null],
    ])) {
      item.addEventListener(type, () => {
        marked = whom;
        draws.get(place)?.();
      });
    }
    return item;
  });
  list.replaceChildren(...items);
}

/**
 * @param {Course[]} entries
 * @param {string[]} labels of the times
 * @param {boolean[]} strong whether one's line stands out
 * @returns {[Omit<uPlot.Options, "width">, uPlot.AlignedData]}
 */
function racePlot(entries, labels, strong) {
  const series = entries.map((_, index) => {
    const stroke = colour(strong[index] ? "jade" : index === 0 ? "maize" : "border");
    const width = strong[index] || index === 0 ? 3 : 1.5;
    const points = { show: true, size: width + 3, fill: stroke, stroke };
    return { stroke, width, paths: uPlot.paths.spline?.(), points, spanGaps: false };
  });
  const steps = labels.map((_, index) => index);
  // Every other one has room, the last among them.
  /** @param {unknown} _ @param {number[]} splits */
  const values = (_, splits) =>
    splits.map((index) => ((steps.length - 1 - index) % 2 === 0 ? labels[index] : ""));
  return [
    {
      ...common(),
      height: pixels(NAME) * entries.length + AXIS,
      padding: [0, 16, 0, 16],
      scales: { x: { time: false }, y: { dir: -1, range: [0.5, entries.length + 0.5] } },
      axes: [axis({ size: AXIS, splits: () => steps, values }), { show: false }],
      series: [{}, ...series],
    },
    [steps, ...heights(entries)],
  ];
}

/**
 * How low each line runs, time by time: at its rank, and where several share one, each below the other as in the
 * list of names, which the lines end at.
 * @param {Course[]} entries
 */
function heights(entries) {
  const lines = entries.map(({ ranks }) => [...ranks]);
  for (let time = 0; time < (lines[0]?.length ?? 0); time++) {
    let last = 0;
    // The sort is stable: equal ranks stay in the order of the names.
    const there = lines.filter((line) => line[time] !== null);
    for (const line of there.sort((one, other) => Number(one[time]) - Number(other[time]))) {
      last = Math.max(Number(line[time]), last + 1);
      line[time] = last;
    }
  }
  return lines;
}

/** A name at the end of its line. @param {Course} course @param {number} index @param {string | null} userId */
function nameOf({ userId: whose, username, ranks }, index, userId) {
  const item = document.createElement("li");
  const [number, name] = [document.createElement("span"), document.createElement("bdi")];
  number.textContent = figure(ranks[ranks.length - 1] ?? index + 1);
  name.textContent = username;
  name.title = username;
  item.append(number, name);
  item.classList.toggle("first", (ranks[ranks.length - 1] ?? index + 1) === 1);
  item.classList.toggle("own", whose === userId);
  // What the line shows, for who does not see it.
  const then = ranks.find((rank) => rank !== null);
  const now = ranks[ranks.length - 1];
  if (then != null && now != null && then !== now) {
    item.append(unseen(`, ${words.moved(ordinal(then), ordinal(now))}`));
  }
  return item;
}

/**
 * The reader's own days: points, and below them places.
 * @param {HTMLElement} section
 * @param {Line} points
 * @param {Line & { ofDay: boolean }} places
 */
export function own(section, points, places) {
  const frame = /** @type {HTMLElement} */ (section.querySelector(".plots"));
  if (frame.childElementCount === 0) frame.append(linePlace(), linePlace());
  const [above, below] = /** @type {HTMLElement[]} */ ([...frame.children]);
  line(above, words.points, points, false);
  below.hidden = places.values.filter((rank) => rank !== null).length < 2;
  if (!below.hidden) line(below, places.ofDay ? words.placeOfDay : words.rank, places, true);
}

/** Where a line is drawn, with its label above. */
function linePlace() {
  const [part, label, place] = ["div", "p", "div"].map((tag) => document.createElement(tag));
  label.className = "quiet";
  place.className = "plot";
  place.setAttribute("role", "img");
  part.append(label, place);
  return part;
}

/** @param {HTMLElement} part @param {string} label @param {Line} data @param {boolean} ofRanks */
function line(part, label, data, ofRanks) {
  const [text, place] = /** @type {HTMLElement[]} */ ([...part.children]);
  say(text, label);
  const known = /** @type {number[]} */ (data.values.filter((value) => value !== null));
  place.setAttribute(
    "aria-label",
    `${label}: ${figure(known[0])} → ${figure(known[known.length - 1])}`,
  );
  draw(place, () => linePlot(data, Math.min(...known), Math.max(...known), ofRanks));
}

/**
 * @param {Line} line
 * @param {number} low its least value
 * @param {number} high
 * @param {boolean} ofRanks whether the least is the best, and at the top
 * @returns {[Omit<uPlot.Options, "width">, uPlot.AlignedData]}
 */
function linePlot({ times, values }, low, high, ofRanks) {
  const stroke = colour(ofRanks ? "ink" : "jade");
  const room = Math.max(1, (high - low) * 0.15);
  const now = Date.now();
  const days = axis({
    size: AXIS,
    space: 24,
    incrs: [86_400],
    /** @param {unknown} _ @param {number[]} splits */
    values: (_, splits) => splits.map((time) => weekday(time * 1000)),
  });
  const bounds = axis({
    size: 56,
    splits: () => (low === high ? [low] : [low, high]),
    /** @param {unknown} _ @param {number[]} splits */
    values: (_, splits) => splits.map(high < 100_000 ? figure : short),
  });
  return [
    {
      ...common(),
      height: LINE,
      padding: [8, 16, 0, 0],
      scales: {
        x: { range: [(now - WEEK) / 1000, now / 1000] },
        y: { dir: ofRanks ? -1 : 1, range: [low - room, high + room] },
      },
      axes: [days, bounds],
      series: [
        {},
        {
          stroke,
          width: 2,
          paths: ofRanks ? uPlot.paths.linear?.() : uPlot.paths.stepped?.({ align: 1 }),
          points: { show: ofRanks, size: 5, fill: stroke },
          spanGaps: ofRanks,
        },
      ],
    },
    [times.map((time) => time / 1000), values],
  ];
}
