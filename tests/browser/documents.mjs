// Takes code out of the documentation and runs it as printed. The documents speak of port 8300; where a test's server
// has another one, curl and Chromium are told to connect there instead, so that not a letter of the code changes.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { repository } from "./server.mjs";
import { deadline, within } from "./waiting.mjs";

/** The port that the documents print, which is the default of `fanfare dev`. */
export const PRINTED_PORT = 8300;

/**
 * The fenced code blocks of a document of this repository, such as those marked ```html title=echo.html.
 *
 * @param {string} file its path from the root of the repository
 * @returns {{language: string, title: string, text: string}[]}
 */
export function codeBlocks(file) {
  let markdown;
  try {
    markdown = readFileSync(path.join(repository, file), "utf8");
  } catch (error) {
    throw new Error(`${file} is missing, and its code cannot be tested: ${error.message}`, { cause: error });
  }
  const fences = markdown.matchAll(/^```(\w*)[ \t]*(.*)\n([^]*?)^```[ \t]*$/gm);
  return Array.from(fences, ([, language, info, text]) => ({
    language,
    title: /(?:^|\s)title=(\S+)/.exec(info)?.[1] ?? "",
    text,
  }));
}

/** The text of the one block of this language and title. */
export function codeBlock(file, language, title) {
  const found = codeBlocks(file).filter((block) => block.language === language && block.title === title);
  if (found.length !== 1) {
    throw new Error(`${file} has ${found.length} blocks marked \`\`\`${language} title=${title}; the test needs one`);
  }
  return found[0].text;
}

/** The flags that lead Chromium from the printed port to this one. */
export function chromiumFlags(port) {
  return [`--host-resolver-rules=MAP 127.0.0.1:${PRINTED_PORT} 127.0.0.1:${port}`];
}

/** A shell as a reader of the documents has it: at the root of the repository, with curl. */
export class Shell {
  #home;
  #running = new Set();

  /** @param {number} port where the server listens that the printed commands mean */
  constructor(port) {
    this.#home = mkdtempSync(path.join(os.tmpdir(), "fanfare-shell-"));
    const lines = [`connect-to = "127.0.0.1:${PRINTED_PORT}:127.0.0.1:${port}"`];
    writeFileSync(path.join(this.#home, ".curlrc"), `${lines.join("\n")}\n`);
  }

  /**
   * Starts a command and leaves it running.
   *
   * @param {string} command
   * @returns {{command: string, output: string, errors: string, ended: Promise<number|string>}}
   */
  start(command) {
    const child = spawn("sh", ["-c", command], {
      cwd: repository,
      env: { ...process.env, CURL_HOME: this.#home },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that ending a loop ends what it runs.
      detached: true,
    });
    const run = { command, output: "", errors: "" };
    child.stdout.on("data", (bytes) => (run.output += bytes));
    child.stderr.on("data", (bytes) => (run.errors += bytes));
    run.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => resolve(signal ?? code));
    });
    this.#running.add(child);
    run.ended.then(() => this.#running.delete(child));
    return run;
  }

  /** Runs a command to its end and gives its output; fails if it fails. */
  async run(command) {
    const run = this.start(command);
    const status = await within(`the end of \`${command}\``, deadline(20_000), run.ended);
    if (status !== 0) throw new Error(`\`${command}\` ended with ${status}:\n${run.errors}${run.output}`);
    return run.output;
  }

  /** Ends what is still running. */
  stop() {
    for (const child of this.#running) {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch (error) {
        // It may have ended by itself in this very moment.
        if (error.code !== "ESRCH") throw error;
      }
    }
    rmSync(this.#home, { recursive: true, force: true });
  }
}
