// @ts-check

import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, home } from "../client/options.js";
import { normal } from "../client/topics.js";
import { connect } from "../marcador.js";

/** @type {[unknown, RegExp][]} */
const wrong = [
  [null, /an object of options/],
  ["global", /an object of options/],
  [{ board: 42 }, /^board is 42; give .*"school:42"/],
  [{ board: "" }, /^board is ""/],
  [{ period: "yearly" }, /^period is "yearly"; give one of all-time, daily, weekly, monthly/],
  [{ rows: 0 }, /^rows is 0; give a whole number from 1 to 1000/],
  [{ rows: 1001 }, /^rows is 1001/],
  [{ rows: "10" }, /^rows is "10"/],
  [{ rows: 2.5 }, /^rows is 2\.5/],
  [{ getToken: "ey.J.x" }, /^getToken is "ey\.J\.x"; give a function/],
  [{ shared: "no" }, /^shared is "no"; give true or false/],
  [{ baseUrl: 7 }, /^baseUrl is 7/],
  [{ baseUrl: "https://a.example/?x=1" }, /has a query .*"https:\/\/scores\.example"/],
  [{ baseUrl: "https://a.example/#x" }, /^baseUrl/],
  [{ baseUrl: "a.example" }, /no address of http/],
  [{ baseUrl: "javascript:alert(1)" }, /no address of http/],
  [{ baseUrl: "//a.example" }, /no address of http/],
  [{ baseUrl: "https://" }, /no address of http/],
];
for (const [options, message] of wrong) {
  test(`${JSON.stringify(options)} is refused`, () => {
    const given = /** @type {any} */ (options);
    assert.throws(() => connect(given), { name: "TypeError", message });
  });
}

test("defaults, and addresses with slashes at the end", () => {
  const nothing = { board: "global", period: "all-time", rows: null, shared: true };
  assert.deepEqual(complete({}), { ...nothing, getToken: undefined, baseUrl: "" });
  assert.equal(complete({ baseUrl: "https://a.example/m/" }).baseUrl, "https://a.example/m");
  assert.equal(complete({ baseUrl: "/m" }).baseUrl, "/m");
  assert.equal(complete({ baseUrl: "http://127.0.0.1:8080" }).baseUrl, "http://127.0.0.1:8080");
});

test("a board is asked for as it is named, and known by the service's spelling", () => {
  for (const [board, known] of [
    [" classroom: 7a\u00a0", "classroom:7a"],
    ["friends:Jose\u0301", "friends:José"],
    ["school: a:b ", "school:a:b"],
    ["school:\u00857a", "school:7a"],
    ["global", "global"],
  ]) {
    assert.equal(complete({ board }).board, board);
    assert.equal(normal(board), known);
  }
  assert.throws(() => complete({ board: " \u00a0" }), /^TypeError: board is only white space/);
});

test("a module knows the service that it came from, also under a path", () => {
  for (const [module, want] of /** @type {[string | undefined, string | null][]} */ ([
    ["https://points.example.org/marcador/options.js", "https://points.example.org"],
    ["https://points.example.org/marcador/client/options.js", "https://points.example.org"],
    ["https://a.example/points/marcador/client/options.js?v=2", "https://a.example/points"],
    ["https://a.example/points/marcador/options.js?v=2", "https://a.example/points"],
    ["https://a.example/marcador/marcador/options.js", "https://a.example/marcador"],
    ["https://a.example/static/marcador/options.js", "https://a.example"],
    ["https://a.example/assets/index-1f2e.js", null],
    ["http://localhost:5173/node_modules/.vite/deps/marcador/options.js", null],
    ["http://localhost:5173/node_modules/marcador/client/options.js", null],
    ["file:///srv/marcador/options.js", null],
    [undefined, null], // in a bundle that is no module
  ])) {
    const found = home(module);
    assert.equal(found && found.origin + found.path, want, module);
  }
});
