// The echo and the clock of docs/echo-and-clock.md run as printed: the first programs a newcomer copies must work.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";
import { chromiumFlags, codeBlock, Shell } from "./documents.mjs";
import { Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const DOCUMENT = "docs/echo-and-clock.md";

describe(DOCUMENT, { timeout: 55_000 }, () => {
  let server;
  let browser;
  let shell;
  before(async () => {
    server = await Server.start();
    shell = new Shell(server.port);
    browser = await Browser.start(chromiumFlags(server.port));
  });
  after(async () => {
    shell?.stop();
    await browser?.stop();
    await server?.stop();
  });

  test("the echo: what one page sends, every page and the shell have", async () => {
    const listener = shell.start(codeBlock(DOCUMENT, "sh", "echo-listen"));
    await until("the listener", deadline(10_000), () => listener.output.includes("fanfare.open"), () => listener);
    browser.publish("/echo.html", { type: "text/html", text: codeBlock(DOCUMENT, "html", "echo.html") });
    const [mine, theirs] = await Promise.all([openPage("/echo.html"), openPage("/echo.html")]);
    await mine.getByRole("textbox").fill("Hello, echo");
    await mine.getByRole("button").click();
    for (const page of [mine, theirs]) await page.getByText("Hello, echo", { exact: true }).waitFor();
    await until("the shell to hear the page", deadline(10_000), () => listener.output.includes("data: Hello, echo\n"));

    const command = codeBlock(DOCUMENT, "sh", "echo-send");
    await shell.run(command);
    const sent = /-d '([^']+)'/.exec(command)[1];
    for (const page of [mine, theirs]) {
      await page.getByText(sent, { exact: true }).waitFor();
      assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["Hello, echo", sent]);
      assert.deepEqual(page.complaints, []);
    }
  });

  test("the clock: the page shows a time, and then the next", async () => {
    shell.start(codeBlock(DOCUMENT, "sh", "clock.sh"));
    browser.publish("/clock.html", { type: "text/html", text: codeBlock(DOCUMENT, "html", "clock.html") });
    const page = await openPage("/clock.html");
    const times = new Set();
    await until(
      "three different times",
      deadline(15_000),
      async () => {
        const text = await page.locator("time").textContent();
        if (/\d\d:\d\d:\d\d/.test(text)) times.add(text);
        return times.size >= 3;
      },
      () => [...times],
    );
    assert.deepEqual(page.complaints, []);
  });

  async function openPage(path) {
    const page = await browser.newPage();
    // The printed echo does not say when its socket is open; a person's hands are slower than that, a test's are not.
    await page.addInitScript(() => {
      window.sockets = [];
      window.WebSocket = class extends WebSocket {
        constructor(...given) {
          super(...given);
          window.sockets.push(this);
        }
      };
    });
    await page.goto(browser.origin + path);
    await page.waitForFunction(() => window.sockets.every((socket) => socket.readyState === WebSocket.OPEN));
    return page;
  }
});
