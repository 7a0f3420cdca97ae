// The snippets that tutorials begin with run on the demo's page as it prints them, and do what their readers expect.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { Browser } from "./browser.mjs";
import { repository, Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;

/** Whether the lines show one second after the other, at least three of them. */
function ticks(lines) {
  const seconds = lines.map((line) => TIME.exec(line)?.[0]).filter(Boolean).map((time) => Date.parse(time) / 1_000);
  return seconds.length >= 3 && seconds.every((second, at) => at === 0 || second === seconds[at - 1] + 1);
}

/** Whether the lines are the whole story, which its end closes. */
function story(lines) {
  const text = lines.join(" ");
  return /^A message is published once, .* nothing comes twice\.$/.test(text) && !text.includes("DONE");
}

/** Whether every symbol has a price. */
function prices(lines) {
  const shown = lines.join(" ").match(/\b[A-Z]+: \$\d+(\.\d+)?/g) ?? [];
  return new Set(shown.map((price) => price.split(":")[0])).size === 50;
}

/** Whether these lines are shown, in this order and nothing else. */
function lines(...expected) {
  return (shown) => JSON.stringify(shown) === JSON.stringify(expected);
}

// Title, path, and whether the output is as it should be.
const SEEDS = [
  ["Hello Server!", "/socket", lines("Message from server Hello Client!", "Message from server Hello Server!")],
  [
    "All four handlers",
    "/socket",
    lines(
      "[open] Connection established",
      "[message] Data received from server: Hello Client!",
      "[message] Data received from server: My name is John",
      "[close] Connection closed cleanly, code=1000 reason=",
    ),
  ],
  ["A clock at /events", "/events", ticks],
  ["A clock at /eventsource", "/eventsource", (shown) => shown[0] === "Connection to server opened." && ticks(shown)],
  ["A clock at /sse", "/sse", ticks],
  ["Stock prices", "/api/stock-prices", prices],
  ["A slow answer by GET", "/api/chat-stream", story],
  ["A slow answer by POST", "/api/chat-stream", story],
];

const LOOKS = [
  ["phone", { width: 390, height: 780 }, "dark"],
  ["desk", { width: 1000, height: 800 }, "light"],
];

describe("the seeds page of the demo", { timeout: 90_000 }, () => {
  let server;
  let browser;
  let page;
  before(async () => {
    server = await Server.start({ command: "demo" });
    browser = await Browser.start();
    page = await browser.newPage();
    await page.goto(`${server.url}/seeds/`, { timeout: 40_000 });
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
  });

  for (const [title, path, expected] of SEEDS) {
    test(`${title}: ${path}`, async () => {
      const seed = page.locator("section").filter({ has: page.getByRole("heading", { name: title, exact: true }) });
      const printed = await seed.locator("code").textContent();
      assert.ok(printed.includes(path), `${path} is asked for`);
      // What runs is the text beside it, and nothing behind it.
      const runs = await seed.locator("iframe").getAttribute("srcdoc");
      assert.ok(runs.endsWith(printed.startsWith("<") ? printed : `<script>${printed}</script>`), printed);

      const output = seed.frameLocator("iframe").locator("body");
      // Its text as a person sees it, without that of the scripts.
      const read = async () => (await output.innerText()).split("\n").map((line) => line.trim());
      await until(`${title} to show what it should`, deadline(40_000), async () => expected(await read()), read);
    });
  }

  test("a snippet is stopped, and run again from its beginning", async () => {
    const seed = page.locator("section").filter({ hasText: "A clock at /eventsource" });
    const text = () => seed.frameLocator("iframe").locator("body").innerText();
    await seed.getByRole("button", { name: "Stop" }).click();
    await until("the output to be gone", deadline(10_000), async () => (await text()).trim() === "", text);
    await seed.getByRole("button", { name: "Run" }).click();
    const opened = async () => (await text()).startsWith("Connection to server opened.");
    await until("the clock to run again", deadline(10_000), opened, text);
  });

  test("an answer comes word by word", async () => {
    for (const way of ["GET", "POST"]) {
      const seed = page.locator("section").filter({ hasText: `A slow answer by ${way}` });
      const text = () => seed.frameLocator("iframe").locator("body").innerText();
      for (const name of ["Stop", "Run"]) await seed.getByRole("button", { name }).click();
      const begun = async () => /^A message \S+/.test(await text()) && !story([await text()]);
      await until("the answer to begin", deadline(10_000), begun, text);
      await until("the answer to be whole", deadline(20_000), async () => story([await text()]), text);
    }
  });

  test("it looks as it should, and the console is clean", async () => {
    const folder = path.join(repository, "test-output", "demo");
    mkdirSync(folder, { recursive: true });
    for (const [look, size, colorScheme] of LOOKS) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!wide, `nothing sticks out to the side on a ${look}`);
      await page.screenshot({ path: path.join(folder, `seeds-${look}.png`), fullPage: true });
    }
    assert.deepEqual(page.complaints, []);
  });

  test("the start page leads to it", async () => {
    const start = await browser.newPage();
    await start.goto(server.url);
    await start.getByRole("link", { name: "Seeds" }).click();
    await start.waitForURL(`${server.url}/seeds/`);
    assert.equal(await start.title(), "Seeds: the classic snippets");
    assert.deepEqual(start.complaints, []);
  });
});
