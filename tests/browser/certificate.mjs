// A certificate of a test's own, and how Chromium is told to take it and no other.

import { execFileSync } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** A self-signed certificate for 127.0.0.1, in a directory that {@link remove} takes away. */
export class Certificate {
  #directory = mkdtempSync(path.join(os.tmpdir(), "fanfare-certificate-"));
  /** The PEM files. */
  chain = path.join(this.#directory, "chain.pem");
  key = path.join(this.#directory, "key.pem");

  constructor() {
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const whose = ["-subj", "/CN=fanfare test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
    const files = ["-keyout", this.key, "-out", this.chain];
    execFileSync("openssl", ["req", "-x509", ...kind, ...whose, ...files], { stdio: "pipe", timeout: 20_000 });
  }

  /** The flag with which Chromium takes it. */
  get flag() {
    const { publicKey } = new X509Certificate(readFileSync(this.chain));
    const spki = publicKey.export({ type: "spki", format: "der" });
    return `--ignore-certificate-errors-spki-list=${createHash("sha256").update(spki).digest("base64")}`;
  }

  remove() {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
