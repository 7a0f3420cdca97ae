// The pages that the server itself gives to a browser: `/`, and a channel's URL opened as a page. They are the first
// thing many people see of Fanfare, so they show messages as they come and the console stays clean.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";
import { Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

describe("opened in a browser", { timeout: 55_000 }, () => {
  let server;
  let browser;
  before(async () => {
    server = await Server.start();
    browser = await Browser.start();
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
  });

  for (const path of ["/", "/c/news"]) {
    test(`${path} shows messages live, without an error in the console`, async () => {
      const page = await browser.newPage();
      const answer = await page.goto(server.url + path);
      assert.equal(answer.status(), 200);
      assert.match(answer.headers()["content-type"], /^text\/html/);

      // The pages do not tell a test when they listen, so the first message is repeated until one shows.
      const shows = async (text) => (await page.locator("body").innerText()).includes(text);
      let tries = 0;
      await until("the page to show a message", deadline(20_000), async () => {
        if (tries % 20 === 0) await server.publish("news", `is anyone there, ${path}?`);
        tries += 1;
        return shows(`is anyone there, ${path}?`);
      });
      for (const text of [`live on ${path}`, `<b>not markup</b> on ${path}`]) {
        await server.publish("news", text);
        await until(`the page to show ${text}`, deadline(5_000), () => shows(text));
      }
      assert.deepEqual(page.complaints, []);
    });
  }

  test("no page asks for an icon that is missing", async () => {
    for (const path of ["/", "/c/news"]) {
      const page = await browser.newPage();
      await page.goto(server.url + path);
      const icon = await page.evaluate(() => document.querySelector("link[rel~=icon]")?.href ?? "/favicon.ico");
      const found = await page.evaluate((icon) => fetch(icon).then(({ status }) => status), icon);
      assert.ok(found < 400, `the icon of ${path} is answered ${found}`);
    }
  });
});
