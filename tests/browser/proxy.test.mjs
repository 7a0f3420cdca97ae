// The proxy itself: if it did not cut exactly where it says, the other tests would show less than they claim.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { SSE_CUTS } from "./cut-points.mjs";
import { Proxy } from "./proxy.mjs";
import { payload } from "./scenario.mjs";
import { deadline, until, within } from "./waiting.mjs";
import { ServerStream } from "./wire.mjs";

const BLOCK = `data: ${payload("red", 7).replaceAll("\n", "\ndata: ")}\nid: ~1abcdef-12-x\n\n`;
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("the proxy", { concurrency: true, timeout: 20_000 }, () => {
  for (const [place, at] of Object.entries(SSE_CUTS)) {
    test(`cuts an event stream ${place}, wherever its chunks end`, async () => {
      const block = Buffer.from(BLOCK);
      for (const chunkBytes of [1, 10, block.length]) {
        const before = `retry: 1\n: hello\n${BLOCK.replace(" 7 ", " 6 ")}`;
        const stream = Buffer.concat([Buffer.from(HEAD), chunked(before, 1_000), chunked(BLOCK, chunkBytes)]);
        const bytes = await throughCut(stream, { mark: "red 7 of", at, way: "fin" });
        const cutBlock = unchunked(bytes).subarray(Buffer.byteLength(before));
        assert.deepEqual(cutBlock, block.subarray(0, at(block)));
      }
    });
  }

  test("cuts a WebSocket frame at the byte it is told", async () => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const text = Buffer.from(`{"data":"${"x".repeat(200)} red 7 of"}`);
    const frame = Buffer.concat([Buffer.from([0x81, 126, 0, text.length]), text]);
    for (const k of [0, 1, 3, 4, 100, frame.length]) {
      const stream = Buffer.concat([Buffer.from(head), Buffer.from([0x81, 2, 104, 105]), frame]);
      const bytes = await throughCut(stream, { mark: "red 7 of", at: () => k, way: "fin" });
      assert.equal(bytes.length, head.length + 4 + k);
    }
  });

  test("breaks connections by FIN and by reset, and counts them", async () => {
    for (const [way, seen] of [["fin", "end"], ["reset", "ECONNRESET"]]) {
      await withProxy(async (proxy, _, connect) => {
        const client = await connect();
        const how = new Promise((resolve) => {
          client.once("end", () => resolve("end"));
          client.once("error", ({ code }) => resolve(code));
        });
        assert.equal(proxy.cut(way), 1);
        assert.equal(await within(seen, deadline(5_000), how), seen);
        assert.equal(proxy.counts[way], 1);
        assert.equal(proxy.open, 0);
      });
    }
  });

  test("falls silent both ways, keeps the sockets, and serves newcomers as told", async () => {
    await withProxy(async (proxy, server, connect) => {
      const silent = await connect();
      proxy.cut("silence");
      const heard = [];
      for (const event of ["data", "end", "error", "close"]) silent.on(event, () => heard.push(event));
      server.sockets[0].write("never to arrive");
      silent.write("never to arrive");
      // A newcomer's round trip through the same loop is what shows that the old connection was left out.
      const other = await connect();
      other.write("ping");
      await until("the echo", deadline(5_000), () => server.received === "ping");
      assert.deepEqual(heard, []);
      proxy.newcomers("refuse");
      const refused = net.connect(proxy.port, "127.0.0.1");
      const [error] = await within("a reset", deadline(5_000), once(refused, "error"));
      assert.equal(error.code, "ECONNRESET");
      assert.deepEqual([proxy.counts.silenced, proxy.counts.refused], [1, 1]);
    });
  });

  test("refuses WebSockets alone, and cuts them alone", async () => {
    await withProxy(async (proxy, server, connect) => {
      const upgrade = "GET /c/x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
      const [open, refused, other] = [await connect(), await connect(), await connect()];
      open.write(upgrade);
      await until("the first upgrade", deadline(5_000), () => server.received === upgrade);
      server.sockets[0].write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      assert.match(await heard(open), / 101 /);

      proxy.upgrades("refuse");
      refused.write(upgrade.slice(0, 50));
      refused.write(upgrade.slice(50));
      assert.match(await heard(refused), / 403 /);
      other.write("GET / HTTP/1.1\r\n\r\n");
      await until("the request", deadline(5_000), () => server.received === `${upgrade}GET / HTTP/1.1\r\n\r\n`);

      const cut = once(open, "error");
      assert.equal(proxy.cut("reset", "websocket"), 1);
      assert.equal((await within("the cut", deadline(5_000), cut))[0].code, "ECONNRESET");
      server.sockets[2].write("HTTP/1.1 204 No Content\r\n\r\n");
      assert.match(await heard(other), / 204 /);
      assert.deepEqual([proxy.counts.upgradesRefused, proxy.counts.reset], [1, 1]);
    });
  });

  test("holds event streams back, those that are open too, until it is told to let them go", async () => {
    await withProxy(async (proxy, server, connect) => {
      const [early, late, other] = [await connect(), await connect(), await connect()];
      const received = { early: "", late: "" };
      early.on("data", (bytes) => (received.early += bytes));
      late.on("data", (bytes) => (received.late += bytes));
      server.sockets[0].write(HEAD);
      await until("the first head", deadline(5_000), () => received.early === HEAD);

      proxy.eventStreams("buffer");
      server.sockets[0].write(chunked(BLOCK, 1_000));
      server.sockets[1].write(HEAD);
      await until("both to be held", deadline(5_000), () => proxy.counts.streamsBuffered === 2);
      server.sockets[2].write("HTTP/1.1 204 No Content\r\n\r\n");
      assert.match(await heard(other), / 204 /);
      assert.deepEqual(received, { early: HEAD, late: "" });

      proxy.eventStreams("forward");
      await until("what was held", deadline(5_000), () => received.early.length > HEAD.length && received.late === HEAD);
    });
  });

  test("tells pieces apart on a kept-alive connection", () => {
    const stream = new ServerStream();
    const short = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\n\n\n\nHTTP/1.1 204 No Content\r\n\r\n";
    const answers = Buffer.concat([Buffer.from(short + HEAD), chunked("event: a\ndata: b\n\n", 3)]);
    const kinds = stream.push(answers).map(({ kind }) => kind);
    assert.deepEqual(kinds, ["head", "body", "head", "head", "block"]);
  });
});

