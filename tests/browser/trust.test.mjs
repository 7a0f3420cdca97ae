// What a real browser makes of credentials: pages of other origins gain nothing by the cookie that it adds, a page sees
// why its token failed, and a cookie carries an EventSource through the expiry of a token.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Browser } from "./browser.mjs";
import { Server, binary } from "./server.mjs";
import { deadline, until, within } from "./waiting.mjs";

const SECRET = { FANFARE_ISSUERS__APP__SECRET: "tell-nobody: a secret of 32 bytes at least" };

/** A token of ada's for the channels of the chat. */
function token(lives) {
  const rights = ["--subscribe", "chat:*", "--publish", "chat:*", "--history", "chat:*"];
  const { FANFARE_BIN: _, ...others } = process.env;
  const made = execFileSync(binary(), ["token", "new", "--sub", "ada", "--expires-in", lives, ...rights], {
    env: { ...others, ...SECRET },
  });
  return made.toString().trim();
}

/** A web server of one empty page. */
async function site() {
  const server = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html>"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** What a page can do to a channel with nothing but its cookie, each as a word. */
function attempts(url) {
  const settled = (promise) => promise.then((value) => String(value), (error) => error.name ?? "refused");
  const fetched = (path, options) =>
    settled(fetch(`${url}${path}`, { credentials: "include", ...options }).then((answer) => answer.status));
  const socket = () =>
    new Promise((resolve) => {
      const opened = new WebSocket(`${url.replace("http", "ws")}/c/chat:a`);
      opened.onopen = () => (resolve("open"), opened.close());
      opened.onclose = (event) => resolve(`closed ${event.code}`);
    });
  const stream = () =>
    new Promise((resolve) => {
      const source = new EventSource(`${url}/c/chat:a`, { withCredentials: true });
      source.onopen = () => (resolve("open"), source.close());
      source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? "refused for good" : "comes back");
    });
  return Promise.all([
    fetched("/c/chat:a", { method: "POST", body: "x" }),
    fetched("/c/chat:a", { method: "POST", body: "x", mode: "no-cors" }).then(() => "sent, unread"),
    fetched("/c/chat:a/history"),
    fetched("/c/chat:b", { method: "DELETE" }),
    socket(),
    stream(),
  ]);
}

describe("a browser with a token in its cookie", () => {
  let server;
  let browser;
  let foreign;
  let allowed;
  before(async () => {
    [foreign, allowed] = await Promise.all([site(), site()]);
    server = await Server.start({
      command: "serve",
      settings: {
        ...SECRET,
        FANFARE_ISSUERS__APP__LEEWAY: "0s",
        FANFARE_AUTH__COOKIE: "sid",
        FANFARE_AUTH__EXPIRY_NOTICE: "1s",
        FANFARE_AUTH__EXPIRY_GRACE: "1s",
        FANFARE_ORIGINS: allowed.origin,
      },
    });
    browser = await Browser.start();
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
    foreign?.server.close();
    allowed?.server.close();
  });

  const pageOf = async (origin, cookie) => {
    const page = await browser.newPage();
    // Cookies know hosts and no ports: the browser adds this one for pages of every port.
    await page.context().addCookies([{ name: "sid", value: cookie, url: server.url }]);
    await page.goto(`${origin}/`);
    return page;
  };
  const heads = async () => {
    const answer = await fetch(`${server.url}/c/chat:a/history`, { headers: { authorization: `Bearer ${token("1m")}` } });
    return (await answer.json()).publications.length;
  };

  test("pages of other origins neither read nor publish", async () => {
    const page = await pageOf(foreign.origin, token("1h"));
    const seen = await within("the attempts", deadline(20_000), page.evaluate(attempts, server.url));
    assert.deepEqual(seen, ["TypeError", "sent, unread", "TypeError", "TypeError", "closed 1006", "refused for good"]);
    assert.equal(await heads(), 0, "nothing was published");
    await page.context().close();
  });

  test("pages of an origin that is allowed do both", async () => {
    const page = await pageOf(allowed.origin, token("1h"));
    const seen = await within("the attempts", deadline(20_000), page.evaluate(attempts, server.url));
    // What the token does not grant is refused all the same.
    assert.deepEqual(seen, ["200", "sent, unread", "200", "403", "open", "open"]);
    assert.equal(await heads(), 2);
    await page.context().close();
  });

  test("a page sees why its token failed", async () => {
    const page = await browser.newPage();
    await page.goto(`${server.url}/health`);
    const spent = token("1s");
    await until("the token to expire", deadline(10_000), async () => {
      const answer = await fetch(`${server.url}/c/chat:a/history`, { headers: { authorization: `Bearer ${spent}` } });
      return answer.status === 401;
    });
    const closed = await within(
      "the close",
      deadline(10_000),
      page.evaluate(
        (spent) =>
          new Promise((resolve) => {
            const socket = new WebSocket(`ws://${location.host}/c/chat:a`, ["fanfare.v1", `bearer.${spent}`]);
            socket.onclose = (event) => resolve([event.code, event.reason]);
          }),
        spent,
      ),
    );
    assert.equal(closed[0], 4001);
    assert.match(closed[1], /expired/);
    assert.ok(!closed[1].includes(spent.slice(0, 20)), "the reason holds no token");
    await page.context().close();
  });

  test("a new cookie carries an EventSource through the expiry of the old one", async () => {
    const page = await pageOf(`${server.url}/health`, token("3s"));
    await page.evaluate(() => {
      window.heard = [];
      window.told = [];
      window.opened = 0;
      window.source = new EventSource("/c/chat:e");
      source.onopen = () => (window.opened += 1);
      source.onmessage = (event) => heard.push(event.data);
      for (const name of ["fanfare.expiring", "fanfare.gap"]) {
        source.addEventListener(name, () => told.push(name));
      }
    });
    await until("the notice", deadline(10_000), () => page.evaluate(() => told.includes("fanfare.expiring")));
    await page.context().addCookies([{ name: "sid", value: token("1h"), url: server.url }]);
    const publish = (text) =>
      fetch(`${server.url}/c/chat:e`, {
        method: "POST",
        headers: { authorization: `Bearer ${token("1m")}` },
        body: text,
      });
    let sent = 0;
    await until("the stream to come back", deadline(20_000), async () => {
      await publish(`number ${sent++}`);
      // Not more than history keeps while it is away.
      await setTimeout(150);
      return page.evaluate(() => window.opened === 2);
    });
    await publish("last");
    await until("the last message", deadline(10_000), () => page.evaluate(() => heard.includes("last")));
    const heard = await page.evaluate(() => window.heard);
    assert.deepEqual(heard, [...Array.from({ length: sent }, (_, number) => `number ${number}`), "last"]);
    assert.deepEqual(await page.evaluate(() => told), ["fanfare.expiring"]);
    await page.context().close();
  });
});
