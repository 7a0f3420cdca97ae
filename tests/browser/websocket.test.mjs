// Native WebSocket in Chromium, no SDK: `fanfare.v1` with its cursors has each publication exactly once, a raw
// connection, which knows no positions, at least once.

import { after, before, describe } from "node:test";
import { Browser, PageReader } from "./browser.mjs";
import { FRAME_CUTS } from "./cut-points.mjs";
import { declareCutPoints, declareCuts, TOGETHER } from "./cutting.mjs";
import { Server } from "./server.mjs";

describe("a page with a native WebSocket", TOGETHER, () => {
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

  describe("that speaks fanfare.v1", TOGETHER, () => {
    const reader = (startReader) => ({
      server,
      name: "websocket",
      startReader,
      connections: 1,
      promised: "exactly-once",
    });
    const alone = (options) => PageReader.startAlone(browser, "websocket", options);
    const shared = (options) => PageReader.start(page, "websocket", options);
    declareCuts(() => reader(alone), ["fin", "reset", "silence"]);
    declareCutPoints(() => reader(shared), FRAME_CUTS, ["fin", "reset"]);
  });

  describe("for each channel, raw", TOGETHER, () => {
    const reader = () => ({
      server,
      name: "raw-websocket",
      startReader: (options) => PageReader.startAlone(browser, "raw-websocket", options),
      connections: 3,
      promised: "at-least-once",
    });
    declareCuts(reader, ["fin", "reset", "silence"]);
  });
});
