// The chat of `fanfare demo` in several tabs, through proxies that block WebSockets and buffer event streams: whatever
// stands between two people, each reads what the other wrote, in order, once.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { assertNoComplaints, Demo, keepPicture } from "./demo.mjs";
import { deadline, until } from "./waiting.mjs";

describe("fanfare demo: chat", { concurrency: 3, timeout: 170_000 }, () => {
  let demo;
  before(async () => {
    demo = await Demo.start();
  });
  after(() => demo?.stop());

  test("WebSockets are blocked, then event streams are buffered: nothing is lost on the way down and up", async () => {
    const [ann, bob] = [await enter("stairs", "Ann"), await enter("stairs", "Bob")];
    for (const page of [ann, bob]) await over(page, "WebSocket");
    const talk = talkInto(ann, bob);
    const more = async () => {
      const count = (await heard(ann)).length;
      await until("more to be said and heard", deadline(30_000), async () => (await heard(ann)).length >= count + 6);
    };
    await more();
    assert.ok(bob.proxy.cut("fin", "websocket") >= 1, "Bob is only cut, and comes back as he was");

    ann.proxy.upgrades("refuse");
    assert.ok(ann.proxy.cut("reset", "websocket") >= 1);
    await over(ann, "Server-Sent Events");
    await more();
    await keepPicture(ann, "chat-server-sent-events");

    ann.proxy.eventStreams("buffer");
    await over(ann, "long-poll");
    await more();
    await keepPicture(ann, "chat-long-poll");
    for (const page of [ann, bob]) await present(page, ["Ann", "Bob"]);
    assert.ok(ann.proxy.counts.upgradesRefused >= 1 && ann.proxy.counts.streamsBuffered >= 1);

    ann.proxy.eventStreams("forward");
    ann.proxy.upgrades("forward");
    await over(ann, "WebSocket");
    await more();
    await over(bob, "WebSocket");
    const said = await talk.stop();
    for (const page of [ann, bob]) {
      await until(
        "everything that was said",
        deadline(30_000),
        async () => (await heard(page)).length >= said.length,
        async () => said.filter((text) => !texts.includes(text)),
      );
    }
    const texts = await heard(bob);
    assert.deepEqual(await heard(ann), texts, "both have the same order");
    for (const who of ["Ann", "Bob", "Shell"]) {
      const own = (text) => text.startsWith(`${who} `);
      assert.deepEqual(texts.filter(own), said.filter(own), `all that ${who} said, in order, once`);
    }
    assert.equal(texts.length, said.length);
    for (const page of [ann, bob]) await leave(page, "disturbed");
  });

  test("over WebSocket: what was said before, what is said now, and who is typing", async () => {
    const ann = await enter("talk", "Ann");
    await over(ann, "WebSocket");
    await say(ann, "Is anyone here?");
    await hears(ann, "Is anyone here?");
    const bob = await enter("talk", "Bob");
    await over(bob, "WebSocket");
    await hears(bob, "Is anyone here?");
    await ann.getByText("Bob joined.").waitFor();
    for (const page of [ann, bob]) await present(page, ["Ann", "Bob"]);

    await bob.getByLabel("Message", { exact: true }).pressSequentially("<b>I am</b>");
    await ann.getByText("Bob is typing").waitFor();
    await keepPicture(ann, "chat-typing");
    await bob.getByRole("button", { name: "Send" }).click();
    await hears(ann, "<b>I am</b>");
    await ann.getByText("Bob is typing").waitFor({ state: "detached" });

    await bob.getByLabel("Your name").fill("Robert");
    await bob.getByLabel("Your name").press("Tab");
    await present(ann, ["Ann", "Robert"]);
    await demo.server.publish("chat:talk", "Hello from a shell");
    for (const page of [ann, bob]) await hears(page, "Hello from a shell");
    await keepPicture(bob, "chat-websocket");
    assert.deepEqual(await heard(ann), await heard(bob));
    for (const page of [ann, bob]) await leave(page);
  });

  test("a reload is silent, and a closed page is gone after the grace", async () => {
    const ann = await enter("doors", "Ann");
    const [bob, carl] = [await enter("doors", "Bob"), await enter("doors", "Carl")];
    for (const page of [ann, bob, carl]) await present(page, ["Ann", "Bob", "Carl"]);
    const seen = await watchPeople(ann);
    await bob.reload();
    // Had the reload been a leave, the others would be told before they are told of who really left after it.
    await leave(carl);
    const left = performance.now();
    await ann.getByText("Carl left.").waitFor();
    assert.ok(performance.now() - left < 6_000, "two seconds of grace, and a moment");
    await present(ann, ["Ann", "Bob"]);
    await over(bob, "WebSocket");
    await present(bob, ["Ann", "Bob"]);
    const withBob = (await seen()).map((names) => names.includes("Bob"));
    assert.ok(withBob.length > 0 && !withBob.includes(false), "Bob was there all the time");
    const notices = await ann.locator("#log li.soft").allTextContents();
    assert.deepEqual(notices.filter((text) => !text.endsWith("joined.")), ["Carl left."]);
    assert.equal(notices.filter((text) => text === "Bob joined.").length, 1);
    for (const page of [ann, bob]) await leave(page);
  });

  test("what is typed while nothing gets through is sent when something does, once, by a reloaded page too", async () => {
    const [ann, bob] = [await enter("tunnel", "Ann"), await enter("tunnel", "Bob")];
    for (const page of [ann, bob]) await over(page, "WebSocket");
    ann.proxy.newcomers("refuse");
    assert.ok(ann.proxy.cut("reset") >= 1);
    await ann.getByText("Reconnecting.").waitFor();
    const typed = ["one", "two", "three"];
    for (const text of typed) await say(ann, text);
    await ann.getByText("one (waiting) · two (waiting) · three (waiting)").waitFor();
    await keepPicture(ann, "chat-waiting");
    await say(bob, "Where is Ann?");
    ann.proxy.newcomers("forward");
    await ann.reload();
    for (const page of [ann, bob]) await hears(page, "three");
    assert.deepEqual(await heard(bob), ["Where is Ann?", ...typed]);
    assert.deepEqual(await heard(ann), ["Where is Ann?", ...typed]);
    for (const page of [ann, bob]) await leave(page, "disturbed");
  });

  test("a page that is opened behind such proxies finds its way, and whoever reads it the other way is there", async () => {
    const proxies = [await demo.proxy(), await demo.proxy()];
    for (const proxy of proxies) proxy.upgrades("refuse");
    proxies[1].eventStreams("buffer");
    const free = await enter("ways", "Wendy");
    const blocked = await enter("ways", "Sam", proxies[0]);
    const buffered = await enter("ways", "Lou", proxies[1]);
    await over(blocked, "Server-Sent Events");
    await over(buffered, "long-poll");
    const pages = [free, blocked, buffered];
    for (const page of pages) await present(page, ["Lou", "Sam", "Wendy"]);
    for (const [number, page] of pages.entries()) {
      await say(page, `Number ${number}`);
      for (const other of pages) await hears(other, `Number ${number}`);
    }
    await leave(free);
    for (const page of [blocked, buffered]) await present(page, ["Lou", "Sam"]);
    for (const page of [blocked, buffered]) await leave(page, "disturbed");
  });

  const enter = (room, name, proxy) => demo.open(`chat/?room=${room}`, { proxy, stored: { chatName: name } });

  /** Ann and Bob type, and a shell publishes, until told to stop; gives all that was said. */
  function talkInto(ann, bob) {
    const said = [];
    let going = true;
    const talk = async (who, speak) => {
      for (let number = 1; going; number += 1) {
        const text = `${who} ${number}`;
        said.push(text);
        await speak(text);
        await pause(PAUSE_MS);
        // A page that is blind for long may miss no more than the channel keeps.
        const own = (texts) => texts.filter((text) => text.startsWith(`${who} `)).length;
        await until("Ann to hear again", deadline(60_000), async () => number - own(await heard(ann)) < BLIND_MAX);
      }
    };
    const talking = Promise.all([
      talk("Ann", (text) => say(ann, text)),
      talk("Bob", (text) => say(bob, text)),
      talk("Shell", (text) => demo.server.publish("chat:stairs", text)),
    ]);
    return { stop: async () => ((going = false), await talking, said) };
  }
});

