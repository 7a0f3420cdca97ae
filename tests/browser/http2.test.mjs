// Real Chromium over HTTPS: one connection of HTTP/2 carries forty event streams of one page beside its fetches and
// a WebSocket, where HTTP/1.1 stalls at the seventh.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Browser } from "./browser.mjs";
import { Certificate } from "./certificate.mjs";
import { Server, freePort } from "./server.mjs";
import { deadline, until, within } from "./waiting.mjs";

const STREAMS = 40;

/** What a browser opens to one origin over HTTP/1.1. */
const CONNECTIONS_OF_HTTP1 = 6;

describe("many streams of one page", () => {
  let certificate;
  let server;
  let browser;
  let secure;
  before(async () => {
    certificate = new Certificate();
    const port = await freePort();
    secure = `https://127.0.0.1:${port}`;
    server = await Server.start({
      settings: {
        FANFARE_TLS__LISTEN: `127.0.0.1:${port}`,
        FANFARE_TLS__CERTIFICATE: certificate.chain,
        FANFARE_TLS__KEY: certificate.key,
      },
    });
    browser = await Browser.start([certificate.flag]);
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
    certificate?.remove();
  });

  /** A page of this origin, with so many EventSources, each of a channel of its own and of `news`. */
  const open = async (origin, streams) => {
    const page = await browser.newPage();
    await page.goto(`${origin}/health`);
    await page.evaluate((streams) => {
      window.sources = Array.from({ length: streams }, (_, number) => {
        const source = new EventSource(`/c/news,n${number}`);
        source.heard = [];
        source.onmessage = (event) => source.heard.push(event.data);
        return source;
      });
    }, streams);
    return page;
  };
  const opened = (page) => page.evaluate(() => sources.filter((source) => source.readyState === 1).length);
  const heard = (page, text) =>
    page.evaluate((text) => sources.filter((source) => source.heard.includes(text)).length, text);

  test("forty EventSources share one connection of HTTP/2 with fetches", async () => {
    const page = await open(secure, STREAMS);
    await until("all streams to be open", deadline(20_000), async () => (await opened(page)) === STREAMS);
    const answer = await within(
      "a fetch beside them",
      deadline(10_000),
      page.evaluate(async () => {
        const posted = await fetch("/c/news", { method: "POST", body: "to all" });
        const history = await fetch("/c/news/history");
        const protocols = performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol);
        return { posted: posted.status, history: await history.json(), protocols };
      }),
    );
    assert.equal(answer.posted, 200);
    assert.equal(answer.history.publications[0].data, "to all");
    assert.ok(answer.protocols.length > 0 && answer.protocols.every((protocol) => protocol === "h2"), answer.protocols);
    await until("all to hear", deadline(20_000), async () => (await heard(page, "to all")) === STREAMS);
    assert.equal(await server.figure("fanfare_http2_connections"), 1);
    assert.equal(await server.figure('fanfare_connections{transport="sse"}'), STREAMS);

    const echoed = await within(
      "a WebSocket beside them",
      deadline(10_000),
      page.evaluate(
        () =>
          new Promise((resolve, reject) => {
            window.socket = new WebSocket(`wss://${location.host}/c/talk`);
            socket.onopen = () => socket.send("over the same connection");
            socket.onmessage = (event) => resolve(event.data);
            socket.onclose = (event) => reject(new Error(`closed with ${event.code} ${event.reason}`));
          }),
      ),
    );
    assert.equal(echoed, "over the same connection");
    // Chromium takes its connection of HTTP/2 for WebSockets too (RFC 8441).
    assert.equal(await server.figure("fanfare_http2_streams"), STREAMS + 1);
    assert.equal(await server.figure("fanfare_http2_connections"), 1);
    await page.context().close();
    await until("the connection to end", deadline(10_000), async () => {
      return (await server.figure("fanfare_http2_connections")) === 0;
    });
  });

  test("over HTTP/1.1 the seventh stalls until another one ends", async () => {
    const page = await open(server.url, CONNECTIONS_OF_HTTP1 + 1);
    await until("six streams", deadline(20_000), async () => (await opened(page)) === CONNECTIONS_OF_HTTP1);
    const late = page.evaluate(async () => (await fetch("/ready")).status);
    // Nobody is told of what does not happen: that the fetch waits is seen by its answer coming when there is room.
    const first = await Promise.race([late, new Promise((resolve) => setTimeout(resolve, 2_000, "nothing"))]);
    assert.equal(first, "nothing", "a seventh request was answered");
    assert.equal(await opened(page), CONNECTIONS_OF_HTTP1);
    await page.evaluate(() => sources.slice(0, 2).forEach((source) => source.close()));
    assert.equal(await within("the fetch that waited", deadline(10_000), late), 200);
    await until("the seventh stream", deadline(10_000), () =>
      page.evaluate((last) => sources[last].readyState === 1, CONNECTIONS_OF_HTTP1),
    );
    await page.context().close();
  });

  test("a drain aborts the streams, and they come back by themselves", async () => {
    const port = await freePort();
    const settings = {
      FANFARE_TLS__LISTEN: `127.0.0.1:${port}`,
      FANFARE_TLS__CERTIFICATE: certificate.chain,
      FANFARE_TLS__KEY: certificate.key,
      FANFARE_DRAIN__WINDOW: "1s",
      FANFARE_DRAIN__RETRY_MIN: "1s",
      FANFARE_DRAIN__RETRY_MAX: "2s",
    };
    const first = await Server.start({ settings });
    let second;
    try {
      const page = await open(`https://127.0.0.1:${port}`, 5);
      await until("all streams to be open", deadline(20_000), async () => (await opened(page)) === 5);
      await first.drain();
      const states = await page.evaluate(() => sources.map((source) => source.readyState));
      assert.ok(states.every((state) => state !== 2), `one has given up: ${states}`);
      second = await Server.start({ settings });
      await until("all to be back", deadline(20_000), async () => (await opened(page)) === 5);
      await second.publish("news", "after the drain");
      await until("all to hear", deadline(20_000), async () => (await heard(page, "after the drain")) === 5);
      await page.context().close();
    } finally {
      await first.stop();
      await second?.stop();
    }
  });
});
