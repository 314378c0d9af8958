// @ts-check
/** @import { Course, Series, Trend } from "./charts.js" */
/** @typedef {import("../vendor/uPlot.esm.js")} Plot */

import uPlot from "../vendor/uPlot.esm.js";
import { make, say, unseen } from "../view/dom.js";
import { WEEK } from "./charts.js";
import { figure, hour, ordinal, short, weekday, words } from "./words.js";

/** Height of a name beside the race, in rem. The name's series ends there. */
const NAME = 2;
/** Heights of the axis and of a chart of one series, in pixels. */
const AXIS = 24;
const SINGLE = 88;

/** The chart in each box. @type {Map<HTMLElement, Plot>} */
const plots = new Map();
/**
 * What draws each box again after colours or sizes have changed.
 * @type {Map<HTMLElement, () => void>}
 */
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

/** A colour of the page, by the name of its custom property. @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A length in pixels. @param {number} rem */
function pixels(rem) {
  return rem * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/**
 * Draws a chart in a box, in place of an older one.
 * @param {HTMLElement} box
 * @param {() => [Omit<uPlot.Options, "width">, uPlot.AlignedData]} chart gives its options and data
 */
function draw(box, chart) {
  const again = () => {
    plots.get(box)?.destroy();
    const [options, data] = chart();
    plots.set(box, new uPlot({ width: box.clientWidth || 300, ...options }, data, box));
  };
  draws.set(box, again);
  resized.observe(box);
  again();
}

/** The options that all charts share. */
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
 * The race of the first ten: a series of ranks for each person, with the names at its end.
 * @param {HTMLElement} section
 * @param {Trend} trend
 * @param {string} period
 * @param {string | null} userId the reader's
 */
export function race(section, trend, period, userId) {
  const [title, box, list] = ["h2", ".plot", "ol"].map(
    (selector) => /** @type {HTMLElement} */ (section.querySelector(selector)),
  );
  const daily = period === "daily";
  say(title, daily ? words.raceToday : words.race);
  const times = trend.times.map((time) => Date.parse(time));
  const labels = times.map((time, index) => {
    if (index === times.length - 1) return words.now;
    return daily ? hour(time) : weekday(time - 1);
  });
  /** Whose series stands out, besides that of the first and of the reader. */
  let highlighted = /** @type {Course | null} */ (null);
  draw(box, () => {
    const strong = trend.entries.map((one) => one === highlighted || one.userId === userId);
    return racePlot(trend.entries, labels, strong);
  });
  const items = trend.entries.map((course, index) => {
    const item = nameOf(course, index, userId);
    for (const [type, whom] of /** @type {const} */ ([
      ["pointerenter", course],
      ["pointerleave", null],
    ])) {
      item.addEventListener(type, () => {
        highlighted = whom;
        draws.get(box)?.();
      });
    }
    return item;
  });
  list.replaceChildren(...items);
}

/**
 * @param {Course[]} entries
 * @param {string[]} labels of the times
 * @param {boolean[]} strong whose series stand out
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
  // There is room for every other label, counted from the last.
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
 * How low each series runs at each time: at its rank. People who share a rank run one below the
 * other, in the order of their names in the list.
 * @param {Course[]} entries
 */
function heights(entries) {
  const all = entries.map(({ ranks }) => [...ranks]);
  for (let time = 0; time < (all[0]?.length ?? 0); time++) {
    let last = 0;
    // The sort is stable: equal ranks stay in the order of the names.
    const ranked = all.filter((series) => series[time] !== null);
    for (const series of ranked.sort((one, other) => Number(one[time]) - Number(other[time]))) {
      last = Math.max(Number(series[time]), last + 1);
      series[time] = last;
    }
  }
  return all;
}

/**
 * A name at the end of its series.
 * @param {Course} course
 * @param {number} index
 * @param {string | null} userId
 */
function nameOf({ userId: whose, username, ranks }, index, userId) {
  const name = make("bdi", "", username);
  name.title = username;
  const item = make("li", "", make("span", "", figure(ranks[ranks.length - 1] ?? index + 1)), name);
  item.classList.toggle("first", (ranks[ranks.length - 1] ?? index + 1) === 1);
  item.classList.toggle("own", whose === userId);
  // The series in words, for people who do not see it.
  const then = ranks.find((rank) => rank !== null);
  const now = ranks[ranks.length - 1];
  if (then != null && now != null && then !== now) {
    item.append(unseen(`, ${words.moved(ordinal(then), ordinal(now))}`));
  }
  return item;
}

/**
 * The reader's own days: a chart of points, and below it one of places.
 * @param {HTMLElement} section
 * @param {Series} points
 * @param {Series & { ofDay: boolean }} places
 */
export function own(section, points, places) {
  const frame = /** @type {HTMLElement} */ (section.querySelector(".plots"));
  if (frame.childElementCount === 0) frame.append(emptyChart(), emptyChart());
  const [above, below] = /** @type {HTMLElement[]} */ ([...frame.children]);
  fill(above, words.points, points, false);
  below.hidden = places.values.filter((rank) => rank !== null).length < 2;
  if (!below.hidden) fill(below, places.ofDay ? words.placeOfDay : words.rank, places, true);
}

/** A label with a box for a chart below it. */
function emptyChart() {
  const box = make("div", "plot");
  box.setAttribute("role", "img");
  return make("div", "", make("p", "quiet"), box);
}

/**
 * @param {HTMLElement} chart
 * @param {string} label
 * @param {Series} data
 * @param {boolean} ofRanks
 */
function fill(chart, label, data, ofRanks) {
  const [text, box] = /** @type {HTMLElement[]} */ ([...chart.children]);
  say(text, label);
  const known = /** @type {number[]} */ (data.values.filter((value) => value !== null));
  box.setAttribute(
    "aria-label",
    `${label}: ${figure(known[0])} → ${figure(known[known.length - 1])}`,
  );
  draw(box, () => singlePlot(data, Math.min(...known), Math.max(...known), ofRanks));
}

/**
 * @param {Series} series
 * @param {number} low its least value
 * @param {number} high its greatest value
 * @param {boolean} ofRanks whether the least value is the best, and is drawn at the top
 * @returns {[Omit<uPlot.Options, "width">, uPlot.AlignedData]}
 */
function singlePlot({ times, values }, low, high, ofRanks) {
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
      height: SINGLE,
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
