// @ts-check

/**
 * An event of a stream. `id` is the last id that the stream has named up to this event.
 * @typedef {{ type: string, data: string, id: string }} StreamEvent
 */

/** The longest unfinished event, in characters. `feed` throws if one is longer. */
const MAX_PENDING = 16 * 1024 * 1024;

/**
 * Parses `text/event-stream` as the HTML standard says: CR, LF or CRLF ends a line, an empty line
 * ends an event, and bytes may be cut anywhere, also inside a character. `retry:` is ignored, since
 * each event that ends a stream says itself when to come back. A parser reads one stream. An event
 * that is unfinished when the stream ends is dropped, and so is its id.
 */
export class EventParser {
  /** The id to send as `Last-Event-ID`. It changes only when an event is complete. */
  lastEventId = "";

  #decoder = new TextDecoder("utf-8");
  #onEvent;
  #line = "";
  #afterCR = false;
  #type = "";
  #data = /** @type {string[]} */ ([]);
  #id = "";
  #pending = 0;

  /** @param {(event: StreamEvent) => void} onEvent called while `feed` runs, in order */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /**
   * Takes the next bytes. Throws a RangeError if an event is longer than 16 million characters.
   * @param {Uint8Array} bytes
   */
  feed(bytes) {
    // The decoder drops a leading byte order mark, and waits for the rest of a cut character.
    const text = this.#decoder.decode(bytes, { stream: true });
    let start = 0;
    if (this.#afterCR && text !== "") {
      this.#afterCR = false;
      if (text[0] === "\n") start = 1;
    }
    const ends = /\r\n|\n|\r/g;
    ends.lastIndex = start;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      const line = this.#line + text.slice(start, end.index);
      this.#line = "";
      start = ends.lastIndex;
      // A CR at the end of the text may be the first half of a CRLF.
      this.#afterCR = end[0] === "\r" && start === text.length;
      this.#read(line);
    }
    this.#line += text.slice(start);
    if (this.#pending + this.#line.length > MAX_PENDING) throw new RangeError("event too large");
  }

  /** @param {string} line */
  #read(line) {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value[0] === " ") value = value.slice(1);
    if (field === "data") {
      this.#data.push(value);
      this.#pending += value.length + 1;
    } else if (field === "event") {
      this.#type = value;
    } else if (field === "id") {
      if (!value.includes("\0")) this.#id = value;
    }
  }

  #dispatch() {
    const [type, data] = [this.#type, this.#data];
    this.#type = "";
    this.#data = [];
    this.#pending = 0;
    this.lastEventId = this.#id;
    if (data.length === 0) return;
    this.#onEvent({ type: type || "message", data: data.join("\n"), id: this.lastEventId });
  }
}
