// The ticker, the news and the progress of `fanfare demo`, each in two tabs: what a stranger sees first, and copies.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { assertNoComplaints, Demo, keepPicture } from "./demo.mjs";
import { binary, repository } from "./server.mjs";
import { deadline, until, within } from "./waiting.mjs";

describe("fanfare demo", { concurrency: 2, timeout: 110_000 }, () => {
  let demo;
  before(async () => {
    demo = await Demo.start();
  });
  after(() => demo?.stop());

  test("the start page leads to every page, and none of them complains", async () => {
    const page = await demo.open("");
    await keepPicture(page, "start");
    const cards = await page.locator("a.card").evaluateAll((links) => links.map(({ href }) => href));
    assert.ok(cards.length >= 5, `${cards}`);
    for (const card of cards) {
      await page.goto(card);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    assertNoComplaints(page);
    await page.close();
  });

  test("ticker: the newest of each symbol a few times a second, and a chart that moves", async () => {
    const pages = [await demo.open("ticker/"), await demo.open("ticker/")];
    for (const page of pages) {
      await page.locator("tbody tr").nth(49).waitFor();
      const line = () => page.locator("polyline").getAttribute("points");
      const price = () => page.locator("tbody td:nth-child(2)").first().textContent();
      const [lineBefore, priceBefore] = [await line(), await price()];
      await until("the chart to move", deadline(10_000), async () => (await line()) !== lineBefore);
      await until("a price to change", deadline(10_000), async () => (await price()) !== priceBefore);
      await until("an arrow each way", deadline(10_000), async () => {
        const arrows = await page.locator("tbody td:nth-child(4)").allTextContents();
        return arrows.includes("▲") && arrows.includes("▼");
      });
    }
    const [page] = pages;
    await page.getByRole("button", { name: "OAK", exact: true }).press("Enter");
    await page.getByText(/^OAK, the last minute: from \d+\.\d\d to \d+\.\d\d, now \d+\.\d\d$/).waitFor();
    await conflated(page, 5);
    await keepPicture(page, "ticker");
    await page.getByLabel("At most so often a second").selectOption("1");
    await conflated(page, 1);
    for (const page of pages) {
      assertNoComplaints(page);
      await page.close();
    }
  });

  test("news: unread is what came after the cursor, across cuts, tabs and visits", async () => {
    const one = await demo.open("news/");
    const other = await demo.open("news/", { proxy: one.proxy, beside: one });
    await demo.publish("news", { section: "Test", title: "First of all" }, { event: "news" });
    await Promise.all([shows(one, "First of all"), shows(other, "First of all")]);
    assert.match(await one.title(), /^\(\d+\) News$/);
    await keepPicture(one, "news-unread");

    // Read in one tab is read in the other.
    await one.getByRole("button", { name: "Mark all as read" }).click();
    await until("the other tab to know", deadline(5_000), async () => !(await isUnread(other, "First of all")));

    // Both are cut, and come back by themselves.
    await one.proxy.newcomers("refuse");
    assert.ok(one.proxy.cut("reset", "event-stream") >= 2, "both pages listen");
    await one.getByText("Reconnecting.").waitFor();
    await demo.publish("news", { section: "Test", title: "While both were cut off" }, { event: "news" });
    one.proxy.newcomers("forward");
    for (const page of [one, other]) {
      await shows(page, "While both were cut off");
      await page.getByText("Live.").waitFor();
      assert.equal(await items(page, "First of all").count(), 1, "nothing comes twice");
      assert.ok(await isUnread(page, "While both were cut off"));
      assertNoComplaints(page, "cut");
    }

    await demo.publish("news", { text: "The press is warm." }, { event: "notice" });
    await one.getByText("The press is warm.").waitFor();
    await keepPicture(one, "news-notice");
    await one.getByRole("button", { name: "Dismiss" }).click();
    assert.ok(await one.getByText("The press is warm.").isHidden());

    // Closed, and opened again later.
    await one.close();
    await demo.publish("news", { section: "Test", title: "While it was closed" }, { event: "news" });
    const again = await demo.open("news/", { proxy: other.proxy, beside: other });
    for (const title of ["While it was closed", "While both were cut off"]) {
      await shows(again, title);
      assert.ok(await isUnread(again, title), title);
    }
    await shows(again, "First of all");
    assert.ok(!(await isUnread(again, "First of all")), "what was read stays read");
    await keepPicture(again, "news-again");
    assertNoComplaints(again);
    await again.context().close();
  });

  test("progress: a page sees the whole task, whenever it was opened", async () => {
    const early = await demo.open("progress/");
    await early.getByText("No task yet").waitFor();
    const first = startTask(["30", "0.1"]);
    await early.getByText(/ of 30:/).waitFor();
    const middle = await demo.open("progress/");
    await keepPicture(early, "progress-running");
    assert.equal(await within("the end of the task", deadline(30_000), first.ended), 0);
    const late = await demo.open("progress/");
    const wanted = ["Begun with 30 steps.", ...Array.from({ length: 30 }, (_, n) => `Step ${n + 1} is done.`), "All done."];
    for (const page of [early, middle, late]) {
      await page.getByText("Done.", { exact: true }).waitFor();
      assert.deepEqual(await page.locator("#log li").allTextContents(), wanted);
      assert.equal(await page.getByRole("progressbar").evaluate(({ position }) => position), 1);
    }
    await keepPicture(late, "progress-done");

    // The next one shows by itself, and one that fails says so.
    const second = startTask(["1000", "0.1"]);
    await Promise.all([early, late].map((page) => page.getByText(/of 1000/).waitFor()));
    second.interrupt();
    for (const page of [early, middle, late]) {
      await page.getByText("Failed.", { exact: true }).waitFor();
      assertNoComplaints(page);
      await page.close();
    }
  });

  /** Waits until a page says that of fifty symbols it receives each at most so often a second, and not all there is. */
  async function conflated(page, rate) {
    const number = async (id) => Number((await page.locator(id).textContent()).replaceAll(",", ""));
    await until(
      `${rate} a second of each symbol`,
      deadline(20_000),
      async () => {
        const [published, received] = [await number("#published"), await number("#received")];
        return received > 0 && received <= 1.2 * 50 * rate && published >= 1.5 * received;
      },
      () => page.locator("dl").innerText(),
    );
  }

  function startTask(words) {
    const task = path.join(repository, "examples/progress/task.sh");
    const env = { ...process.env, FANFARE_URL: demo.server.url, PATH: `${path.dirname(binary())}:${process.env.PATH}` };
    const child = spawn(task, words, { env, stdio: "ignore" });
    const ended = once(child, "exit").then(([code, signal]) => signal ?? code);
    return { ended, interrupt: () => child.kill("SIGINT") };
  }
});

const items = (page, title) => page.locator("#items li").filter({ hasText: title });
const shows = (page, title) => items(page, title).waitFor();
const isUnread = async (page, title) => (await items(page, title).getAttribute("class")) === "unread";
