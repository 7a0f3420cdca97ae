// npm `eventsource` in Node, behind the same face as a reader in a page.

import { EventSource } from "eventsource";
import { start } from "./page/readers.js";

/** A reader of `page/readers.js` that runs here. */
export class NodeReader {
  #reader;

  constructor(options) {
    // Polyfills cannot always set headers, so this one comes back from silence by the query parameter for them.
    this.#reader = start("event-source", { ...options, EventSource, comeBackBy: "lastEventId" });
  }

  /** Its report at this moment. */
  async look() {
    return structuredClone(this.#reader.report);
  }

  async stop() {
    this.#reader.stop();
  }
}
