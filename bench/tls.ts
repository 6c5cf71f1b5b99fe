/**
 * The comparisons over TLS. All servers have the same certificate, which is made here.
 *
 * @module
 */

import { Authority } from "../tests/helpers/certificates.ts";
import { idleCosts } from "./idle.ts";
import { compare, type Comparison, type Contender } from "./measure.ts";
import { deno } from "./peers.ts";
import type { Plan } from "./plan.ts";
import type { Outcome } from "./results.ts";
import { temporaryFolder } from "./tools.ts";

/** Writes a certificate and its key, of P-256, to a file, and returns its path. */
function certificateFile(): string {
  const path = `${temporaryFolder()}/certificate.pem`;
  const { cert, key } = new Authority().issue({
    name: "localhost",
    hosts: ["localhost", "127.0.0.1"],
  });
  Deno.writeTextFileSync(path, cert + key);
  return path;
}

/** The servers that echo over TLS; `pem` is the file with certificate and key. */
function echoes(pem: string): Record<string, Contender> {
  return {
    "socketserver": deno("servers/serve_tls.ts", pem),
    "node:tls in Deno": deno("peers/node_tls.mjs", pem),
    "node:tls in Node": { server: ["node", "peers/node_tls.mjs", pem] },
    "Deno.listenTls": deno("peers/deno_listen_tls.ts", pem),
    "Bun.listen": { server: ["bun", "peers/bun_listen.mjs", pem] },
    "CPython threading": { server: ["python3", "peers/python_ssl.py", pem] },
  };
}

/**
 * The comparisons by load.
 *
 * @param pem The file with certificate and key.
 */
export const tlsComparisons = (pem: string): Record<string, Comparison> => ({
  "tls-echo": {
    title: "Echo of 64 bytes over 64 TLS connections",
    unit: "requests/s",
    load: ["tls_echo", 64, 64, 1],
    contenders: echoes(pem),
  },
  "tls-bulk": {
    title: "Echo of 64 KiB over 8 TLS connections",
    unit: "requests/s",
    load: ["tls_echo", 8, 65536, 1],
    contenders: echoes(pem),
  },
  "tls-handshake": {
    title: "Connect, full TLS handshake, echo 64 bytes, close; 16 at a time",
    unit: "handshakes/s",
    load: ["tls_connect", 16, 64],
    contenders: echoes(pem),
  },
});

/** The benchmarks by name. */
export function tlsBenchmarks(): Map<
  string,
  (plan: Plan) => Promise<Omit<Outcome, "command">>
> {
  const names = Object.keys(tlsComparisons(""));
  const all = new Map(names.map((name) => [
    name,
    (plan: Plan) => compare(tlsComparisons(certificateFile())[name], plan),
  ]));
  return all.set("tls-idle", tlsIdle);
}

/** The connections at most: those of CPython and Bun take 44 ms each, because their answers wait for an ACK. */
const IDLE = 1000;

/** Memory of TLS connections that have echoed once. */
async function tlsIdle(plan: Plan): Promise<Omit<Outcome, "command">> {
  const pem = certificateFile();
  const contenders = {
    ...echoes(pem),
    "Deno.listenTls, 1 KiB": deno("peers/deno_listen_tls.ts", pem, "1024"),
  };
  return {
    title: "Memory of an idle TLS connection, of 1,000",
    unit: "KiB",
    ...await idleCosts(contenders, {
      ...plan,
      rounds: 1,
      connections: Math.min(IDLE, plan.connections),
    }, "tls_idle"),
  };
}
