// One reader for each place inside a message, all at once: each behind its own proxy, which cuts its connection at that
// place of the same publication. Also the group of scenarios that every reader goes through.

import { test } from "node:test";
import assert from "node:assert/strict";
import {
  channelsFor, expected, mark, publish, receivedAll, surviveCutBeforeFirst, surviveCuts, WAYS, withReader,
} from "./scenario.mjs";
import { deadline, until, within } from "./waiting.mjs";

/** Limits of every test here: bounded, and independent ones at the same time. */
export const TOGETHER = { concurrency: true, timeout: 55_000 };

/**
 * Declares the scenarios for one reader inside the current suite.
 *
 * @param {() => Omit<Parameters<typeof surviveCuts>[0], "way">} reader asked when a test runs
 * @param {string[]} waysBeforeFirst the ways to cut a reader that received nothing yet
 */
export function declareCuts(reader, waysBeforeFirst) {
  for (const way of WAYS) {
    test(`comes back from ${SPOKEN[way]}`, TOGETHER, () => surviveCuts({ ...reader(), way }));
  }
  for (const way of waysBeforeFirst) {
    test(`comes back from ${SPOKEN[way]} before its first publication`, TOGETHER, () =>
      surviveCutBeforeFirst({ ...reader(), way }));
  }
}

/**
 * Declares a test for each place of `cuts` and each of `ways`.
 *
 * @param {() => object} reader as for {@link declareCuts}
 * @param {Record<string, (content: Buffer) => number>} cuts
 * @param {("fin"|"reset")[]} ways
 * @param {(place: string) => "exactly-once"|"loses-the-cut-one"} outcome
 */
export function declareCutPoints(reader, cuts, ways, outcome = () => "exactly-once") {
  for (const [place, at] of Object.entries(cuts)) {
    for (const way of ways) {
      const verdict = outcome(place) === "exactly-once" ? "has all" : "misses at most that one";
      test(`cut ${place}, by ${way}, it ${verdict}`, TOGETHER, () =>
        surviveCutAt({ ...reader(), place, at, way, outcome: outcome(place) }));
    }
  }
}

/** Three publications before the cut one, so that there is an id to come back with, and six behind it. */
async function surviveCutAt({ server, startReader, name, connections, at, way, outcome }) {
  const channels = channelsFor(`${name}-at`);
  await withReader({ server, startReader, channels, connections }, async (reader, proxy) => {
    await publish(server, channels, 0, CUT_ONE);
    await receivedAll(reader, channels, CUT_ONE, "exactly-once");
    const cut = proxy.cutInside({ mark: mark(channels[CUT_ONE % channels.length], CUT_ONE), at, way });
    await publish(server, channels, CUT_ONE, CUT_ONE + 3);
    const { forwarded, content } = await within("the proxy to cut", deadline(10_000), cut);
    assert.equal(forwarded, at(content), "the cut lay inside the message");
    await publish(server, channels, CUT_ONE + 3, END);
    if (outcome === "exactly-once") await receivedAll(reader, channels, END, "exactly-once");
    else await receivedAllBut(reader, channels);
  });
}

async function receivedAllBut(reader, channels) {
  const wanted = expected(channels, END);
  const cutChannel = channels[CUT_ONE % channels.length];
  const others = (numbers) => numbers.filter((number) => number !== CUT_ONE);
  wanted[cutChannel] = others(wanted[cutChannel]);
  const last = END - 1;
  const { received } = await until(
    "the last publication",
    deadline(25_000),
    async () => {
      const report = await reader.look();
      return report.received[channels[last % channels.length]].includes(last) ? report : null;
    },
    () => reader.look(),
  );
  // A browser may drop what it has read when the connection ends before the library saw the id; then nothing is missing.
  const got = { ...received, [cutChannel]: others(received[cutChannel]) };
  assert.ok(received[cutChannel].length <= got[cutChannel].length + 1, "the cut one comes once at most");
  assert.deepEqual(got, wanted, "only the publication whose id was taken too early is missing");
}

const CUT_ONE = 3;
const END = 10;
const SPOKEN = {
  fin: "an end of its connection",
  reset: "a reset of its connection",
  silence: "silence",
  inside: "a cut in the middle of a message",
};
