// Drives a browser for tests, through WebDriver BiDi:
//   node tools/browser.mjs firefox|chromium PATH '{"pref":value}'
// It takes commands as lines of JSON, one at a time, and answers each with one line:
//   {"do":"open","url":"http://…","before":"script to run first"} → {"value":0}, the page's number
//   {"do":"eval","page":0,"script":"expression or promise"}       → {"value":…}
//   {"do":"show","page":0}, {"do":"close","page":0}               → {"value":null}
// An answer to a command that failed is {"error":"…"}. The preferences are Firefox's. The browser
// closes when the input ends.
// @ts-check

import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [name, executablePath, preferences = "{}"] = process.argv.slice(2);
if (executablePath === undefined || (name !== "firefox" && name !== "chromium")) {
  console.error("usage: node tools/browser.mjs firefox|chromium PATH [PREFERENCES]");
  process.exit(2);
}
/** A name of this machine that no browser takes for a secure origin. */
const PLAIN = "school.example";
const browser = await puppeteer.launch({
  browser: name === "firefox" ? "firefox" : "chrome",
  executablePath,
  headless: true,
  args: name === "firefox" ? [] : ["--no-sandbox", `--host-resolver-rules=MAP ${PLAIN} 127.0.0.1`],
  extraPrefsFirefox: {
    "network.dns.localDomains": PLAIN,
    "dom.security.https_first": false,
    ...JSON.parse(preferences),
  },
});
/** @type {import("puppeteer-core").Page[]} */
const pages = [];

/** @param {{ do: string, page: number, url: string, before?: string, script: string }} command */
async function obey(command) {
  if (command.do === "open") {
    const page = await browser.newPage();
    if (command.before) await page.evaluateOnNewDocument(command.before);
    await page.goto(command.url, { waitUntil: "domcontentloaded" });
    return pages.push(page) - 1;
  }
  const page = pages[command.page];
  if (command.do === "eval") return page.evaluate(command.script);
  if (command.do === "show") await page.bringToFront();
  else if (command.do === "close") await page.close();
  else throw new Error(`there is no command ${command.do}`);
  return null;
}

try {
  console.log(JSON.stringify({ value: await browser.version() }));
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify({ value: (await obey(JSON.parse(line))) ?? null }));
    } catch (cause) {
      console.log(JSON.stringify({ error: String(cause) }));
    }
  }
} finally {
  await browser.close();
}
