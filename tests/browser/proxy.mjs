// A TCP proxy that stands between a client and the server and breaks their connections on command: by FIN, by reset,
// by silence, and exactly k bytes into a message; or that lets some through and not others, as real ones do: it refuses
// WebSockets, it buffers event streams. Everything a test wants to know about what happened is counted.

import net from "node:net";
import { once } from "node:events";
import { ServerStream } from "./wire.mjs";

/**
 * One proxy on its own free loopback port. A test gives each client its own, since browsers open at most six
 * HTTP/1.1 connections to one host and port.
 */
export class Proxy {
  /** Port of the server behind; may be changed at any time and then holds for new connections. */
  targetPort;
  /** What happened so far. */
  counts = {
    accepted: 0,
    refused: 0,
    unanswered: 0,
    fin: 0,
    reset: 0,
    silenced: 0,
    inside: 0,
    upgradesRefused: 0,
    streamsBuffered: 0,
    bytesDown: 0,
  };
  #listener;
  #links = new Set();
  #silenced = new Set();
  #newcomers = "forward";
  #upgrades = "forward";
  #eventStreams = "forward";
  #armed = null;

  /** @param {number} targetPort */
  static async start(targetPort) {
    const proxy = new Proxy();
    proxy.targetPort = targetPort;
    proxy.#listener = net.createServer({ allowHalfOpen: true }, (socket) => proxy.#accept(socket));
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get port() {
    return this.#listener.address().port;
  }

  /** `127.0.0.1:port`, to be put after a scheme. */
  get host() {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that are being forwarded now. */
  get open() {
    return this.#links.size;
  }

  /**
   * What to do with connections still to come.
   *
   * @param {"forward"|"refuse"|"silence"} what `refuse` resets them, `silence` accepts and never answers.
   */
  newcomers(what) {
    this.#newcomers = what;
  }

  /**
   * What to do with requests for a WebSocket that are still to come. Those that are open stay; {@link cut} ends them.
   *
   * @param {"forward"|"refuse"} what `refuse` answers 403, as a proxy does that knows nothing of them.
   */
  upgrades(what) {
    this.#upgrades = what;
  }

  /**
   * What to do with event streams, those that are open included.
   *
   * @param {"forward"|"buffer"} what `buffer` holds them back whole, head and all, as a proxy does that waits for the
   *   end of an answer. What was held back goes on when it is `forward` again.
   */
  eventStreams(what) {
    this.#eventStreams = what;
    if (what === "forward") for (const link of this.#links) link.forward(link.received);
  }

  /**
   * Cuts every connection that is being forwarded, now.
   *
   * @param {"fin"|"reset"|"silence"} way `silence` keeps both sockets open and forwards nothing any more.
   * @param {"everything"|"websocket"|"event-stream"} what only those that carry this
   * @returns {number} how many were cut
   */
  cut(way, what = "everything") {
    const links = [...this.#links].filter((link) => what === "everything" || link.carries === what);
    for (const link of links) this.#cutLink(link, way);
    return links.length;
  }

  /**
   * Cuts the first connection that is about to deliver a message containing `mark`, inside that message.
   *
   * @param {object} where
   * @param {string} where.mark what the message must contain
   * @param {(content: Buffer) => number} where.at how many of its bytes to let through
   * @param {"fin"|"reset"} where.way
   * @returns {Promise<{content: Buffer, forwarded: number}>} when it has happened
   */
  cutInside(where) {
    if (this.#armed !== null) throw new Error("the proxy waits for another message already");
    return new Promise((resolve) => {
      this.#armed = { ...where, resolve };
    });
  }

  /** Ends every connection and stops listening. */
  async stop() {
    for (const socket of this.#silenced) socket.destroy();
    for (const link of this.#links) link.destroy();
    this.#links.clear();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #accept(client) {
    client.on("error", () => client.destroy());
    if (this.#newcomers === "refuse") {
      this.counts.refused += 1;
      client.resetAndDestroy();
      return;
    }
    if (this.#newcomers === "silence") {
      this.counts.unanswered += 1;
      client.pause();
      this.#silenced.add(client);
      return;
    }
    this.counts.accepted += 1;
    const link = new Link(client, this.targetPort, {
      receive: (link, bytes) => this.#receive(link, bytes),
      mayUpgrade: () => this.#upgrades === "forward",
    });
    this.#links.add(link);
    link.onGone = () => this.#links.delete(link);
    link.onRefused = () => (this.counts.upgradesRefused += 1);
  }

  #receive(link, bytes) {
    const pieces = link.hold(bytes);
    const before = link.forwarded;
    if (this.#eventStreams === "buffer" && link.carries === "event-stream") {
      this.counts.streamsBuffered += link.isBuffered ? 0 : 1;
      link.isBuffered = true;
    } else if (this.#armed === null) {
      link.forward(link.received);
    } else {
      const found = pieces.find(({ kind, text }) =>
        (kind === "block" || kind === "frame") && text.includes(this.#armed.mark));
      if (found === undefined) link.forward(link.unfinishedFrom);
      else this.#cutInsidePiece(link, found);
    }
    this.counts.bytesDown += link.forwarded - before;
  }

  #cutInsidePiece(link, piece) {
    const { at, way, resolve } = this.#armed;
    this.#armed = null;
    const forwarded = Math.max(0, Math.min(at(piece.content), piece.content.length));
    link.forward(forwarded === 0 ? piece.start : piece.ends[forwarded - 1]);
    this.#cutLink(link, way);
    this.counts.inside += 1;
    resolve({ content: piece.content, forwarded });
  }

  #cutLink(link, way) {
    this.#links.delete(link);
    if (way === "fin") {
      this.counts.fin += 1;
      link.end();
    } else if (way === "reset") {
      this.counts.reset += 1;
      link.reset();
    } else {
      this.counts.silenced += 1;
      for (const socket of link.silence()) this.#silenced.add(socket);
    }
  }
}

/** A client's connection and the one made for it to the server. */
class Link {
  /** Bytes received from the server, and bytes of them sent on to the client. */
  received = 0;
  forwarded = 0;
  onGone = () => {};
  onRefused = () => {};
  isBuffered = false;
  #client;
  #server;
  #stream = new ServerStream();
  #held = Buffer.alloc(0);
  #state = "forwarding";
  #mayUpgrade;
  /** What the client has sent of its first request, until its head is whole. */
  #asked = Buffer.alloc(0);

  constructor(client, port, { receive, mayUpgrade }) {
    this.#client = client;
    this.#mayUpgrade = mayUpgrade;
    this.#server = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    client.on("data", (bytes) => this.#state === "forwarding" && this.#ask(bytes));
    this.#server.on("data", (bytes) => this.#state === "forwarding" && receive(this, bytes));
    client.on("end", () => this.#state === "forwarding" && this.#server.end());
    this.#server.on("end", () => this.#state === "forwarding" && this.#client.end());
    // A connection that broke on one side breaks on the other; one that ended may still have bytes to deliver.
    client.on("close", (hadError) => this.#gone(hadError, this.#server));
    this.#server.on("close", (hadError) => this.#gone(hadError, client));
    client.on("error", () => {});
    this.#server.on("error", () => {});
  }

  get unfinishedFrom() {
    return this.#stream.unfinishedFrom;
  }

  /** What the server answers on this connection now: `websocket`, `event-stream` or `other`. */
  get carries() {
    return this.#stream.carries;
  }

  /** Takes bytes from the server without sending them on; returns the pieces they complete. */
  hold(bytes) {
    this.received += bytes.length;
    this.#held = Buffer.concat([this.#held, bytes]);
    return this.#stream.push(bytes);
  }

  /** Sends on everything up to this position of the stream that has not gone yet. */
  forward(position) {
    const count = position - this.forwarded;
    if (count <= 0) return;
    this.#client.write(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    this.forwarded = position;
  }

  end() {
    this.#state = "cut";
    this.#client.end();
    this.#client.resume();
    this.#server.destroy();
  }

  reset() {
    this.#state = "cut";
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  silence() {
    this.#state = "cut";
    this.#client.pause();
    this.#server.pause();
    return [this.#client, this.#server];
  }

  destroy() {
    this.#state = "cut";
    this.#client.destroy();
    this.#server.destroy();
  }

  /** A browser asks for a WebSocket on a connection of its own, so only the first request can be one. */
  #ask(bytes) {
    if (this.#asked === null) {
      this.#server.write(bytes);
      return;
    }
    this.#asked = Buffer.concat([this.#asked, bytes]);
    if (this.#mayUpgrade()) {
      this.#passOn();
      return;
    }
    const end = this.#asked.indexOf("\r\n\r\n");
    if (end < 0) return;
    const isUpgrade = /^upgrade: *websocket/im.test(this.#asked.subarray(0, end).toString());
    if (!isUpgrade) {
      this.#passOn();
      return;
    }
    this.#state = "cut";
    this.#server.destroy();
    this.#client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    this.onRefused();
    this.onGone();
  }

  #passOn() {
    this.#server.write(this.#asked);
    this.#asked = null;
  }

  #gone(hadError, other) {
    if (this.#state === "cut") return;
    if (hadError) other.resetAndDestroy();
    this.onGone();
  }
}
