// Compression as others understand it: Chromium, which negotiates by itself, and npm `ws`, whose offers can be chosen.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Browser, PageReader } from "./browser.mjs";
import { TOGETHER } from "./cutting.mjs";
import { surviveCuts } from "./scenario.mjs";
import { Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const SETTINGS = { FANFARE_COMPRESSION__WEBSOCKET: "true" };

/** The answer to an offer that says nothing of the server's window. */
const AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** A text that can be made a good deal smaller, and is no bomb. */
function prose(bytes) {
  let text = "";
  for (let line = 0; text.length < bytes; line += 1) text += `line ${line} of a message that repeats itself somewhat\n`;
  return text.slice(0, bytes);
}

describe("WebSockets with permessage-deflate", TOGETHER, () => {
  let server;
  let browser;
  before(async () => {
    server = await Server.start({ settings: SETTINGS });
    browser = await Browser.start();
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
  });

  const compressed = async () => [
    await server.figure('fanfare_compression_before_bytes_total{coding="deflate"}'),
    await server.figure('fanfare_compression_after_bytes_total{coding="deflate"}'),
  ];

  test("Chromium agrees, reads what is deflated and deflates what it sends", TOGETHER, async () => {
    const page = await browser.newReaderPage();
    const inflated = await server.figure("fanfare_inflation_after_bytes_total");
    const heard = await page.evaluate(
      async ([url, text]) => {
        const socket = new WebSocket(url);
        await new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onerror = () => reject(new Error("not opened"));
        });
        const messages = [];
        const all = new Promise((resolve, reject) => {
          socket.onmessage = ({ data }) => messages.push(data) === 3 && resolve();
          socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
        });
        for (const said of [text, "short", text]) socket.send(said);
        await all;
        socket.onclose = null;
        socket.close();
        return { extensions: socket.extensions, messages };
      },
      [`ws://127.0.0.1:${server.port}/c/chromium`, prose(20_000)],
    );
    assert.equal(heard.extensions, AGREED);
    assert.deepEqual(heard.messages, [prose(20_000), "short", prose(20_000)]);
    assert.ok((await server.figure("fanfare_inflation_after_bytes_total")) >= inflated + 40_000);
  });

  for (const way of ["fin", "reset", "silence"]) {
    test(`a page that speaks fanfare.v1 comes back after a cut by ${way}`, TOGETHER, () =>
      surviveCuts({
        // So long that every message is deflated.
        server: {
          port: server.port,
          publish: (channel, text) => server.publish(channel, `${text}\n${prose(600)}`),
        },
        name: "websocket",
        startReader: (options) => PageReader.startAlone(browser, "websocket", options),
        connections: 1,
        promised: "exactly-once",
        way,
      }));
  }

  const OFFERS = [
    ["as usual", {}, true],
    ["without context takeover", { serverNoContextTakeover: true, clientNoContextTakeover: true }, true],
    ["with a small window of its own", { clientMaxWindowBits: 9 }, true],
    ["naming the largest window", { serverMaxWindowBits: 15 }, true],
    ["demanding a small window", { serverMaxWindowBits: 10 }, false],
    ["nothing", false, false],
  ];
  for (const [offering, perMessageDeflate, agreed] of OFFERS) {
    test(`ws, offering ${offering}, ${agreed ? "agrees" : "goes on without"}`, TOGETHER, async () => {
      const channel = `ws-${offering.replaceAll(" ", "-")}`;
      const options = perMessageDeflate && { threshold: 0, ...perMessageDeflate };
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/c/${channel}`, { perMessageDeflate: options });
      const messages = [];
      socket.on("message", (data, isBinary) => messages.push(isBinary ? data : data.toString()));
      await once(socket, "open");
      assert.equal(socket.extensions, agreed ? "permessage-deflate" : "");
      const said = ["a", prose(300), prose(100_000), Buffer.from(prose(5_000)), ""];
      for (const message of said) socket.send(message);
      const [before] = await compressed();
      await server.publish(channel, prose(30_000));
      const all = [...said, prose(30_000)];
      await until("all messages", deadline(20_000), () => messages.length === all.length);
      assert.deepEqual(messages.map(String).sort(), all.map(String).sort());
      if (agreed) assert.ok((await compressed())[0] > before, "it was deflated");
      socket.close();
      await once(socket, "close");
    });
  }

  test("a client that breaks the rules is told which", TOGETHER, async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/c/rules`);
    await once(socket, "open");
    socket.send("0".repeat(1_000_000));
    const [code, reason] = await once(socket, "close");
    assert.equal(code, 1009, "a million equal characters are a bomb");
    assert.match(reason.toString(), /more than 200 times its length/);
  });
});
