/**
 * Why targets are missed: a line for each, which the page shows beside those that are. The page has the details.
 *
 * @module
 */

import type { Target } from "./targets.ts";

/** The reasons by benchmark; where one of its contenders has its own, by `benchmark: contender`. */
const REASONS: Record<string, string> = {
  "echo-64":
    "The stages of a server, a task for each connection and the checks of arguments take about a microsecond of a request",
  "echo-512":
    "As `echo-64`; 512 connections leave the processor's cache more often, and the module's have more objects",
  "bulk":
    "The kernel copies 64 KiB twice for each request, which is most of the time of every server but Node's: the plain " +
    "loop is no further ahead of CPython",
  "connect":
    "A connection has more objects than in the plain loop, which are made and collected",
  "connect-forking":
    "The parent accepts, passes each connection by a message, and wakes a child for it: that takes most of the time",
  "connect-forking: socketserver, acceptIn children":
    "Two processors run three children and the load generator, and a connection of `node:net` has more objects than one of Deno",
  "udp":
    "The stages of a server, a handler, a copy and the checks of arguments take about a microsecond of a datagram; the plain " +
    "loop itself is behind CPython",
  "idle":
    "A connection's objects take 1.5 KiB more than those of the plain loop, and V8's young generation, which shrinks later, " +
    "grows once more",
  "idle-quiet":
    "Each `recv` allocates the array that it returns, and V8 keeps the memory of those that it has collected",
  "idle-neighbour":
    "V8 marks the objects of the idle connections in each collection",
  "threads":
    "Each byte crosses two threads: the rings alone, without sockets, reach 0.8",
  "threads-work":
    "Two processors run the main thread, two workers and the load generator",
  "threads: ThreadingTCPServer, acceptIn workers":
    "A worker counts its connections in shared memory and reports their ends",
  "threads-work: ThreadingTCPServer, acceptIn workers":
    "Two processors run two workers and the load generator, whose part is the distance to 2",
  "threads-bulk": "Each byte is copied twice more, into the ring and out of it",
  "timeout":
    "A call with a timeout makes one object and reads the clock, and a send that can time out one more promise",
  "tls-echo": "A copy and a promise for each record, over what `node:tls` does",
  "tls-bulk":
    "The handler waits for each write before it reads the next record; `node:tls` passes each record on as it comes",
  "tls-idle":
    "The socket, its stream and its task come on top of the objects of `node:tls`: 5 KiB. The rest is heap that V8 gives back after half a minute",
  "import":
    "In one file the module would take 55 ms, 16 of them for `node:diagnostics_channel` and `node:async_hooks`, and Deno " +
    "takes 0.25 for each of the 184 files more",
  "growth: socketserver, 10000":
    "10,000 connections do not fit into the processor's cache",
};

/** Why a target is missed; undefined where nobody knows. */
export function reasonFor({ benchmark, of }: Target): string | undefined {
  return REASONS[`${benchmark}: ${of}`] ?? REASONS[benchmark];
}
