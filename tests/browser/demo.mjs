// The pages of `fanfare demo` as people have them: each in a tab of its own, through a proxy that a test can make worse.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { Browser } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";
import { repository, Server } from "./server.mjs";

/** A running demo, a browser, and what was opened in it. */
export class Demo {
  server;
  #browser;
  #proxies = [];

  static async start() {
    const demo = new Demo();
    demo.server = await Server.start({ command: "demo" });
    try {
      demo.#browser = await Browser.start();
    } catch (error) {
      await demo.server.kill();
      throw error;
    }
    return demo;
  }

  /** A proxy in front of the demo. */
  async proxy() {
    const proxy = await Proxy.start(this.server.port);
    this.#proxies.push(proxy);
    return proxy;
  }

  /**
   * A tab with one of the pages, and `page.proxy` between it and the demo.
   *
   * @param {string} name what comes behind the slash, as `chat/?room=garden`
   * @param {object} [options]
   * @param {Proxy} [options.proxy] one that other pages have too, and so the same origin
   * @param {import("playwright-core").Page} [options.beside] a page whose profile is shared
   * @param {Record<string, string>} [options.stored] what `localStorage` has at first
   */
  async open(name, { proxy, beside, stored = {} } = {}) {
    const page = await this.#browser.newPage(beside?.context());
    page.proxy = proxy ?? (await this.proxy());
    await page.addInitScript((stored) => {
      for (const [key, value] of Object.entries(stored)) localStorage[key] ??= value;
    }, stored);
    await page.goto(`http://${page.proxy.host}/${name}`);
    return page;
  }

  /** Publishes JSON straight to the demo, as curl would. */
  async publish(channel, value, query = {}) {
    const url = `${this.server.url}/c/${encodeURIComponent(channel)}?${new URLSearchParams(query)}`;
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value),
      signal: AbortSignal.timeout(10_000),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  async stop() {
    await this.#browser.stop();
    for (const proxy of this.#proxies) await proxy.stop();
    await this.server.stop();
  }
}

/** Keeps how a page looks: on a desk by day, and on a phone by night. */
export async function keepPicture(page, name) {
  const folder = path.join(repository, "test-output", "demo");
  mkdirSync(folder, { recursive: true });
  for (const [look, size, colorScheme] of LOOKS) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(folder, `${name}-${look}.png`) });
  }
}

/** Nothing has gone wrong in a page: neither in its scripts nor, if nobody was in its way, on the network. */
export function assertNoComplaints(page, network = "undisturbed") {
  const complaints = page.complaints.filter((text) => network === "undisturbed" || !OF_THE_NETWORK.test(text));
  assert.deepEqual(complaints, []);
}

/** What Chromium itself says of a connection that failed. */
const OF_THE_NETWORK = /^(WebSocket connection to '[^']*' failed|Failed to load resource: net::ERR_)/;
const LOOKS = [
  ["phone", { width: 390, height: 780 }, "dark"],
  ["desk", { width: 1000, height: 800 }, "light"],
];
