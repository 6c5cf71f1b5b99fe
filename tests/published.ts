/**
 * What would be published, as `deno publish --dry-run` and `deno info` say.
 *
 * @module
 */

import { granted } from "./helpers/allowed.ts";
import { boundedCommand } from "./helpers/within.ts";

/** The directory of the project. */
export const root: URL = new URL("..", import.meta.url);

/** Whether Deno can be asked. */
export const mayAsk: boolean = granted("run", "read");

async function said(
  ...args: string[]
): Promise<[stdout: string, stderr: string]> {
  const { success, stdout, stderr } = await boundedCommand(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const texts = [decoder.decode(stdout), decoder.decode(stderr)] as const;
  if (!success) throw new Error(`deno ${args.join(" ")}: ${texts[1]}`);
  return [...texts];
}

/** The files that would be published, as paths from the root of the project. */
export async function publishedFiles(): Promise<string[]> {
  const flags = ["--dry-run", "--allow-dirty", "--no-check", "--no-provenance"];
  const texts = await said("publish", ...flags);
  const urls = texts.join("\n").matchAll(/(file:\/\/\S+) \([\d.]+ ?[KM]?B\)/g);
  return [...urls].map(([, url]) => url.slice(root.href.length)).sort();
}

/** What of `deno info --json` is used. */
export interface Graph {
  /** Where it begins. */
  roots: string[];
  /** All modules. */
  modules: {
    specifier: string;
    dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[];
  }[];
}

/** The graph of the modules that `mod.ts` imports; their URLs are made paths from the root. */
export async function graph(): Promise<Graph> {
  const [json] = await said("info", "--json", "mod.ts");
  return JSON.parse(json.replaceAll(root.href, ""));
}

/** The modules of a graph that are loaded at once: all but those that are imported dynamically. */
export function loaded({ roots, modules }: Graph): Set<string> {
  const found = new Set(roots);
  const bySpecifier = new Map(modules.map((each) => [each.specifier, each]));
  for (const specifier of found) { // the set grows while it is walked
    for (const each of bySpecifier.get(specifier)?.dependencies ?? []) {
      if (each.code && !each.isDynamic) found.add(each.code.specifier);
    }
  }
  return found;
}
