// The memory engine forgets with its process. A page that comes back to a new one must be told so, for each of its
// channels, and must then have everything that is published from there on.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Browser, PageReader } from "./browser.mjs";
import { TOGETHER } from "./cutting.mjs";
import { NodeReader } from "./node-reader.mjs";
import { attached, channelsFor, expected, publish } from "./scenario.mjs";
import { Proxy } from "./proxy.mjs";
import { Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const SPOKEN = { kill: "it crashed", stop: "it was asked to end" };

describe("after a restart of the server", TOGETHER, () => {
  let browser;
  let page;
  before(async () => {
    browser = await Browser.start();
    page = await browser.newReaderPage();
  });
  after(() => browser?.stop());

  for (const kind of ["event-source", "websocket", "fetch-event-source"]) {
    for (const end of ["kill", "stop"]) {
      test(`${kind}: the page is told a gap (${SPOKEN[end]})`, TOGETHER, () =>
        toldGap(end, (options) => PageReader.start(page, kind, options)));
    }
  }
  test("npm eventsource is told a gap", TOGETHER, () => toldGap("kill", async (options) => new NodeReader(options)));
});

/** Six publications, another process, a new reader's worth of six more: the gap lies between them. */
async function toldGap(end, startReader) {
  const first = await Server.start();
  const proxy = await Proxy.start(first.port);
  let second;
  let reader;
  try {
    const channels = channelsFor("restart");
    reader = await startReader({ host: proxy.host, channels });
    await attached(reader, 1);
    await publish(first, channels, 0, 6);
    await received(reader, channels, 6);
    await first[end]();
    second = await Server.start();
    proxy.targetPort = second.port;
    await publish(second, channels, 6, 12);
    const { gaps } = await received(reader, channels, 12);
    assert.deepEqual(gaps.map(({ channel }) => channel).sort(), [...channels].sort(), "one gap for each channel");
    for (const gap of gaps) {
      assert.equal(gap.reason, "epoch", "the new process has a history of its own");
      assert.match(gap.from, /^\d+\.[A-Za-z]/, "the gap says where the reader was");
    }
  } finally {
    await reader?.stop();
    await proxy.stop();
    await first.kill();
    await second?.stop();
  }
}

async function received(reader, channels, end) {
  const wanted = expected(channels, end);
  const report = await until(
    `publications 0 to ${end - 1}`,
    deadline(30_000),
    async () => {
      const report = await reader.look();
      return channels.every((channel) => report.received[channel].includes(wanted[channel].at(-1))) ? report : null;
    },
    () => reader.look(),
  );
  assert.deepEqual(report.received, wanted, "each publication once, in the order of its channel");
  return report;
}