/** What a client receives next. */
async function heard(client) {
  const [bytes] = await within("an answer", deadline(5_000), once(client, "data"));
  return String(bytes);
}

/** Sends `stream` from a server through a proxy armed with `where`; gives what the client received. */
async function throughCut(stream, where) {
  const received = [];
  await withProxy(async (proxy, server, connect) => {
    const client = await connect();
    client.on("data", (bytes) => received.push(bytes));
    const ended = once(client, "end");
    const cut = proxy.cutInside(where);
    server.sockets[0].write(stream);
    await within("the cut", deadline(5_000), Promise.all([cut, ended]));
  });
  return Buffer.concat(received);
}

async function withProxy(body) {
  const server = { sockets: [], received: "" };
  const listener = net.createServer((socket) => {
    server.sockets.push(socket);
    socket.on("data", (bytes) => (server.received += bytes));
    socket.on("error", () => socket.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const proxy = await Proxy.start(listener.address().port);
  const clients = [];
  const connect = async () => {
    const client = net.connect(proxy.port, "127.0.0.1");
    client.on("error", () => client.destroy());
    clients.push(client);
    const before = server.sockets.length;
    await until("the connection to reach the server", deadline(5_000), () => server.sockets.length > before);
    return client;
  };
  try {
    await body(proxy, server, connect);
  } finally {
    for (const socket of [...clients, ...server.sockets]) socket.destroy();
    await proxy.stop();
    listener.close();
  }
}

function chunked(text, bytesEach) {
  const bytes = Buffer.from(text);
  const chunks = [];
  for (let from = 0; from < bytes.length; from += bytesEach) {
    const chunk = bytes.subarray(from, from + bytesEach);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat(chunks);
}

/** The content of a chunked body that may end anywhere. */
function unchunked(bytes) {
  const content = [];
  let rest = bytes.subarray(bytes.indexOf("\r\n\r\n") + 4);
  while (rest.length > 0) {
    const line = rest.indexOf("\r\n");
    if (line < 0) break;
    const length = Number.parseInt(rest.subarray(0, line).toString(), 16);
    content.push(rest.subarray(line + 2, line + 2 + length));
    rest = rest.subarray(line + 2 + length + 2);
  }
  return Buffer.concat(content);
}
