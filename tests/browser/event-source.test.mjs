// Native EventSource in Chromium, no SDK: a user's page must neither lose nor repeat a publication, however its
// connection breaks.

import { after, before, describe } from "node:test";
import { Browser, PageReader } from "./browser.mjs";
import { SSE_CUTS } from "./cut-points.mjs";
import { declareCutPoints, declareCuts, TOGETHER } from "./cutting.mjs";
import { Server } from "./server.mjs";

describe("a page with a native EventSource", TOGETHER, () => {
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

  const reader = () => ({
    server,
    name: "event-source",
    startReader: (options) => PageReader.start(page, "event-source", options),
    connections: 1,
    promised: "exactly-once",
  });
  declareCuts(reader, ["fin", "reset", "silence"]);
  declareCutPoints(reader, SSE_CUTS, ["fin", "reset"]);
});
