/**
 * What a worker and a child process cost: the time to the first answer, and memory.
 *
 *     deno run -A bench/ways.ts
 *
 * @module
 */

import {
  createConnection,
  ForkingTCPServer,
  type Socket,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "@socketserver/socketserver";
import { median } from "./statistics.ts";

/** Answers each line. */
export class Echo extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

type Server = ThreadingTCPServer | ForkingTCPServer;

/** How many workers or children there are. */
const COUNT = 4;

/** Milliseconds from the connect to the answer, and the connection. */
async function ask(server: Server): Promise<[number, Socket]> {
  const from = performance.now();
  const client = await createConnection(server.serverAddress);
  await client.sendall(new TextEncoder().encode("hello\n"));
  await client.recv(100);
  return [performance.now() - from, client];
}

/** Memory of a process that no other has, in MiB. */
async function privateMemory(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
  const parts = text.matchAll(/^Private_\w+: +(\d+) kB/gm);
  return Array.from(parts, ([, kib]) => Number(kib) / 1024)
    .reduce((sum, part) => sum + part, 0);
}

async function measure(name: string, server: Server): Promise<void> {
  const serving = server.serveForever();
  const clients: Socket[] = [];
  const cold: number[] = [];
  const warm: number[] = [];
  const before = await privateMemory(Deno.pid);
  for (let i = 0; i < COUNT; i++) {
    const [time, client] = await ask(server);
    cold.push(time);
    clients.push(client);
  }
  const children = "activeChildren" in server
    ? [...server.activeChildren ?? []]
    : [];
  const memory = children.length > 0
    ? median(await Promise.all(children.map(privateMemory)))
    : (await privateMemory(Deno.pid) - before) / COUNT;
  for (const client of clients) client.close();
  for (let i = 0; i < 20; i++) {
    const [time, client] = await ask(server);
    warm.push(time);
    client.close();
  }
  await server.shutdown();
  await serving;
  await server.serverClose();
  console.log(
    `${name}: first answer ${median(cold).toFixed(0)} ms, ` +
      `later ${median(warm).toFixed(1)} ms, ${memory.toFixed(0)} MiB each`,
  );
}

if (import.meta.main) {
  const address: [string, number] = ["127.0.0.1", 0];
  await measure(
    "a worker",
    new ThreadingTCPServer(address, Echo, { maxWorkers: COUNT }),
  );
  await measure(
    "a child",
    new ForkingTCPServer(address, Echo, { maxChildren: COUNT }),
  );
}
