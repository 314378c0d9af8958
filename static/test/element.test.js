// @ts-check

import assert from "node:assert/strict";
import { test } from "node:test";
import { homeOf, settings } from "../element/settings.js";
import { MarcadorBoard } from "../element.js";
import { refusal } from "../view/refusal.js";
import { speak } from "../view/words.js";

test("the element can be imported in Node", () => {
  assert.equal(typeof MarcadorBoard, "function");
});

test("attributes are read, and those that can't be followed are named", () => {
  const page = "https://school.example.org/board/";
  /** @param {Record<string, string>} attributes */
  const read = (attributes) =>
    settings((name) => attributes[name] ?? null, "https://points.example.org", page);
  assert.deepEqual(read({}), {
    board: "global",
    period: "all-time",
    rows: 10,
    baseUrl: "https://points.example.org",
    wrong: [],
    broken: false,
  });
  for (const [attributes, wrong] of /** @type {[Record<string, string>, string][]} */ ([
    [{ board: "classroom:7a", period: "weekly", rows: "1000" }, ""],
    [{ board: " school:Ñandú 7 " }, ""],
    [{ board: "" }, ""],
    [{ board: "classroom" }, "board"],
    [{ board: "global:1" }, "board"],
    [{ board: "School:1" }, "board"],
    [{ period: "yearly" }, "period"],
    [{ rows: "0" }, "rows"],
    [{ rows: "1001" }, "rows"],
    [{ rows: "-5" }, "rows"],
    [{ rows: "1e2" }, "rows"],
    [{ src: "ftp://points.example.org" }, "src"],
    [{ src: "https://" }, "src"],
    [{ board: "x", period: "x", rows: "x" }, "board,period,rows"],
    [{ gettoken: "async () => token" }, "getToken"],
  ])) {
    const names = read(attributes).wrong.map(({ name }) => name);
    assert.equal(names.join(), wrong, JSON.stringify(attributes));
    assert.equal(read(attributes).broken, /board|period|src/.test(wrong), wrong);
  }
  assert.equal(read({ rows: "many" }).rows, 10);
  for (const [src, baseUrl] of [
    ["https://other.example.org/marcador/", "https://other.example.org/marcador"],
    ["/", ""],
    ["/points/", "/points"],
    [page, "/board"],
    ["https://school.example.org", ""],
  ]) {
    assert.equal(read({ src }).baseUrl, baseUrl, src);
  }
});

test("the default service is the one that the script came from", () => {
  for (const [module, want] of [
    ["https://points.example.org/marcador/element.js", "https://points.example.org"],
    [
      "https://school.example.org/points/marcador/element.js?v=2",
      "https://school.example.org/points",
    ],
    ["https://points.example.org/static/marcador/element.js", "https://points.example.org"],
    ["https://school.example.org/assets/bundle-1f2e.js", "https://school.example.org"],
    [
      "http://localhost:5173/node_modules/marcador/marcador/element.js?v=1f2e",
      "http://localhost:5173",
    ],
    ["http://localhost:5173/node_modules/marcador/element.js?v=1f2e", "http://localhost:5173"],
    ["file:///home/ana/marcador/element.js", ""],
  ]) {
    assert.equal(homeOf(module), want, module);
  }
});

test("the first known language is used, in the reader's region", () => {
  for (const [wanted, locale] of /** @type {[(string | null)[], string][]} */ ([
    [["en", "es-MX"], "en"],
    [["es", "en-US", "es-MX"], "es-MX"],
    [["fr", null, "en-GB"], "en-GB"],
    [["yua"], "es"],
    [[], "es"],
    [["ES"], "ES"],
  ])) {
    assert.equal(speak(wanted).locale, locale, wanted.join());
  }
  assert.equal(speak(["es-what ever"]).words.points, "Puntos");
  assert.equal(speak(["es-MX"]).figure(12345), "12,345");
  assert.equal(speak(["es-ES"]).nameOf("classroom:7a"), "Grupo 7a");
  assert.equal(speak(["en"]).nameOf("friends:ana"), "Friends");
  assert.equal(speak(["en"]).nameOf("house:jaguar"), "house jaguar");
  assert.match(
    speak(["en"]).ago("2025-11-28T18:30:00.000Z", Date.parse("2025-11-28T18:32:05Z")),
    /^2 min/,
  );
});

test("each reason why a board is not shown comes with what helps", () => {
  const there = "https://points.example.org";
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} baseUrl
   * @param {boolean} givesTokens
   */
  const said = (status, code, baseUrl = there, givesTokens = false) => {
    const voice = speak(["en"]);
    const site = { baseUrl, givesTokens, help: { absent: voice.words.checkAttributes } };
    return refusal({ status, code, message: "" }, voice, site).join(" ");
  };
  // Node has no origin, like a file that was opened without a server.
  assert.match(said(0, "cors"), /A file that was opened without a server/);
  assert.match(said(0, "csp"), /adds https:\/\/points\.example\.org to connect-src/);
  assert.match(said(0, "network"), /could not be read/);
  assert.match(said(503, "busy"), /could not be read/);
  assert.match(said(404, "unknown_board"), /no such leaderboard.*board and src/);
  assert.match(said(422, "invalid_input"), /no such leaderboard/);
  assert.match(said(403, "not_a_member"), /add you to the group/);
  assert.match(said(401, "token_missing"), /getToken/);
  assert.match(said(401, "token_missing", there, true), /Sign in with your account/);
  assert.match(said(401, "token_missing", "/points"), /Sign in with your account/);
  assert.match(said(401, "token_invalid", there, true), /did not accept your session/);
});
