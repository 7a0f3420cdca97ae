// Starts the real `fanfare` binary for a test, on its own port, and ends it again; it never touches a process that
// it did not start itself.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deadline, until } from "./waiting.mjs";

/** The root of the repository. */
export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** The binary under test: `FANFARE_BIN`, else the newest of the release and the debug build. */
export function binary() {
  const asked = process.env.FANFARE_BIN;
  const candidates = asked
    ? [path.resolve(asked)]
    : ["release", "debug"].map((profile) => path.join(repository, "target", profile, "fanfare"));
  const age = (file) => Date.now() - statSync(file).mtimeMs;
  const [newest] = candidates.filter(isExecutable).sort((one, other) => age(one) - age(other));
  if (newest !== undefined) return newest;
  throw new Error(`no fanfare binary at ${candidates.join(" or ")}: run \`cargo build\`, or set FANFARE_BIN`);
}

/** One running `fanfare dev`, `demo` or `serve`. */
export class Server {
  port;
  /** What it wrote to stderr, for the message of a failing test. */
  log = "";
  #process;
  #ended;
  /** Whether a credential was in its log. */
  #tells = false;

  /**
   * Starts Fanfare and waits until it is ready.
   *
   * @param {object} options
   * @param {"dev"|"demo"|"serve"} [options.command] `dev` if none is given
   * @param {number} [options.port] the port to listen on; a free one if none is given
   * @param {Record<string, string>} [options.settings] variables that configure it
   * @param {"as-told"|"by-default"} [options.listen] `by-default` leaves out the flag; `port` is then the default port
   */
  static async start(options = {}) {
    const server = new Server();
    server.port = options.port ?? (await freePort());
    const command = binary();
    const listen = options.listen === "by-default" ? [] : ["--listen", `127.0.0.1:${server.port}`];
    server.#process = spawn(command, [options.command ?? "dev", ...listen], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: repository,
      env: { ...environment(), ...options.settings },
    });
    server.#ended = new Promise((resolve) => {
      server.#process.once("error", (error) => resolve(`could not be started: ${error.message}`));
      server.#process.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
    });
    for (const stream of [server.#process.stdout, server.#process.stderr]) {
      stream.on("data", (bytes) => {
        server.log = (server.log + bytes).slice(-LOG_BYTES_MAX);
        server.#tells ||= CREDENTIAL.test(server.log);
      });
    }
    try {
      await server.#ready();
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  /** `http://127.0.0.1:port`. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * Publishes one text by a POST straight to the server, as curl would, and waits for the acknowledgement.
   *
   * @param {string} channel
   * @param {string} text
   */
  async publish(channel, text) {
    const answer = await fetch(`${this.url}/c/${encodeURIComponent(channel)}`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: text,
      signal: AbortSignal.timeout(10_000),
    });
    const body = await answer.text();
    if (answer.status !== 200) throw new Error(`publishing to ${channel} was answered ${answer.status}: ${body}`);
    return JSON.parse(body);
  }

  /**
   * A figure of `/metrics`, by its name with its labels.
   *
   * @param {string} name
   */
  async figure(name) {
    const answer = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(10_000) });
    const line = (await answer.text()).split("\n").find((line) => line.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no figure ${name}`);
    return Number(line.slice(name.length + 1));
  }

  /** Ends the process as a crash would, and waits until it is gone. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#gone();
  }

  /** Asks the process to end, and waits until it has told everyone and is gone. */
  async drain() {
    this.#process.kill("SIGTERM");
    await this.#gone();
  }

  /** Asks the process to end, insists after a while, and waits until it is gone. */
  async stop() {
    this.#process.kill("SIGTERM");
    this.#process.kill("SIGTERM");
    const insist = setTimeout(() => this.#process.kill("SIGKILL"), 2_000);
    await this.#ended;
    clearTimeout(insist);
    await this.#gone();
  }

  /** Waits until the process is gone; fails if its log told anybody a credential. */
  async #gone() {
    await this.#ended;
    if (this.#tells) throw new Error(`the log of the server tells a credential:\n${this.log}`);
  }

  async #ready() {
    let ended = null;
    this.#ended.then((how) => (ended = how));
    await until(`fanfare to be ready on port ${this.port}`, deadline(20_000), async () => {
      if (ended !== null) throw new Error(`fanfare ${ended} before it was ready; it said:\n${this.log}`);
      const status = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(2_000) }).then(
        async (answer) => (await answer.arrayBuffer(), answer.status),
        () => 0,
      );
      return status === 200;
    });
  }
}

/** A loopback port that was free a moment ago. */
export async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

/** Whether this file exists and may be executed. */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const LOG_BYTES_MAX = 64 * 1024;

/** What is in each secret of the tests, and how a token begins. */
const CREDENTIAL = /tell-nobody|eyJhbGci/;

/** The server refuses variables of its own prefix that it does not know; ours is one of them. */
function environment() {
  const { FANFARE_BIN: _, ...others } = process.env;
  // Servers of tests stand side by side in one directory, which only one log could have.
  return { FANFARE_ENGINE: "memory", ...others };
}
