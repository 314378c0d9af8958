// @ts-check

// Light and dark follow the page's color-scheme. Browsers without light-dark() get the light
// colours.
const both = globalThis.CSS?.supports("color", "light-dark(red, red)") ?? false;

/** @param {string} light @param {string} dark */
const tone = (light, dark) => (both ? `light-dark(${light}, ${dark})` : light);

/** @param {number} share of the ink, in percent */
const mix = (share) => `color-mix(in oklab, var(--ink) ${share}%, var(--ground))`;

// Public properties begin with --marcador-. Names without that prefix add the defaults.
const css = `
:host {
  --ground: var(--marcador-ground, ${tone("oklch(97.7% 0.007 81)", "oklch(19.8% 0.01 248)")});
  --ink: var(--marcador-ink, ${tone("oklch(23.7% 0.007 248)", "oklch(93% 0.012 80)")});
  --quiet: var(--marcador-quiet, ${mix(67)});
  --hairline: var(--marcador-line, ${mix(11)});
  --stone: var(--marcador-stone, ${mix(8)});
  --accent: var(--marcador-accent, ${tone("oklch(48.5% 0.096 172)", "oklch(76% 0.137 170)")});
  --trouble: var(--marcador-trouble, ${tone("oklch(50.5% 0.156 34)", "oklch(73% 0.145 36)")});
  --gold: var(--marcador-gold, ${tone("oklch(72.9% 0.147 78)", "oklch(83% 0.142 85)")});
  --own: var(--marcador-own, color-mix(in oklab, var(--accent) 9%, var(--ground)));
  --radius: var(--marcador-radius, 0.5em);
  --row: var(--marcador-row, 3.5em);
  container: marcador / inline-size;
  contain-intrinsic-inline-size: auto 22em;
  display: flex;
  flex-direction: column;
  box-sizing: border-box;
  min-width: 0;
  overflow: hidden;
  border-radius: var(--radius);
  background: var(--ground);
  color: var(--ink);
  font-family: var(--marcador-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
  font-weight: 400;
  font-style: normal;
  line-height: 1.3;
  letter-spacing: normal;
  text-align: start;
  text-transform: none;
  word-spacing: normal;
  font-variant-numeric: tabular-nums;
}
[hidden], :host([hidden]) { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
.frame {
  --edge: 0.75em;
  --gap: 0.375em;
  --c-rank: calc(3.25em + var(--edge));
  --c-change: 3.75em;
  display: flex;
  flex-direction: column;
  flex: 0 1 auto;
  min-height: 0;
}
.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
p { margin: 0; }

.header {
  display: flex;
  flex: none;
  flex-wrap: wrap;
  align-items: center;
  justify-content: space-between;
  gap: 0.25em 0.75em;
  padding: 0.75em var(--edge);
}
.heading {
  display: flex;
  flex: 1 1 auto;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.5em;
  min-width: 0;
}
.label {
  overflow-wrap: anywhere;
  font-size: 1.25em;
  font-weight: 600;
  letter-spacing: -0.01em;
}
.period { color: var(--quiet); }
.state {
  display: flex;
  flex: none;
  align-items: center;
  min-height: 2.25em;
  gap: 0.5em;
  font-size: 0.8em;
  font-weight: 600;
}
.status {
  display: inline-flex;
  align-items: center;
  gap: 0.5em;
  color: var(--quiet);
  white-space: nowrap;
}
.status[data-status="live"] { color: var(--accent); }
.status[data-status="offline"] { color: var(--trouble); }
.dot {
  width: 0.625em;
  height: 0.625em;
  border: 0.125em solid currentColor;
  border-radius: 50%;
}
[data-status="live"] .dot {
  background: currentColor;
  animation: breathe 4s ease-in-out infinite;
}
[data-status="offline"] .dot, [data-status="stale"] .dot { background: currentColor; }
[data-status="polling"] .dot, [data-status="readonly"] .dot { border-radius: 0; }
@keyframes breathe { 50% { opacity: 0.3; } }
button {
  min-height: 2.25em;
  padding: 0 0.75em;
  border: 1px solid currentColor;
  border-radius: var(--radius);
  background: transparent;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
button:hover { background: var(--stone); }
button[aria-busy="true"] { opacity: 0.6; }
:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: -2px;
}

.scroller {
  flex: 0 1 auto;
  min-height: 0;
  overflow: hidden auto;
  overflow-anchor: none;
  border-block: 1px solid var(--hairline);
}
.rows {
  --thead: 2.25em;
  display: flex;
  position: relative;
  flex-direction: column;
  min-height: calc(var(--thead) + var(--count, 10) * var(--row));
}
.rows.reader { min-height: calc(var(--thead) + (var(--count, 10) + 1) * var(--row)); }
table {
  width: 100%;
  border-spacing: 0;
  border-collapse: separate;
  table-layout: fixed;
}
th, td {
  padding: 0 var(--gap);
  font-weight: 400;
  text-align: start;
}
thead th {
  position: sticky;
  z-index: 2;
  top: 0;
  height: var(--thead);
  background: var(--ground);
  color: var(--quiet);
}
thead span { font-size: 0.8em; }
tbody tr {
  isolation: isolate;
  position: relative;
  background: var(--ground);
}
.wash {
  position: absolute;
  z-index: -1;
  inset: 0;
  opacity: 0;
  background: color-mix(in oklab, var(--accent) 22%, var(--ground));
  pointer-events: none;
}
.wash[data-way="down"] { background: color-mix(in oklab, var(--trouble) 22%, var(--ground)); }
tbody > tr > * { height: var(--row); }
tbody > tr + tr > * { border-top: 1px solid var(--hairline); }

.c-rank { width: var(--c-rank); }
.c-change { width: var(--c-change); }
.c-coins { width: 6em; }
.c-points { width: calc(var(--score, 7ch) * 1.125 + 0.75em + var(--edge)); }
tr > :first-child { padding-inline-start: var(--edge); }
tr > :last-child { padding-inline-end: var(--edge); }
tr > .coins, tr > .points { text-align: end; }
.rank span { display: block; font-size: 1.5625em; font-weight: 300; letter-spacing: -0.02em; }
thead .rank span { display: inline; font-size: 0.8em; font-weight: 400; letter-spacing: normal; }
.points > span { font-size: 1.125em; font-weight: 500; }
thead .points span { font-size: 0.8em; font-weight: 400; }
.long .points > span { display: inline-block; font-size: 0.9em; line-height: 1.15; text-wrap: balance; }
.coins { color: var(--quiet); }
.change > span { color: var(--quiet); font-size: 0.8em; white-space: nowrap; }
.change[data-change="up"] > span { color: var(--accent); }
.change[data-change="down"] > span { color: var(--trouble); }
.arrow {
  width: 0.78em;
  height: 0.86em;
  margin-inline-end: 0.25em;
  fill: currentColor;
}
.tag, .you {
  flex: none;
  padding: 0.0625em 0.375em;
  border-radius: calc(var(--radius) / 2);
  line-height: 1.2;
}
.change .tag { background: var(--stone); color: var(--ink); }
.you { background: var(--accent); color: var(--ground); }

.person { display: flex; align-items: center; gap: 0.75em; min-width: 0; }
.names { display: grid; flex: 1; min-width: 0; }
.name { overflow: hidden; font-weight: 500; text-overflow: ellipsis; white-space: nowrap; }
.detail {
  display: flex;
  align-items: center;
  gap: 0.375em;
  min-width: 0;
  min-height: 1.4em;
  overflow: hidden;
  color: var(--quiet);
  font-size: 0.8em;
  white-space: nowrap;
}
.badge { display: flex; align-items: center; gap: 0.375em; min-width: 0; overflow: hidden; }
.badge span { overflow: hidden; text-overflow: ellipsis; }
.icon {
  flex: none;
  width: 1.4em;
  height: 1.17em;
  fill: currentColor;
  shape-rendering: crispedges;
}
.avatar {
  position: relative;
  flex: none;
  width: min(2.5em, var(--row) - 0.75em);
  height: min(2.5em, var(--row) - 0.75em);
  overflow: hidden;
  border-radius: var(--radius);
}
.avatar svg, .avatar img { position: absolute; width: 100%; height: 100%; }
.avatar img { opacity: 0; object-fit: cover; }
.avatar img.there { opacity: 1; }
.avatar text { fill: oklch(98% 0.01 85); font-size: 14px; font-weight: 600; }
.first .avatar { outline: 2px solid var(--gold); outline-offset: 2px; }

tr.own { background: var(--own); }
tr.own > :first-child { box-shadow: inset 0.25em 0 var(--accent); }
.me {
  display: grid;
  position: sticky;
  z-index: 2;
  bottom: 0;
  align-items: center;
  height: var(--row);
  margin-top: auto;
  padding: 0 var(--edge);
  border-top: 1px solid var(--hairline);
  background: var(--ground);
}
.me.own { background: var(--own); box-shadow: inset 0.25em 0 var(--accent); }
.me .person {
  display: grid;
  grid-template-columns: calc(var(--c-rank) - var(--edge) + var(--gap)) var(--c-change) auto 1fr;
  gap: 0;
}
.me .avatar { margin-inline-end: 0.75em; }
.me .names > div:first-child { display: flex; align-items: baseline; gap: 0.5em; min-width: 0; }
.me .points { flex: 1; text-align: end; }
.me .points > span { font-size: 1em; }
.me .you { font-size: 0.8em; }
.rest { overflow: hidden; color: var(--quiet); font-size: 0.8em; text-overflow: ellipsis; white-space: nowrap; }

.stone i { display: block; border-radius: var(--radius); background: var(--stone); }
.stone .rank i { width: 1.5em; height: 1.5em; }
.stone .change i { width: 1.5em; height: 0.75em; }
.stone .points i { width: 3.5em; max-width: 100%; height: 0.75em; margin-inline-start: auto; }
.stone .names { gap: 0.5em; }
.stone .names i { width: min(11em, 80%); height: 0.75em; }
.stone .names i + i { width: min(5em, 40%); height: 0.5em; }

.notice {
  position: absolute;
  display: grid;
  align-content: center;
  gap: 0.25em;
  inset: 0;
  padding: 1em var(--edge);
  text-align: center;
  text-wrap: balance;
}
.rows.broken { min-height: 10em; }
.notice p:first-child { font-weight: 600; }
.notice p { overflow-wrap: anywhere; }
.notice p + p { color: var(--quiet); white-space: pre-line; }
.footer {
  flex: none;
  min-height: 2.75em;
  padding: 0.75em var(--edge);
  color: var(--quiet);
  line-height: 1.25em;
}
.footer p { font-size: 0.8em; }
.footer p:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.footer .total:not(:empty) + .updated:not([hidden])::before { content: " · "; }
.problem { color: var(--trouble); }

@container marcador (min-width: 40em) {
  .frame { --edge: 1.5em; --gap: 0.5em; --c-rank: calc(4em + var(--edge)); --c-change: 5em; }
  .label { font-size: 1.5625em; }
}
.coinless .c-coins, .coinless .coins { display: none; }
@container marcador (max-width: 39.99em) {
  .c-coins, .coins, .ahead { display: none; }
}
/* Two lines from the start, so that a longer status moves nothing. */
@container marcador (max-width: 34em) {
  .header { flex-direction: column; align-items: stretch; gap: 0; padding-bottom: 0.375em; }
}
@container marcador (max-width: 30em) {
  .frame { --gap: 0.1875em; --c-rank: calc(2.25em + var(--edge)); --c-change: 3.5em; }
  .rows { --thead: 0em; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .rank span { font-size: 1.25em; }
  .points > span { font-size: 1em; }
  .c-points { width: calc(var(--score, 7ch) + 0.25em + var(--edge)); }
  .long .points > span { font-size: 0.8em; }
  .long .c-points { width: calc(var(--score, 7ch) * 0.8 + 0.25em + var(--edge)); }
  .person { gap: 0.5em; }
  .total:has(+ .updated:not([hidden])) { display: none; }
  .footer .total:not(:empty) + .updated:not([hidden])::before { content: none; }
  .me .change, .me .avatar { display: none; }
  .me .person { grid-template-columns: calc(var(--c-rank) - var(--edge) + var(--gap)) 1fr; }
  .me .rest { line-height: 1.2; text-wrap: balance; white-space: normal; }
}
@container marcador (max-width: 20em) {
  .footer { min-height: 4em; }
  .footer p:first-child { white-space: normal; }
  .frame { --c-rank: calc(1.75em + var(--edge)); --c-change: 3em; }
  tbody .avatar, tbody .badge { display: none; }
  tbody .name { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; white-space: normal; }
  tbody .own .name { -webkit-line-clamp: 1; }
  tbody tr:not(.own) .detail { display: none; }
  .change .tag { padding: 0; background: none; color: var(--quiet); }
}
@media (prefers-reduced-motion: reduce) {
  .dot { animation: none !important; }
}
@media (forced-colors: active) {
  tr.own > * { border-block: 2px solid Highlight; }
  .you, .tag { border: 1px solid; }
}
`;

let sheet = /** @type {CSSStyleSheet | undefined} */ (undefined);

/**
 * One sheet for all elements of the page. Script makes it, since a strict policy forbids inline
 * style.
 */
export function style() {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  return sheet;
}
