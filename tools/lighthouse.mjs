// Lets Lighthouse check pages of this machine, and prints one line of JSON for each page:
//   node tools/lighthouse.mjs mobile|desktop CATEGORY,… URL…
//   {"url","device","scores":{"accessibility":100,…},"costs":["audit: words",…],"metrics":{…}}
// Chromium is $CHROMIUM, or else /usr/bin/chromium. It can reach no other host.
// @ts-check

import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";
import desktop from "lighthouse/core/config/desktop-config.js";

const [device, categories, ...urls] = process.argv.slice(2);
if (urls.length === 0 || (device !== "mobile" && device !== "desktop")) {
  console.error("usage: node tools/lighthouse.mjs mobile|desktop CATEGORY,… URL…");
  process.exit(2);
}
const METRICS = [
  "first-contentful-paint",
  "largest-contentful-paint",
  "total-blocking-time",
  "cumulative-layout-shift",
  "speed-index",
];

const chrome = await launch({
  chromePath: process.env.CHROMIUM || "/usr/bin/chromium",
  chromeFlags: [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
  logLevel: "silent",
});
try {
  for (const url of urls) {
    const result = await lighthouse(
      url,
      { port: chrome.port, onlyCategories: categories.split(","), logLevel: "silent" },
      device === "desktop" ? desktop : undefined,
    );
    if (result === undefined) throw new Error(`${url}: Lighthouse says nothing`);
    const { lhr } = result;
    if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`);
    /** @type {Record<string, number>} */
    const scores = {};
    /** @type {string[]} */
    const costs = [];
    for (const category of Object.values(lhr.categories)) {
      scores[category.id] = Math.round((category.score ?? 0) * 100);
      for (const { id, weight } of category.auditRefs) {
        const { score, title, displayValue } = lhr.audits[id];
        if (weight > 0 && score !== null && score < 0.995) {
          costs.push(`${category.id}: ${id}: ${title}${displayValue ? ` (${displayValue})` : ""}`);
        }
      }
    }
    /** @type {Record<string, number>} */
    const metrics = {};
    for (const id of METRICS) {
      const value = lhr.audits[id]?.numericValue;
      if (value !== undefined) metrics[id] = value;
    }
    console.log(JSON.stringify({ url, device, scores, costs, metrics }));
  }
} finally {
  chrome.kill();
}
