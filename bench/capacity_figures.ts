/**
 * Measures what a connection and a request cost in each way to run.
 *
 * @module
 */

import { Authority } from "../tests/helpers/certificates.ts";
import { Lines } from "./lines.ts";
import { deno, ours } from "./peers.ts";
import { type Command, ServerProcess } from "./server_process.ts";
import type { Costs } from "./simulation.ts";
import { program, temporaryFolder } from "./tools.ts";

/** What was measured of a way to run. */
export interface Figures {
  /** MiB of the server, its workers and its children without connections. */
  baseMiB: number;
  /**
   * KiB for each connection that has echoed once, without the buffers of the system; null if the server has one
   * connection at a time.
   */
  connectionKiB: number | null;
  /** An echo of 64 bytes on an open connection, of 64, or on one. */
  echo: Costs;
  /** Connect, echo, close; 16 at a time. */
  connect: Costs;
}

/** Seconds of load for each figure, and before it: children start in that time. */
const SECONDS = 2;
const WARM_UP = 3;

/** The rounds, of which the cheapest counts: other programs make a processor slower, and never faster. */
const ROUNDS = 4;

/** The counts of connections between which the memory of one is measured. */
const CONNECTIONS = [500, 4500];

/** The server of each way, and the prefix of its load generators. */
function servers(): Record<string, [server: Command, prefix: string]> {
  const pem = `${temporaryFolder()}/certificate.pem`;
  const { cert, key } = new Authority().issue({
    name: "localhost",
    hosts: ["localhost", "127.0.0.1"],
  });
  Deno.writeTextFileSync(pem, cert + key);
  const processors = navigator.hardwareConcurrency;
  const children = { maxChildren: processors };
  const workersAccept = { acceptIn: "workers", maxWorkers: processors };
  const childrenAccept = { acceptIn: "children", maxChildren: processors + 1 };
  return {
    "TCPServer": [ours("TCPServer", "Echo").server, ""],
    "AsyncTCPServer": [ours("AsyncTCPServer", "Echo").server, ""],
    "AsyncTCPServer, TLS": [deno("servers/serve_tls.ts", pem).server, "tls_"],
    "ThreadingTCPServer": [ours("ThreadingTCPServer", "Echo").server, ""],
    "ThreadingTCPServer, acceptIn workers": [
      ours("ThreadingTCPServer", "Echo", JSON.stringify(workersAccept)).server,
      "",
    ],
    "ForkingTCPServer": [
      ours("ForkingTCPServer", "Echo", JSON.stringify(children)).server,
      "",
    ],
    "ForkingTCPServer, acceptIn children": [
      ours("ForkingTCPServer", "Echo", JSON.stringify(childrenAccept)).server,
      "",
    ],
  };
}

/** Measures ways to run: those that are named, or all. */
export async function measureFigures(
  names: string[],
): Promise<Record<string, Figures>> {
  const found: Record<string, Figures> = {};
  for (const [name, [server, prefix]] of Object.entries(servers())) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.error(name);
    const single = name === "TCPServer";
    found[name] = {
      ...single ? await memoryOfOne(server) : await memory(server, prefix),
      echo: await costs(server, `${prefix}echo`, [single ? 1 : 64, 64, 1]),
      connect: await costs(server, `${prefix}connect`, [16, 64]),
    };
  }
  return found;
}

/** Measures memory with few and with many connections: the difference is that of the connections. */
async function memory(
  command: Command,
  prefix: string,
): Promise<Pick<Figures, "baseMiB" | "connectionKiB">> {
  const [few, many] = [
    await memoryWith(command, prefix, CONNECTIONS[0]),
    await memoryWith(command, prefix, CONNECTIONS[1]),
  ];
  const connectionKiB = (many - few) / (CONNECTIONS[1] - CONNECTIONS[0]);
  const baseMiB = (few - CONNECTIONS[0] * connectionKiB) / 1024;
  return { baseMiB: short(baseMiB), connectionKiB: short(connectionKiB) };
}

/** Measures the memory of a server with one connection. */
async function memoryOfOne(
  command: Command,
): Promise<Pick<Figures, "baseMiB" | "connectionKiB">> {
  const kib = await memoryWith(command, "", 1);
  return { baseMiB: short(kib / 1024), connectionKiB: null };
}

async function memoryWith(
  command: Command,
  prefix: string,
  count: number,
): Promise<number> {
  await using server = await ServerProcess.start(command);
  const clients = new Deno.Command(await program(`load/${prefix}idle.c`), {
    args: [server.port, count].map(String),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = new Lines(clients.stdout);
  try {
    if (await lines.next() !== "open") throw new Error("Cannot connect");
    await server.quiet();
    return server.proportionalKiB;
  } finally {
    clients.kill("SIGKILL");
    await clients.status;
    await lines[Symbol.asyncDispose]();
  }
}

/** Measures the processor time of a request, that of the main thread apart. */
export async function costs(
  command: Command,
  load: string,
  args: number[],
): Promise<Costs> {
  await using server = await ServerProcess.start(command);
  await underLoad(server, load, args, WARM_UP);
  let least = { mainUs: Infinity, otherUs: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    const [all, main] = [server.processorSeconds, server.mainSeconds];
    const { count } = await underLoad(server, load, args, SECONDS);
    const mainUs = (server.mainSeconds - main) * 1e6 / count;
    const otherUs = (server.processorSeconds - all) * 1e6 / count - mainUs;
    if (mainUs + otherUs < least.mainUs + least.otherUs) {
      least = { mainUs: short(mainUs), otherUs: short(Math.max(0, otherUs)) };
    }
  }
  return least;
}

/** Loads a server for some seconds. */
export async function underLoad(
  server: ServerProcess,
  load: string,
  args: number[],
  seconds: number,
): Promise<{ count: number; seconds: number; busy: number }> {
  const { success, stdout } = await new Deno.Command(
    await program(`load/${load}.c`),
    { args: [server.port, ...args, seconds].map(String), stderr: "inherit" },
  ).output();
  if (!success) throw new Error(`The load generator ${load} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Three significant digits. */
function short(value: number): number {
  return Number(value.toPrecision(3));
}
