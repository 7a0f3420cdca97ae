// Where inside a message a connection is cut: every place at which a careless client or server loses or repeats a
// publication. Each gives the number of bytes of the message that still arrive.

/**
 * Places inside an event-stream block such as `data: …\ndata: …\nid: ~…\n\n`.
 *
 * @type {Record<string, (block: Buffer) => number>}
 */
export const SSE_CUTS = {
  "before its first byte": () => 0,
  "after its first byte": () => 1,
  "inside its first data line": () => 9,
  "after its first data line": (block) => block.indexOf("\n") + 1,
  "inside a character of two bytes": (block) => block.indexOf("\u00e9") + 1,
  "before its id line": idLine,
  "one byte into its id line": (block) => idLine(block) + 1,
  "before the value of its id": (block) => idLine(block) + 4,
  "inside the value of its id": (block) => Math.floor((idLine(block) + block.length) / 2),
  "one byte before the end of its id": (block) => block.length - 3,
  "at the end of its id": (block) => block.length - 2,
  "before its blank line": (block) => block.length - 1,
  "after its last byte": (block) => block.length,
};

/**
 * The one place at which `@microsoft/fetch-event-source` loses a publication: it takes an id as soon as its line has
 * ended, and the message only at the blank line after it.
 */
export const FETCH_EVENT_SOURCE_LOSES = "before its blank line";

/**
 * Places inside a WebSocket frame of a server: two to four bytes of header, then the payload.
 *
 * @type {Record<string, (frame: Buffer) => number>}
 */
export const FRAME_CUTS = {
  "before its first byte": () => 0,
  "inside its header": () => 1,
  "after two bytes": () => 2,
  "one byte into its payload": () => 5,
  "in its middle": (frame) => Math.floor(frame.length / 2),
  "inside a character of two bytes": (frame) => frame.indexOf("\u00e9") + 1,
  "inside its cursor": (frame) => frame.lastIndexOf("~") + 2,
  "before its last byte": (frame) => frame.length - 1,
  "after its last byte": (frame) => frame.length,
};

function idLine(block) {
  return block.indexOf("\nid:") + 1;
}
