/**
 * The table of what is measured beside every peer.
 *
 * @module
 */

import { digits, markdownTable } from "./markdown.ts";
import type { Outcome, Results } from "./results.ts";
import { ratio } from "./statistics.ts";
import { type Target, TARGETS } from "./targets.ts";

/** The peers, and how the contenders are called that are theirs. */
const PEERS: [peer: string, names: RegExp][] = [
  ["plain Deno", /^Deno\.|^readable\.|^fork and send|^rings|^empty program$/],
  ["`node:` in Deno", /^node:.* in Deno$/],
  ["Node", / in Node$/],
  ["Bun", /^Bun|in Bun$/],
  ["CPython", /^CPython (?!asyncio)/],
  ["asyncio", /^CPython asyncio$/],
  ["C", /^C /],
];

/**
 * Each contender that a target judges, with its rate as a multiple of that of each peer, and in brackets the peer's
 * processor time as a multiple of its own. Of memory and time, less is better.
 */
export function peerTable(results: Results): string {
  const seen = new Set<string>();
  const rows = TARGETS.flatMap(({ benchmark, of }) => {
    const outcome = results[benchmark];
    const name = `\`${benchmark}\`, ${of}`;
    if (seen.has(name) || !outcome?.contenders[of]) return [];
    seen.add(name);
    const cells = PEERS.map(([, names]) => cell(benchmark, outcome, of, names));
    return [[
      lessIsBetter(outcome) ? `${name} (less is better)` : name,
      ...cells,
    ]];
  });
  return markdownTable(["", ...PEERS.map(([peer]) => peer)], rows);
}

function lessIsBetter({ unit }: Outcome): boolean {
  return unit === "KiB" || unit === "ms";
}

function cell(
  benchmark: string,
  outcome: Outcome,
  of: string,
  names: RegExp,
): string {
  const peer = peerOf(benchmark, outcome, of, names);
  if (peer === undefined) return "";
  const [own, other] = [of, peer].map((name) => outcome.contenders[name]);
  const rate = digits(ratio(own.values, other.values));
  return own.cost && other.cost
    ? `${rate} (${digits(other.cost / own.cost)})`
    : rate;
}

/** The contender of a peer that a target compares with, or that does the same, or else its first. */
function peerOf(
  benchmark: string,
  { contenders }: Outcome,
  of: string,
  names: RegExp,
): string | undefined {
  const found = Object.keys(contenders).filter((name) => names.test(name));
  const named = (target: Target) =>
    target.benchmark === benchmark && target.of === of &&
    found.includes(target.against ?? "");
  const same = of.replace(/^socketserver/, "");
  return TARGETS.find(named)?.against ??
    found.find((name) => name.endsWith(same)) ?? found[0];
}
