// Compression as others understand it: Chromium, which negotiates by itself, npm `ws`, whose offers can be chosen, and
// Node's own gunzip.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createGunzip } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Browser, PageReader } from "./browser.mjs";
import { TOGETHER } from "./cutting.mjs";
import { surviveCuts } from "./scenario.mjs";
import { Server } from "./server.mjs";
import { deadline, until, within } from "./waiting.mjs";

const SETTINGS = { FANFARE_COMPRESSION__WEBSOCKET: "true", FANFARE_COMPRESSION__STREAMS: "true" };

/** The answer to an offer that says nothing of the server's window. */
const AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** What becomes of a line end in each form. */
const NEWLINE = { "": "\ndata: ", "&as=ndjson": "\\n", "&as=envelope": "\\n", "&as=raw": "\n" };

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

  const deflated = () => server.figure('fanfare_compression_before_bytes_total{coding="deflate"}');

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
      const before = await deflated();
      await server.publish(channel, prose(30_000));
      const all = [...said, prose(30_000)];
      await until("all messages", deadline(20_000), () => messages.length === all.length);
      assert.deepEqual(messages.map(String).sort(), all.map(String).sort());
      if (agreed) assert.ok((await deflated()) > before, "it was deflated");
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

describe("streams that are compressed", TOGETHER, () => {
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

  for (const [coding, accepts] of [["zstd", null], ["gzip", "gzip"]]) {
    test(`an EventSource in Chromium reads ${coding}, each event as it comes`, TOGETHER, async () => {
      const page = await browser.newReaderPage();
      // By itself it accepts both.
      if (accepts) await page.setExtraHTTPHeaders({ "accept-encoding": accepts });
      const answered = page.waitForResponse((answer) => answer.url().includes("/c/"));
      await page.evaluate((url) => {
        window.heard = [];
        window.source = new EventSource(url);
        window.source.onmessage = ({ data }) => window.heard.push(data);
        window.source.addEventListener("fanfare.end", () => window.heard.push("the end"));
        return new Promise((resolve) => window.source.addEventListener("fanfare.open", resolve));
      }, `${server.url}/c/chromium-${coding},other-${coding}`);
      assert.equal((await answered).headers()["content-encoding"], coding);
      for (const bytes of [1, 100, 1_000, 50_000]) {
        const text = prose(bytes);
        await server.publish(`chromium-${coding}`, text);
        const heard = page.waitForFunction((text) => window.heard.at(-1) === text, text);
        await within("the event, with nothing behind it", deadline(10_000), heard);
      }
      await server.publish(`other-${coding}`, prose(700));
      await page.waitForFunction(() => window.heard.length === 5);
    });

    for (const way of ["fin", "reset", "silence"]) {
      test(`an EventSource that reads ${coding} comes back after a cut by ${way}`, TOGETHER, () =>
        surviveCuts({
          server: {
            port: server.port,
            publish: (channel, text) => server.publish(channel, `${text}\n${prose(600)}`),
          },
          name: `compressed-${coding}`,
          startReader: async (options) => {
            const page = await browser.newReaderPage();
            if (accepts) await page.setExtraHTTPHeaders({ "accept-encoding": accepts });
            const reader = await PageReader.start(page, "event-source", options);
            reader.stop = () => page.context().close();
            return reader;
          },
          connections: 1,
          promised: "exactly-once",
          way,
        }));
    }
  }

  for (const form of ["", "&as=ndjson", "&as=envelope", "&as=raw"]) {
    test(`Node's gunzip reads ${form || "events"} as they come, and a valid end`, TOGETHER, async () => {
      const channel = `gunzip${form.replaceAll(/[^a-z]/g, "")}`;
      await server.publish(channel, `first ${prose(900)}`);
      const request = http.get(`${server.url}/c/${channel}?since=all${form}`, {
        headers: { "accept-encoding": "gzip" },
      });
      const [answer] = await once(request, "response");
      assert.equal(answer.headers["content-encoding"], "gzip");
      const gunzip = answer.pipe(createGunzip());
      let text = "";
      gunzip.setEncoding("utf8");
      gunzip.on("data", (part) => (text += part));
      const ended = once(gunzip, "end");
      const has = (words) => until(`${words} to arrive`, deadline(10_000), () => text.includes(words), () => text);
      await has("first line 0");
      for (const [number, bytes] of [5, 200, 5_000, 200_000].entries()) {
        await server.publish(channel, `number ${number} ${prose(bytes)}`);
        await has(`number ${number} ${prose(bytes).replaceAll("\n", NEWLINE[form])}`);
      }
      await fetch(`${server.url}/c/${channel}?end=1`, { method: "POST", body: "last" });
      // Checksum and length stand at the end: if they were wrong, there would be an error in its place.
      await ended;
      assert.ok(text.includes("last"));
    });
  }
});
