/**
 * Measures the connections that are lost when one of two servers that share a port by SO_REUSEPORT closes, with and
 * without the setting of Linux (5.14 or later) that passes them on to the other server:
 *
 *     deno run -A bench/operating/reuse_port.ts [restarts]
 *
 * Runs in a network of its own (`unshare`), so that the setting of the machine stays as it is.
 *
 * @module
 */

import {
  AsyncTCPServer,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import { Lines } from "../lines.ts";
import { type Counts, Load } from "./load.ts";

/** What was lost. */
export interface Loss {
  /** Of 60 connections in the backlogs of both servers, those that were reset when one closed. */
  queued: number;
  /** What clients saw while one server after the other was closed and started again; undefined without restarts. */
  counts?: Counts;
}

const OPTIONS = { allowReusePort: true, reportLostClients: false };
const HOST = "127.0.0.1";
const QUEUED = 60;
const text = new TextDecoder();

/** Answers one line, whether the server stops or not: what is lost then is lost in the backlog. */
class OneLine extends StreamRequestHandler {
  override timeout = 15;

  override async handle() {
    const line = await this.rfile.readline();
    await this.wfile.write(text.decode(line).toUpperCase());
  }
}

/**
 * Measures the losses.
 *
 * @param migrate The setting `net.ipv4.tcp_migrate_req`.
 * @param restarts The number of restarts under load.
 */
export async function measureLoss(
  migrate: boolean,
  restarts = 0,
): Promise<Loss> {
  const set = `ip link set lo up && ` +
    `echo ${Number(migrate)} >/proc/sys/net/ipv4/tcp_migrate_req && exec "$@"`;
  const { success, stdout } = await new Deno.Command("unshare", {
    args: [
      ...["--map-root-user", "--net", "sh", "-c", set, "sh", Deno.execPath()],
      ...["run", "-A", "--no-check", "--unstable-net", import.meta.filename!],
      ...["inside", String(restarts)],
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("Cannot measure in a network of its own");
  return JSON.parse(text.decode(stdout));
}

/** Fills the backlogs of two servers, closes one, and counts the clients that the other one does not answer. */
async function loseQueued(): Promise<number> {
  await using first = new AsyncTCPServer([HOST, 0], OneLine, OPTIONS);
  const { serverAddress: [hostname, port] } = first;
  await using second = new AsyncTCPServer([HOST, port], OneLine, OPTIONS);
  const clients = await Promise.all(
    Array.from({ length: QUEUED }, () => Deno.connect({ hostname, port })),
  );
  await first.serverClose();
  const serving = second.serveForever();
  const answered = await Promise.all(clients.map(async (client) => {
    using _client = client;
    try {
      await client.write(new TextEncoder().encode("hello\n"));
      return await client.read(new Uint8Array(64)) === 6;
    } catch {
      return false;
    }
  }));
  await second.shutdown();
  await serving;
  return answered.filter((one) => !one).length;
}

/** Closes and restarts two servers by turns, under load. */
async function loseUnderLoad(restarts: number): Promise<Counts> {
  const port = freePort();
  const servers = [await start(port), await start(port)];
  const load = new Load({ hostname: HOST, port }, 16, 0);
  for (let i = 0; i < restarts; i++) {
    const [child, lines] = servers[i % 2];
    child.kill("SIGTERM");
    await child.status;
    await lines[Symbol.asyncDispose]();
    servers[i % 2] = await start(port);
  }
  const counts = await load.stop();
  for (const [child, lines] of servers) {
    child.kill("SIGTERM");
    await child.status;
    await lines[Symbol.asyncDispose]();
  }
  return counts;
}

async function start(port: number): Promise<[Deno.ChildProcess, Lines]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--unstable-net", import.meta.filename!],
      ...["server", String(port)],
    ],
    stdout: "piped",
  }).spawn();
  const lines = new Lines(child.stdout);
  await lines.next();
  return [child, lines];
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

if (import.meta.main) {
  const [role, argument] = Deno.args;
  if (role === "inside") {
    const loss: Loss = { queued: await loseQueued() };
    if (argument !== "0") loss.counts = await loseUnderLoad(Number(argument));
    console.log(JSON.stringify(loss));
  } else if (role === "server") {
    const server = new AsyncTCPServer(
      [HOST, Number(argument)],
      OneLine,
      OPTIONS,
    );
    console.log("ready");
    await serve(server);
  } else {
    for (const migrate of [false, true]) {
      const loss = await measureLoss(migrate, Number(role ?? "20"));
      console.log(`tcp_migrate_req=${Number(migrate)}`, loss);
    }
  }
}
