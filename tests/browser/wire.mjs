// Splits what a server sends on one TCP connection into the pieces a client acts upon: response heads, event-stream
// blocks, WebSocket frames. The proxy uses it to cut a connection exactly k bytes into a message, whatever chunked
// framing the server happened to choose. It only watches: it changes no byte and knows nothing about sockets.

/**
 * One piece of the stream.
 *
 * @typedef {object} Piece
 * @property {"head"|"line"|"block"|"frame"|"body"} kind `line` is a comment or `retry:` between two blocks.
 * @property {number} start Where the piece begins, in bytes since the connection began.
 * @property {number} end Where it ends (exclusive), in the same count.
 * @property {Buffer} content What the client gets to see: without chunked framing; a frame with its header.
 * @property {string} text The content as UTF-8; of a frame only the payload.
 * @property {number[]} ends For each byte of `content`, where it ends in the stream.
 */

/** Follows the server's side of one connection; feed it every byte, in order. */
export class ServerStream {
  #position = 0;
  #state = "head";
  #remaining = 0;
  #body = "other";
  #start = 0;
  #content = [];
  #ends = [];
  #sizeLine = "";
  #pieces = [];

  /** Where the first byte that belongs to no finished piece stands. */
  get unfinishedFrom() {
    return this.#start;
  }

  /** What the newest answer is: `websocket`, `event-stream` or `other`. */
  get carries() {
    if (this.#state === "frames") return "websocket";
    return this.#inBody() ? this.#body : "other";
  }

  /**
   * @param {Buffer} bytes
   * @returns {Piece[]} the pieces these bytes completed
   */
  push(bytes) {
    this.#pieces = [];
    for (const byte of bytes) {
      this.#position += 1;
      this.#take(byte);
    }
    if (this.#content.length > 0 && this.#inBody() && this.#body === "other") this.#finish("body");
    return this.#pieces;
  }

  #inBody() {
    return ["length", "chunk-data", "chunk-size", "chunk-end", "until-close"].includes(this.#state);
  }

  #take(byte) {
    switch (this.#state) {
      case "head": return this.#takeHead(byte);
      case "length":
        this.#takeBody(byte);
        this.#remaining -= 1;
        if (this.#remaining === 0) this.#endBody();
        return;
      case "until-close": return this.#takeBody(byte);
      case "chunk-size": return this.#takeChunkSize(byte);
      case "chunk-data":
        this.#takeBody(byte);
        this.#remaining -= 1;
        if (this.#remaining === 0) this.#state = "chunk-end";
        return;
      case "chunk-end":
        if (byte === LF) this.#state = "chunk-size";
        return;
      case "trailer":
        this.#sizeLine += String.fromCharCode(byte);
        if (byte !== LF) return;
        if (this.#sizeLine.trim() === "") this.#endBody();
        this.#sizeLine = "";
        return;
      case "frames": return this.#takeFrame(byte);
      default: throw new Error(`the proxy's reader is in no state it knows: ${this.#state}`);
    }
  }

  #append(byte) {
    this.#content.push(byte);
    this.#ends.push(this.#position);
  }

  #finish(kind) {
    const content = Buffer.from(this.#content);
    const text = kind === "frame" ? content.subarray(frameHeaderBytes(content)).toString() : content.toString();
    this.#pieces.push({ kind, start: this.#start, end: this.#position, content, text, ends: this.#ends });
    this.#start = this.#position;
    this.#content = [];
    this.#ends = [];
  }

  #takeHead(byte) {
    this.#append(byte);
    const length = this.#content.length;
    if (byte !== LF || length < 4 || this.#content[length - 3] !== LF) return;
    this.#finish("head");
    const head = this.#pieces.at(-1).text.toLowerCase();
    const status = Number(head.split(" ")[1]);
    const contentLength = /^content-length: *(\d+)/m.exec(head);
    this.#body = /^content-type: *text\/event-stream/m.test(head) ? "event-stream" : "other";
    if (status === 101) {
      this.#state = "frames";
    } else if (status < 200 || status === 204 || status === 304) {
      this.#state = "head";
    } else if (/^transfer-encoding: *chunked/m.test(head)) {
      this.#state = "chunk-size";
    } else if (contentLength !== null) {
      this.#remaining = Number(contentLength[1]);
      this.#state = this.#remaining === 0 ? "head" : "length";
    } else {
      this.#state = "until-close";
    }
  }

  #takeChunkSize(byte) {
    this.#sizeLine += String.fromCharCode(byte);
    if (byte !== LF) return;
    this.#remaining = Number.parseInt(this.#sizeLine, 16);
    this.#sizeLine = "";
    this.#state = this.#remaining === 0 ? "trailer" : "chunk-data";
  }

  #endBody() {
    if (this.#content.length > 0) this.#finish("body");
    this.#start = this.#position;
    this.#state = "head";
  }

  #takeBody(byte) {
    this.#append(byte);
    if (this.#body === "other" || byte !== LF) return;
    const length = this.#content.length;
    if (length >= 2 && this.#content[length - 2] === LF) {
      this.#finish("block");
    } else if (this.#content.indexOf(LF) === length - 1) {
      const line = Buffer.from(this.#content).toString();
      if (line.startsWith(":") || line.startsWith("retry:")) this.#finish("line");
    }
  }

  #takeFrame(byte) {
    this.#append(byte);
    const header = frameHeaderBytes(this.#content);
    if (this.#content.length < header) return;
    if (this.#content.length === header + framePayloadBytes(this.#content)) this.#finish("frame");
  }
}

/** Bytes of a server's frame before its payload (RFC 6455, section 5.2; servers do not mask). */
function frameHeaderBytes(bytes) {
  if (bytes.length < 2) return 2;
  const short = bytes[1] & 0x7f;
  if (short === 127) return 10;
  return short === 126 ? 4 : 2;
}

function framePayloadBytes(bytes) {
  const header = frameHeaderBytes(bytes);
  if (header === 2) return bytes[1] & 0x7f;
  let length = 0;
  for (const byte of bytes.slice(2, header)) length = length * 256 + byte;
  return length;
}

const LF = 0x0a;
