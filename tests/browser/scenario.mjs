// What every reader must survive: a hundred numbered publications over several channels while its connections are cut,
// and in the end each of them, in order. Shared by the tests of all readers.

import assert from "node:assert/strict";
import { Proxy } from "./proxy.mjs";
import { deadline, until, within } from "./waiting.mjs";

/** The ways in which a connection is cut. */
export const WAYS = ["fin", "reset", "silence", "inside"];

/**
 * What a reader may receive: `exactly-once` and in order, or `at-least-once` where a connection tells no position
 * and comes back by time.
 *
 * @typedef {"exactly-once"|"at-least-once"} Promised
 */

/** Names for the channels of one scenario, which no other scenario uses. */
export function channelsFor(scenario) {
  scenarios += 1;
  const name = scenario.replaceAll(/[^a-z]+/g, "-");
  return ["red", "green", "blue"].map((colour) => `${name}-${scenarios}-${colour}`);
}

let scenarios = 0;

/** The payload of publication `number`; two lines and a character of two bytes, so that cuts hit those as well. */
export function payload(channel, number) {
  return `${channel} ${number} of ${PUBLICATIONS}\nsecond line, caf\u00e9`;
}

/** What only the message with this publication contains, on every transport. */
export function mark(channel, number) {
  return `${channel} ${number} of`;
}

/** Publishes the numbers from `first` to before `end`, going round the channels, one POST after the other. */
export async function publish(server, channels, first, end) {
  for (let number = first; number < end; number += 1) {
    const channel = channels[number % channels.length];
    await server.publish(channel, payload(channel, number));
  }
}

/** What has to have arrived when the numbers before `end` were published. */
export function expected(channels, end) {
  const numbers = Array.from({ length: end }, (_, number) => number);
  return Object.fromEntries(
    channels.map((channel, index) => [channel, numbers.filter((number) => number % channels.length === index)]),
  );
}

/** Waits until every number before `end` arrived, and checks that nothing arrived that was not promised. */
export async function receivedAll(reader, channels, end, promised) {
  const wanted = expected(channels, end);
  const complete = ({ received }) =>
    channels.every((channel) => {
      const seen = new Set(received[channel]);
      return wanted[channel].every((number) => seen.has(number));
    });
  const report = await until(
    `publications 0 to ${end - 1} to arrive`,
    deadline(COME_BACK_WITHIN_MS),
    async () => {
      const report = await reader.look();
      return complete(report) ? report : null;
    },
    () => reader.look(),
  );
  const seen = promised === "exactly-once" ? report.received : withoutRepetitions(report.received);
  assert.deepEqual(seen, wanted, "each publication once, in the order of its channel");
  assert.deepEqual(report.gaps, [], "nothing was lost, so no gap may be told");
  return report;
}

/**
 * A hundred publications; the connections are cut at the 20th and, when the reader has come back, again at the 45th.
 *
 * @param {object} scenario
 * @param {import("./server.mjs").Server} scenario.server
 * @param {(options: {host: string, channels: string[]}) => Promise<Reader>} scenario.startReader
 * @param {string} scenario.name
 * @param {"fin"|"reset"|"silence"|"inside"} scenario.way
 * @param {number} scenario.connections how many the reader keeps open
 * @param {Promised} scenario.promised
 */
export async function surviveCuts({ server, startReader, name, way, connections, promised }) {
  const channels = channelsFor(`${name}-${way}`);
  await withReader({ server, startReader, channels, connections }, async (reader, proxy) => {
    await publish(server, channels, 0, 20);
    await cutWhilePublishing({ server, proxy, channels, way, connections }, 20, 33);
    await receivedAll(reader, channels, 33, promised);
    await attached(reader, connections);
    await publish(server, channels, 33, 45);
    await cutWhilePublishing({ server, proxy, channels, way, connections }, 45, 66);
    await receivedAll(reader, channels, 66, promised);
    await publish(server, channels, 66, PUBLICATIONS);
    const report = await receivedAll(reader, channels, PUBLICATIONS, promised);
    if (promised === "exactly-once") cameBack(report, name, way);
  });
}

/** Cuts a reader that has received nothing yet; a hundred publications arrive while it is away. */
export async function surviveCutBeforeFirst({ server, startReader, name, way, connections, promised }) {
  const channels = channelsFor(`${name}-first-${way}`);
  await withReader({ server, startReader, channels, connections }, async (reader, proxy) => {
    proxy.newcomers(way === "silence" ? "silence" : "refuse");
    assert.equal(proxy.cut(way), connections, "every connection of the reader was cut");
    await publish(server, channels, 0, PUBLICATIONS);
    proxy.newcomers("forward");
    await receivedAll(reader, channels, PUBLICATIONS, promised);
  });
}

/** Runs `body` with a reader that is attached to its channels, and ends reader and proxy afterwards. */
export async function withReader({ server, startReader, channels, connections }, body) {
  const proxy = await Proxy.start(server.port);
  try {
    const reader = await startReader({ host: proxy.host, channels });
    try {
      await attached(reader, connections);
      await body(reader, proxy);
    } finally {
      await reader.stop();
    }
  } finally {
    await proxy.stop();
  }
}

/** Waits until all connections of a reader stand and know their positions. */
export async function attached(reader, connections) {
  await until(
    "the reader to be attached",
    deadline(15_000),
    async () => (await reader.look()).attached === connections,
    () => reader.look(),
  );
}

async function cutWhilePublishing({ server, proxy, channels, way, connections }, first, end) {
  if (way === "inside") {
    const channel = channels[first % channels.length];
    const middle = (content) => Math.floor(content.length / 2);
    const cut = proxy.cutInside({ mark: mark(channel, first), at: middle, way: "fin" });
    await publish(server, channels, first, end);
    await within("the proxy to cut inside a message", deadline(10_000), cut);
    return;
  }
  await publish(server, channels, first, first + 1);
  const count = proxy.cut(way);
  await publish(server, channels, first + 1, end);
  assert.ok(count >= connections, `the proxy cut ${count} connections, the reader keeps ${connections}`);
}

/** An EventSource and its kin come back without help, but for silence, which only the page can notice. */
function cameBack({ opened, reopened }, name, way) {
  assert.ok(opened >= 3, `two cuts make at least three openings, not ${opened}`);
  if (name === "websocket") return;
  if (way === "silence") assert.ok(reopened >= 2, `the page noticed both silences, not ${reopened}`);
  else assert.equal(reopened, 0, "the reader came back by itself");
}

function withoutRepetitions(received) {
  return Object.fromEntries(Object.entries(received).map(([channel, numbers]) => [channel, [...new Set(numbers)]]));
}

/** How many publications a scenario makes. */
export const PUBLICATIONS = 100;
// An EventSource waits for its `retry:` (about three seconds), a silence takes seven seconds to notice; and the
// machine may be busy.
const COME_BACK_WITHIN_MS = 25_000;
