/**
 * A server with workers in a process of its own: prints its address, and answers each line on stdin with
 * the most memory that the process had; at "open" it lets slow handlers go on. Run by
 * `threading_memory_test.ts`, with all permissions, which Deno wants for /proc.
 */

import { ThreadingTCPServer } from "../../mod.ts";
import { Chosen } from "./threading_handlers.ts";

/** The most memory that this process had, in bytes. */
function peak(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(status)![1]);
}

const shared = new Int32Array(new SharedArrayBuffer(4));
await using server = new ThreadingTCPServer(["127.0.0.1", 0], Chosen, {
  shared,
  maxWorkers: 2,
});
const served = server.serveForever();
console.log(JSON.stringify(server.serverAddress));

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const line of lines) {
  if (line.startsWith("open")) {
    shared[0] = 1;
    Atomics.notify(shared, 0);
  }
  console.log(peak());
}
await server.shutdown();
await served;
