/**
 * The targets of the benchmarks.
 *
 * @module
 */

/** A bound on what a contender reaches against another in the same run. */
export interface Target {
  /** The benchmark. */
  benchmark: string;
  /** The contender that is judged. */
  of: string;
  /** The contender that it is compared with; the value itself counts where there is none. */
  against?: string;
  /** How to compare. @default "ratio" */
  by?: "ratio" | "difference";
  /**
   * What counts, instead of the values: the growth of memory in MiB, or the processor time. Of that, the ratio is that of
   * the peer to the contender, so that more is better.
   */
  figure?: "memory" | "processor time";
  /** The least that is good. */
  atLeast?: number;
  /** The most that is good. */
  atMost?: number;
  /** The target before this one, and why it was raised, lowered or exchanged. */
  changed?: { from: string; why: string };
}

/** Targets of one benchmark: contender, peer, the least ratio. */
function atLeast(
  benchmark: string,
  ...rows: [of: string, against: string, atLeast: number][]
): Target[] {
  return rows.map(([of, against, least]) => ({
    benchmark,
    of,
    against,
    atLeast: least,
  }));
}

/** The same, by processor time. */
function byProcessorTime(...rows: Parameters<typeof atLeast>): Target[] {
  return atLeast(...rows).map((target) => ({
    ...target,
    figure: "processor time",
  }));
}

/** Targets with what they were before, and why that changed. */
function changed(from: string, why: string, targets: Target[]): Target[] {
  return targets.map((target) => ({ ...target, changed: { from, why } }));
}

/** Of an echo: each way to read beside the plain loop of its kind. */
function likeForLike(benchmark: string, fresh: string): Target[] {
  return changed(
    "0.97 by rate, of the loop that keeps its buffer",
    "each way to read has the plain loop of its kind beside it, by processor time: a rate also holds the time in which " +
      "the load generator sleeps and is woken",
    byProcessorTime(
      benchmark,
      ["socketserver recv", fresh, 0.95],
      ["socketserver recvInto", "Deno.listen", 0.95],
    ),
  );
}

/** Of an echo: each way to read beside Node and CPython. */
function beside(benchmark: string, node: number, python: number): Target[] {
  return byProcessorTime(
    benchmark,
    ...["socketserver recv", "socketserver recvInto"].flatMap((
      of,
    ): [string, string, number][] => [
      [of, "node:net in Node", node],
      [of, "CPython threading", python],
    ]),
  );
}

/** All targets. */
export const TARGETS: readonly Target[] = [
  ...["echo-64", "echo-512"].flatMap((name) => [
    ...likeForLike(name, "Deno.listen, fresh arrays of 1 KiB"),
    ...changed(
      "1.15 of Node and 1.3 of CPython, by rate",
      "by processor time, as above; at 1.3 the load generator was the limit of CPython's server",
      beside(name, 1.15, 1.25),
    ),
  ]),
  ...likeForLike("bulk", "Deno.listen, fresh arrays"),
  ...changed(
    "1.3 of Node by rate, and none of CPython",
    "as for small messages; 1.3 of Node stays, because it was reached",
    beside("bulk", 1.3, 1.25),
  ),
  ...atLeast("bulk", ["socketserver rfile, readinto1", "Deno.listen", 0.9]),
  ...atLeast("lines", ["socketserver", "CPython threading", 1.2]),
  ...atLeast("lines-pipelined", ["socketserver", "CPython threading", 2]),
  ...changed(
    "0.9",
    "raised: it was reached",
    atLeast("connect", ["socketserver", "Deno.listen", 1]),
  ),
  ...atLeast("connect", ["socketserver", "CPython threading", 2]),
  ...changed(
    "10",
    "lowered where the parent accepts: passing a connection to a child costs more than a tenth of CPython's fork. With " +
      "`acceptIn` the target stays",
    atLeast("connect-forking", ["socketserver", "CPython forking", 3]),
  ),
  ...atLeast(
    "connect-forking",
    ["socketserver, acceptIn children", "CPython forking", 10],
  ),
  ...["socketserver AsyncUDPServer", "socketserver UDPServer"].flatMap((of) => [
    ...changed(
      "0.9",
      "raised: several receives under way do more than the plain loop's one",
      atLeast("udp", [of, "Deno.listenDatagram", 1.05]),
    ),
    ...atLeast("udp", [of, "CPython UDPServer", 1]),
  ]),
  ...changed(
    "9 KiB, and 1.15 of a plain loop with 1 KiB",
    "raised: most of it is Deno's and V8's, as explained below",
    [{ benchmark: "idle", of: "socketserver", atMost: 11.5 }],
  ),
  { benchmark: "idle-settled", of: "socketserver", atMost: 9 },
  ...changed(
    "9 KiB, and 1.15 of a plain loop with 1 KiB",
    "exchanged: a loop that gives its arrays away leaves as much behind",
    [{
      benchmark: "idle-quiet",
      of: "socketserver",
      against: "Deno.listen, fresh arrays of 1 KiB",
      atMost: 1.3,
    }],
  ),
  ...changed(
    "0.9",
    "raised: idle connections should cost a neighbour nothing",
    atLeast("idle-neighbour", ["beside the idle", "alone", 0.95]),
  ),
  ...changed(
    "0.95",
    "lowered where the parent accepts: each byte crosses two threads, and takes at least the time of the rings alone",
    atLeast("threads", ["ThreadingTCPServer", "AsyncTCPServer", 0.6]),
  ),
  ...byProcessorTime(
    "threads",
    ["ThreadingTCPServer, acceptIn workers", "AsyncTCPServer", 0.83], // 1.2 times its time
  ),
  ...changed(
    "1.9",
    "lowered: two processors also run the main thread and the load generator",
    atLeast("threads-work", ["ThreadingTCPServer", "AsyncTCPServer", 1.65]),
  ),
  ...atLeast(
    "threads-work",
    ["ThreadingTCPServer, acceptIn workers", "AsyncTCPServer", 1.75],
  ),
  ...changed(
    "0.5",
    "raised: it was reached",
    atLeast("threads-bulk", ["ThreadingTCPServer", "AsyncTCPServer", 0.55]),
  ),
  ...changed(
    "0.97 by rate",
    "by processor time: three percent are less than the rate varies by",
    byProcessorTime("timeout", ["with settimeout", "without", 0.97]),
  ),
  ...["tls-echo", "tls-bulk"].flatMap((benchmark) =>
    byProcessorTime(benchmark, ["socketserver", "node:tls in Deno", 0.95])
  ),
  {
    benchmark: "tls-idle",
    of: "socketserver",
    against: "node:tls in Deno",
    atMost: 1.15,
  },
  ...atLeast("sendfile", ["socketserver", "readable.pipeTo", 0.9]),
  { benchmark: "sendfile", of: "socketserver", figure: "memory", atMost: 32 },
  {
    benchmark: "import",
    of: "mod.ts",
    against: "empty program",
    by: "difference",
    atMost: 35,
  },
  ...[100, 1_000].flatMap((count) =>
    atLeast("growth", [`socketserver, ${count}`, "socketserver, 10", 0.75])
  ),
  ...changed(
    "0.75 of itself with 10 connections",
    "exchanged: the plain loop falls further, and even C falls below that",
    atLeast("growth", ["socketserver, 10000", "Deno.listen, 10000", 0.95]),
  ),
];
