/**
 * What is to be reached, and whether it is.
 *
 * @module
 */

import type { Results } from "./results.ts";
import { difference, ratio } from "./statistics.ts";

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
}

/** A target with what was reached. */
export interface Verdict {
  /** The target. */
  target: Target;
  /** What was reached; undefined where a contender was not there. */
  reached: number | undefined;
  /** Whether that is good; undefined where nothing was reached. */
  good: boolean | undefined;
}

/** By how much a figure may be worse than the recorded one. */
export const TOLERANCE = 0.15;

/** What was reached of a target; undefined where a contender was not there. */
export function reached(
  { benchmark, of, against, by, figure }: Target,
  results: Results,
): number | undefined {
  const contenders = results[benchmark]?.contenders ?? {};
  const judged = contenders[of];
  if (figure === "memory") return judged?.memory;
  if (against === undefined) return judged?.median;
  const peer = contenders[against];
  if (!judged || !peer) return undefined;
  if (figure === "processor time") return peer.cost! / judged.cost!;
  return by === "difference"
    ? difference(judged.values, peer.values)
    : ratio(judged.values, peer.values);
}

/** Judges a target by results. */
export function judge(target: Target, results: Results): Verdict {
  const value = reached(target, results);
  const { atLeast = -Infinity, atMost = Infinity } = target;
  const good = value === undefined
    ? undefined
    : value >= atLeast && value <= atMost;
  return { target, reached: value, good };
}

/** Whether a figure is worse than the recorded one by more than the tolerance. */
export function fell(
  target: Target,
  recorded: number,
  now: number,
): boolean {
  return target.atLeast !== undefined
    ? now < recorded * (1 - TOLERANCE)
    : now > recorded * (1 + TOLERANCE);
}

/** Those targets whose figures fell; those that cannot be compared do not count. */
export function fallen(
  targets: readonly Target[],
  recorded: Results,
  now: Results,
): Target[] {
  return targets.filter((target) => {
    const before = reached(target, recorded);
    const after = reached(target, now);
    return before !== undefined && after !== undefined &&
      fell(target, before, after);
  });
}

/** A target in words: what, against what, and the bound. */
export function describe(target: Target): string {
  const { benchmark, of, against, by, figure, atLeast, atMost } = target;
  const sign = by === "difference" ? " - " : " / ";
  const what = against === undefined ? of : of + sign + against;
  const bound = atLeast !== undefined
    ? `at least ${atLeast}`
    : `at most ${atMost}`;
  return `${benchmark}: ${what}${figure ? `, ${figure}` : ""}: ${bound}`;
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

/** All targets. */
export const TARGETS: readonly Target[] = [
  ...["echo-64", "echo-512"].flatMap((name) =>
    atLeast(
      name,
      ["socketserver", "Deno.listen", 0.97],
      ["socketserver", "node:net in Node", 1.15],
      ["socketserver", "CPython threading", 1.3],
    )
  ),
  ...atLeast(
    "bulk",
    ["socketserver recvInto", "Deno.listen", 0.97],
    ["socketserver recv", "Deno.listen, fresh arrays", 0.97],
    ["socketserver recv", "node:net in Node", 1.3],
    ["socketserver rfile, readinto1", "Deno.listen", 0.9],
  ),
  ...atLeast("lines", ["socketserver", "CPython threading", 1.2]),
  ...atLeast("lines-pipelined", ["socketserver", "CPython threading", 2]),
  ...atLeast(
    "connect",
    ["socketserver", "Deno.listen", 0.9],
    ["socketserver", "CPython threading", 2],
  ),
  ...atLeast("connect-forking", ["socketserver", "CPython forking", 10]),
  ...atLeast(
    "udp",
    ["socketserver", "Deno.listenDatagram", 0.9],
    ["socketserver", "CPython UDPServer", 1],
  ),
  { benchmark: "idle", of: "socketserver", atMost: 9 },
  {
    benchmark: "idle",
    of: "socketserver",
    against: "Deno.listen, 1 KiB",
    atMost: 1.15,
  },
  { benchmark: "idle-quiet", of: "socketserver", atMost: 9 },
  {
    benchmark: "idle-quiet",
    of: "socketserver",
    against: "Deno.listen, 1 KiB",
    atMost: 1.15,
  },
  ...atLeast("idle-neighbour", ["beside the idle", "alone", 0.9]),
  ...atLeast("threads", ["ThreadingTCPServer", "AsyncTCPServer", 0.95]),
  ...atLeast("threads-work", ["ThreadingTCPServer", "AsyncTCPServer", 1.9]),
  ...atLeast("threads-bulk", ["ThreadingTCPServer", "AsyncTCPServer", 0.5]),
  ...atLeast("timeout", ["with settimeout", "without", 0.97]),
  ...["tls-echo", "tls-bulk"].map((benchmark): Target => ({
    benchmark,
    of: "socketserver",
    against: "node:tls in Deno",
    figure: "processor time",
    atLeast: 0.95,
  })),
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
  ...[100, 1_000, 10_000].flatMap((count) =>
    atLeast("growth", [`socketserver, ${count}`, "socketserver, 10", 0.75])
  ),
];