const over = (page, transport) => page.getByText(`Live over ${transport}.`).waitFor({ timeout: 45_000 });
const hears = (page, text) => page.locator("#log li").filter({ hasText: text }).waitFor();

async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByLabel("Message", { exact: true }).press("Enter");
}

/** The texts of all messages in the log, without the notices between them. */
function heard(page) {
  const lines = page.locator("#log li:has(b)");
  return lines.evaluateAll((lines) => lines.map((line) => line.childNodes[1].data.trim()));
}

/** Waits until exactly these are here, as a page shows it. */
async function present(page, names) {
  const shown = async () => (await page.locator("#people li").evaluateAll(namesOf)).sort();
  const wanted = JSON.stringify([...names].sort());
  await until(`${names} to be here`, deadline(20_000), async () => JSON.stringify(await shown()) === wanted, shown);
}

/** Notes every list of people that a page shows from now on; gives them when asked. */
async function watchPeople(page) {
  await page.evaluate((namesOf) => {
    const list = document.getElementById("people");
    window.lists = [];
    const note = () => window.lists.push(new Function(`return ${namesOf}`)()([...list.children]));
    new MutationObserver(note).observe(list, { childList: true });
  }, String(namesOf));
  return () => page.evaluate(() => window.lists);
}

const namesOf = (items) => items.map(({ textContent }) => textContent.replace(/ \(you\)$| is typing$/, ""));

async function leave(page, network = "undisturbed") {
  assertNoComplaints(page, network);
  await page.context().close();
}

const PAUSE_MS = 400;
const BLIND_MAX = 50;
