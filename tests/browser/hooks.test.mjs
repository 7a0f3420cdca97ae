// The backend of docs/hooks.md, run as printed in a process of its own, with the library that the page names: it is
// asked by the real server, killed, and started again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { codeBlock } from "./documents.mjs";
import { Server, freePort, repository } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** The backend as printed, on this port. */
async function startBackend(port, secret = SECRET) {
  const code = codeBlock("docs/hooks.md", "js", "backend");
  const backend = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    // What it imports is found from where it is started.
    cwd: path.join(repository, "tests/browser"),
    env: { PATH: process.env.PATH, PORT: String(port), FANFARE_HOOKS__SECRETS: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  backend.words = "";
  backend.stdout.on("data", (words) => (backend.words += words));
  await until("the backend to listen", deadline(20_000), () =>
    fetch(`http://127.0.0.1:${port}`, { method: "POST", body: "{}" }).then(
      (answer) => answer.status === 400,
      () => false,
    ),
  );
  return backend;
}

async function kill(backend) {
  backend.kill("SIGKILL");
  await once(backend, "exit");
}

describe("hooks", () => {
  let server, backend, port;

  before(async () => {
    port = await freePort();
    backend = await startBackend(port);
    const url = `http://127.0.0.1:${port}/fanfare`;
    server = await Server.start({
      command: "serve",
      settings: {
        FANFARE_AUTH__PUBLISHER_KEYS: "key",
        FANFARE_HOOKS__SECRETS: SECRET,
        FANFARE_HOOKS__CONNECT_URL: url,
        FANFARE_HOOKS__SUBSCRIBE_URL: url,
        FANFARE_HOOKS__PUBLISH_URL: url,
        FANFARE_HOOKS__REFRESH_URL: url,
        FANFARE_HOOKS__EVENTS_URL: url,
        FANFARE_HOOKS__EVENTS: "occupancy",
        FANFARE_HOOKS__EVENTS_GRACE: "0s",
      },
    });
  });

  after(async () => {
    await server?.stop();
    if (backend) await kill(backend);
  });

  /** Asks with a user's cookie, as a page of the same origin does. */
  const ask = async (cookie, target, options = {}) => {
    const headers = { origin: server.url, ...(cookie ? { cookie } : {}), ...options.headers };
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(`${server.url}${target}`, { signal, ...options, headers });
    return { status: answer.status, body: await answer.text() };
  };

  test("a cookie is all that a page needs", async () => {
    const nobody = await ask(undefined, "/c/chat:lobby?poll=1");
    assert.equal(nobody.status, 401);
    assert.match(nobody.body, /Log in first\./);
    assert.equal((await ask("sid=4f2a", "/c/chat:lobby?poll=1")).status, 200);
    assert.equal((await ask("sid=9c01", "/c/user:bob:inbox?poll=1")).status, 200);
    assert.equal((await ask("sid=9c01", "/c/user:ada:inbox?poll=1")).status, 403);
    assert.equal((await ask("sid=4f2a", "/c/chat:staff?poll=1")).status, 200);
    assert.equal((await ask("sid=9c01", "/c/chat:staff?poll=1")).status, 403);
  });

  test("what is published comes changed or not at all", async () => {
    const post = (cookie, body) => ask(cookie, "/c/chat:lobby", { method: "POST", body });
    assert.equal((await post("sid=9c01", "hello")).status, 200);
    const refused = await post("sid=9c01", "x".repeat(201));
    assert.equal(refused.status, 403);
    assert.match(refused.body, /Too long\./);
    const { publications } = JSON.parse((await ask("sid=4f2a", "/c/chat:lobby?poll=1")).body);
    assert.deepEqual(publications.map((it) => it.data), [{ from: "bob", text: "hello" }]);
  });

  test("it is told who reads and who has gone", async () => {
    const reader = new AbortController();
    const headers = { origin: server.url, cookie: "sid=4f2a", accept: "text/event-stream" };
    await fetch(`${server.url}/c/chat:told`, { headers, signal: reader.signal });
    const told = (words) => until(words, deadline(20_000), async () => backend.words.includes(words));
    await told("occupied chat:told");
    reader.abort();
    await told("disconnect");
    await told("vacated chat:told");
    assert.match(backend.words, /^started/);
  });

  test("while it is killed nobody waits, and when it is back it is asked again", async () => {
    await kill(backend);
    const began = Date.now();
    for (let round = 0; round < 20; round += 1) {
      assert.equal((await ask("sid=4f2a", "/c/chat:lobby?poll=1")).status, 503);
      const key = { headers: { authorization: "Bearer key" } };
      assert.equal((await ask(undefined, "/c/chat:a", { method: "POST", body: "x", ...key })).status, 200);
    }
    assert.ok(Date.now() - began < 10_000, "a dead backend is known at once");
    backend = await startBackend(port);
    assert.equal((await ask("sid=4f2a", "/c/chat:lobby?poll=1")).status, 200);
  });

  test("a backend that has another secret answers nothing", async () => {
    await kill(backend);
    backend = await startBackend(port, "whsec_YW4gZXhhbXBsZSwgbm90IGEgc2VjcmV0IQ==");
    assert.equal((await ask("sid=4f2a", "/c/chat:lobby?poll=1")).status, 503);
  });
});
