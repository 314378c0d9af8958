// @ts-check

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser } from "../client/sse.js";

const encoder = new TextEncoder();

/** @param {Iterable<Uint8Array>} chunks */
function parse(chunks) {
  /** @type {import("../client/sse.js").StreamEvent[]} */
  const events = [];
  const parser = new EventParser((event) => events.push(event));
  for (const chunk of chunks) parser.feed(chunk);
  return { events, id: parser.lastEventId };
}

/** @param {string} text */
const whole = (text) => parse([encoder.encode(text)]);

for (const [name, end] of [
  ["LF", "\n"],
  ["CR", "\r"],
  ["CRLF", "\r\n"],
]) {
  test(`lines end in ${name}, and bytes are cut anywhere`, () => {
    const lines = [
      "\uFEFF: a comment",
      "event: leaderboard:updated",
      "id: e-1",
      "data: Juan Pérez",
      "data:🦜 K'uk'ulkan",
      "",
      "retry: 1500",
      "data",
      "data:  two spaces",
      "",
      "event:ping",
      "data:{}",
      "",
      "",
    ];
    const bytes = encoder.encode(lines.join(end));
    const want = {
      events: [
        { type: "leaderboard:updated", data: "Juan Pérez\n🦜 K'uk'ulkan", id: "e-1" },
        { type: "message", data: "\n two spaces", id: "e-1" },
        { type: "ping", data: "{}", id: "e-1" },
      ],
      id: "e-1",
    };
    assert.deepEqual(parse([bytes]), want);
    assert.deepEqual(parse(Array.from(bytes, (byte) => Uint8Array.of(byte))), want);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), want, `cut at ${cut}`);
    }
  });
}

test("an unfinished event is dropped with its id", () => {
  assert.deepEqual(whole("id: e-1\ndata: a\n\nid: e-2\ndata: b\n"), {
    events: [{ type: "message", data: "a", id: "e-1" }],
    id: "e-1",
  });
});

test("an event without a data line is dropped, and the next one does not get its type", () => {
  const { events, id } = whole("event: ping\nid: e-3\n\ndata: a\n\n");
  assert.deepEqual(events, [{ type: "message", data: "a", id: "e-3" }]);
  assert.equal(id, "e-3");
});

test("a data line without a value is an event with empty data", () => {
  assert.deepEqual(whole("event: ping\ndata:\n\n").events, [{ type: "ping", data: "", id: "" }]);
});

test("an id with NUL and unknown fields are ignored", () => {
  const { events } = whole("id: a\0b\nretry: 1500\nfoo: bar\n:\ndata: x\n\n");
  assert.deepEqual(events, [{ type: "message", data: "x", id: "" }]);
});

test("an empty id clears the last one", () => {
  assert.equal(whole("id: e-1\ndata: a\n\nid\ndata: b\n\n").id, "");
});

test("an event of more than 16 million characters is refused", () => {
  const parser = new EventParser(() => {});
  const chunk = encoder.encode("x".repeat(1024 * 1024));
  assert.throws(() => {
    for (let i = 0; i < 32; i++) parser.feed(chunk);
  }, RangeError);
});
