// The log engine keeps its history through a crash. A page that comes back to the new process gets exactly what it has
// missed, once and in order, whatever transport it comes back over.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Browser, PageReader } from "./browser.mjs";
import { TOGETHER } from "./cutting.mjs";
import { NodeReader } from "./node-reader.mjs";
import { channelsFor, payload, receivedAll } from "./scenario.mjs";
import { Server } from "./server.mjs";
import { deadline, pause, until } from "./waiting.mjs";

describe("a page whose server is killed and keeps its history", TOGETHER, () => {
  let browser;
  before(async () => (browser = await Browser.start()));
  after(() => browser?.stop());

  test("over WebSocket and Server-Sent Events by turns it has each publication once", { timeout: 120_000 }, async () => {
    const reader = (options) => PageReader.startAlone(browser, "by-turns", options);
    const { turns, opened } = await surviveKills(reader, 8);
    assert.ok(opened > 8, `eight kills make at least nine openings, not ${opened}`);
    turns.forEach((carrier, turn) => assert.equal(carrier, ["websocket", "event-source"][turn % 2]));
  });

  for (const kind of ["event-source", "websocket", "fetch-event-source"]) {
    test(`with ${kind} it has each publication once`, { timeout: 120_000 }, () =>
      surviveKills((options) => PageReader.startAlone(browser, kind, options), 3));
  }
  test("npm eventsource has each publication once", { timeout: 120_000 }, () =>
    surviveKills(async (options) => new NodeReader(options), 3));
});

/** Publishes all the time while the server is killed so many times, at moments of no one's choosing. */
async function surviveKills(startReader, kills) {
  const store = await mkdtemp(path.join(tmpdir(), "fanfare-kept-"));
  const settings = {
    FANFARE_ENGINE: "log",
    FANFARE_LOG__DIRECTORY: store,
    FANFARE_LOG__SEGMENT_BYTES: "2MiB",
    // However long a page stays away on a busy machine.
    FANFARE_HISTORY__COUNT: "100000",
  };
  const channels = channelsFor("kept");
  let server = await Server.start({ settings });
  let publisher;
  let reader;
  try {
    reader = await startReader({ host: `127.0.0.1:${server.port}`, channels });
    await stands(reader, 0);
    publisher = new Publisher(channels, () => server.url);
    for (let kill = 0; kill < kills; kill += 1) {
      await stands(reader, kill);
      const target = publisher.published + 5;
      await until("publications before the kill", deadline(20_000), () => publisher.published >= target);
      await pause(Math.random() * 50);
      await server.kill();
      assert.deepEqual(publisher.refusals, [], "a publish is taken, or its server is gone");
      // For this long nobody is there; then publications are made before the page is back.
      await pause(Math.random() * 300);
      server = await Server.start({ port: server.port, settings });
      await until("publications after it", deadline(20_000), () => publisher.published >= target + 5);
    }
    await stands(reader, kills);
    const end = await publisher.stop();
    return await receivedAll(reader, channels, end, "exactly-once");
  } finally {
    await publisher?.stop();
    await reader?.stop();
    await server.kill();
    await rm(store, { recursive: true, force: true });
  }
}

/** Waits until a reader stands that has come back so many times. */
async function stands(reader, times) {
  await until(
    "the reader to be back",
    deadline(30_000),
    async () => {
      const { attached, opened } = await reader.look();
      return attached === 1 && opened > times;
    },
    () => reader.look(),
  );
}

/** Publishes number after number; what a kill has left without an answer is repeated under its key. */
class Publisher {
  published = 0;
  refusals = [];
  #stopped = false;
  #ended;

  constructor(channels, url) {
    this.#ended = this.#run(channels, url);
  }

  /** Ends it; gives the number that follows the last one. */
  async stop() {
    this.#stopped = true;
    await this.#ended;
    return this.published;
  }

  async #run(channels, url) {
    while (!this.#stopped) {
      const channel = channels[this.published % channels.length];
      const status = await fetch(`${url()}/c/${channel}`, {
        method: "POST",
        headers: { "content-type": "text/plain", "idempotency-key": `${channel}-${this.published}` },
        body: payload(channel, this.published),
        signal: AbortSignal.timeout(10_000),
      }).then(
        async (answer) => (await answer.arrayBuffer(), answer.status),
        () => 0,
      );
      if (status === 200) this.published += 1;
      else if (status !== 0 && status !== 503) this.refusals.push(status);
      await pause(status === 200 ? 15 : 50);
    }
  }
}
