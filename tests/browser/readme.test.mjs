// Every command of the README, as a newcomer types it, in the order of the README.
//
// Two commands are not run as they stand. The one that builds and starts is replaced by the binary that was built
// already, after a check that it is exactly `cargo run --release -- dev` and that `cargo run` starts Fanfare. The one that runs all tests would run this
// test; it is checked to exist, to be executable and to be what CI calls.

import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import net from "node:net";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import path from "node:path";
import { Browser } from "./browser.mjs";
import { chromiumFlags, codeBlock, codeBlocks, PRINTED_PORT, Shell } from "./documents.mjs";
import { freePort, isExecutable, repository, Server } from "./server.mjs";
import { deadline, until } from "./waiting.mjs";

const START = "cargo run --release -- dev";
const TESTS = "scripts/test";

describe("README.md", { timeout: 55_000 }, () => {
  let server;
  let shell;
  let browser;
  before(async () => {
    // On the printed port, without a flag, if no one else on this machine has it.
    server = (await isFree(PRINTED_PORT))
      ? await Server.start({ port: PRINTED_PORT, listen: "by-default" })
      : await Server.start({ port: await freePort() });
    shell = new Shell(server.port);
  });
  after(async () => {
    shell?.stop();
    await browser?.stop();
    await server?.stop();
  });

  test("its commands, one after the other", async (t) => {
    const commands = shellCommands();
    if (server.port !== PRINTED_PORT) t.diagnostic(`port ${PRINTED_PORT} is taken, so the server has ${server.port}`);
    assert.equal(commands[0], START, "the first command builds and starts");
    assert.equal(commands.at(-1), TESTS, "the last command runs the tests");
    assert.equal(commands.filter((command) => command === START || command === TESTS).length, 2);
    let listener = null;
    let heard = 0;
    for (const command of commands.slice(1, -1)) {
      if (command.startsWith("curl -N ")) {
        listener = shell.start(command);
        const run = listener;
        await until("the listener to listen", deadline(10_000), () => run.output.includes("fanfare.open"), () => run);
        continue;
      }
      await shell.run(command);
      const published = /^curl -d '([^']+)' /.exec(command)?.[1];
      if (published === undefined) continue;
      const printed = () => listener.output.includes(`\ndata: ${published}\n`);
      await until(`the listener to print ${published}`, deadline(10_000), printed, () => listener);
      heard += 1;
    }
    assert.ok(heard >= 1, "the README shows how to listen and how to publish");
  });

  test("its first command finds Fanfare among the binaries of the workspace", async () => {
    const [command, ...words] = "cargo run --quiet --locked -- version".split(" ");
    const run = promisify(execFile);
    const { stdout } = await run(command, words, { cwd: repository, timeout: 50_000 });
    assert.match(stdout, /^fanfare \d/);
  });

  test("its test command is the one that CI calls", () => {
    assert.ok(isExecutable(path.join(repository, TESTS)), `${TESTS} exists and may be executed`);
    assert.ok(isExecutable(path.join(repository, ".ci/run")), ".ci/run exists and may be executed");
    const calls = readFileSync(path.join(repository, ".ci/run"), "utf8")
      .split("\n")
      .filter((line) => !line.trimStart().startsWith("#") && line.includes(TESTS));
    assert.ok(calls.length >= 1, `.ci/run calls ${TESTS}`);
  });

  test("its page shows what is published, over both transports", async () => {
    browser = await Browser.start(chromiumFlags(server.port));
    browser.publish("/news.html", { type: "text/html", text: codeBlock("README.md", "html", "news.html") });
    await server.publish("news", "before the page");
    const page = await browser.newPage();
    await page.goto(`${browser.origin}/news.html`);
    for (const list of ["#sse", "#websocket"]) {
      await page.locator(list).getByText("before the page", { exact: true }).waitFor();
    }
    await server.publish("news", "with the page open");
    for (const list of ["#sse", "#websocket"]) {
      await page.locator(list).getByText("with the page open", { exact: true }).waitFor();
    }
    assert.deepEqual(page.complaints, []);
  });
});

/** Every line of every ```sh block. */
function shellCommands() {
  return codeBlocks("README.md")
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

async function isFree(port) {
  const listener = net.createServer().listen(port, "127.0.0.1");
  const [problem] = await Promise.race([once(listener, "listening"), once(listener, "error")]).catch((error) => [error]);
  if (problem !== undefined) return false;
  listener.close();
  await once(listener, "close");
  return true;
}
