// The two libraries people read event streams with, unmodified: npm `eventsource` in Node, and
// `@microsoft/fetch-event-source` in Chromium.

import { after, before, describe } from "node:test";
import { Browser, PageReader } from "./browser.mjs";
import { FETCH_EVENT_SOURCE_LOSES, SSE_CUTS } from "./cut-points.mjs";
import { declareCutPoints, declareCuts, TOGETHER } from "./cutting.mjs";
import { NodeReader } from "./node-reader.mjs";
import { Server } from "./server.mjs";

describe("libraries that read event streams", TOGETHER, () => {
  let server;
  let browser;
  let page;
  before(async () => {
    server = await Server.start();
    browser = await Browser.start();
    page = await browser.newReaderPage();
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
  });

  describe("npm eventsource", TOGETHER, () => {
    const reader = () => ({
      server,
      name: "npm-eventsource",
      startReader: async (options) => new NodeReader(options),
      connections: 1,
      promised: "exactly-once",
    });
    declareCuts(reader, ["fin", "reset", "silence"]);
    declareCutPoints(reader, SSE_CUTS, ["fin"]);
  });

  describe("@microsoft/fetch-event-source", TOGETHER, () => {
    const reader = () => ({
      server,
      name: "fetch-event-source",
      startReader: (options) => PageReader.start(page, "fetch-event-source", options),
      connections: 1,
      promised: "exactly-once",
    });
    declareCuts(reader, ["fin", "reset", "silence"]);
    declareCutPoints(reader, SSE_CUTS, ["fin"], (place) =>
      place === FETCH_EVENT_SOURCE_LOSES ? "loses-the-cut-one" : "exactly-once");
  });
});
