// Real Chromium with the pages of these tests, served from an origin of their own: what a user's page is to Fanfare.

import { readFileSync } from "node:fs";
import http from "node:http";
import { once } from "node:events";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { deadline, within } from "./waiting.mjs";

/** Chromium and the little web server that its pages come from. */
export class Browser {
  #chromium;
  #site;
  #pages = new Map();
  #bundle;

  /**
   * @param {string[]} flags more command-line flags for Chromium
   */
  static async start(flags = []) {
    const browser = new Browser();
    browser.#chromium = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [...FLAGS, ...flags],
      timeout: 30_000,
    });
    browser.#site = http.createServer((request, answer) => browser.#serve(request, answer));
    browser.#site.listen(0, "127.0.0.1");
    await once(browser.#site, "listening");
    return browser;
  }

  /** Where its pages come from, `http://127.0.0.1:port`. */
  get origin() {
    return `http://127.0.0.1:${this.#site.address().port}`;
  }

  /**
   * Serves a page, script or other text at this path.
   *
   * @param {string} path
   * @param {{type: string, text: string}} content
   */
  publish(path, content) {
    this.#pages.set(path, content);
  }

  /**
   * A new tab; `complaints` collects what its console and its scripts report.
   *
   * @param {import("playwright-core").BrowserContext} [profile] an empty one of its own if none is given
   */
  async newPage(profile) {
    const context = profile ?? (await this.#chromium.newContext());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.complaints = [];
    page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    return page;
  }

  /** A tab in which {@link PageReader} can start readers. */
  async newReaderPage() {
    const read = (name) => readFileSync(new URL(`page/${name}`, import.meta.url), "utf8");
    this.publish("/", { type: "text/html", text: read("index.html") });
    this.publish("/readers.js", { type: "text/javascript", text: read("readers.js") });
    this.#bundle ??= bundleFetchEventSource();
    this.publish("/fetch-event-source.js", { type: "text/javascript", text: await this.#bundle });
    const page = await this.newPage();
    await page.goto(this.origin);
    await page.waitForFunction(() => window.ready === true);
    return page;
  }

  async stop() {
    await this.#chromium.close();
    this.#site.closeAllConnections();
    this.#site.close();
  }

  #serve(request, answer) {
    const page = this.#pages.get(new URL(request.url, this.origin).pathname);
    if (page === undefined) {
      answer.writeHead(404).end();
    } else {
      answer.writeHead(200, { "content-type": `${page.type}; charset=utf-8` }).end(page.text);
    }
  }
}

/** A reader of `page/readers.js` that runs in a tab. */
export class PageReader {
  #page;
  #number;

  static async start(page, kind, options) {
    const reader = new PageReader();
    reader.#page = page;
    reader.#number = await page.evaluate(([kind, options]) => window.startReader(kind, options), [kind, options]);
    return reader;
  }

  /** The same in a tab of its own, which ends with it; Chromium slows a tab's WebSockets when some have failed. */
  static async startAlone(browser, kind, options) {
    const page = await browser.newReaderPage();
    const reader = await PageReader.start(page, kind, options);
    reader.stop = () => page.context().close();
    return reader;
  }

  /** Its report at this moment. */
  look() {
    const report = this.#page.evaluate((number) => window.look(number), this.#number);
    return within("the page to answer", deadline(10_000), report);
  }

  async stop() {
    await this.#page.evaluate((number) => window.stopReader(number), this.#number);
  }
}

async function bundleFetchEventSource() {
  const { outputFiles } = await build({
    stdin: {
      contents: 'export { fetchEventSource } from "@microsoft/fetch-event-source";',
      resolveDir: new URL(".", import.meta.url).pathname,
    },
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0].text;
}

// Nothing may leave the machine, and root needs --no-sandbox. The shared memory of a small container is not enough
// for Chromium, which then uses files.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--no-proxy-server",
];
