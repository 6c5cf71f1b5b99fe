/**
 * Lists the files that would be published, by `deno publish --dry-run`, and their modules, by `deno info`.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { granted } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

/** The directory of the project. */
export const root: URL = new URL("../..", import.meta.url);

/** Whether Deno can be asked. */
export const mayAsk: boolean = granted("run", "read");

/** The entry points of the package: each subpath and its module. */
export const ENTRY_POINTS: readonly [subpath: string, path: string][] = Object
  .entries<string>(config.exports).map(([subpath, path]) => [
    subpath,
    path.slice(2),
  ]);

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

/** The parts of `deno info --json` that are used. */
export interface Graph {
  /** Where it begins. */
  roots: string[];
  /** All modules. */
  modules: {
    specifier: string;
    dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[];
  }[];
}

/** The graph of the modules that an entry point imports; their URLs are made paths from the root. */
export function graph(entryPoint: string): Promise<Graph> {
  return graphs[entryPoint] ??= readGraph(entryPoint);
}

const graphs: Record<string, Promise<Graph>> = {};

async function readGraph(entryPoint: string): Promise<Graph> {
  const [json] = await said("info", "--json", entryPoint);
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

/** The parts of `deno doc --json` that are used: the symbols of each module. */
interface Documented {
  nodes: Record<string, {
    symbols: {
      name: string;
      declarations: { jsDoc?: { tags?: { kind: string; doc?: string }[] } }[];
    }[];
  }>;
}

/** Returns the category of each public symbol of all entry points; undefined for a symbol without one. */
export async function categories(): Promise<Map<string, string | undefined>> {
  const paths = ENTRY_POINTS.map(([, path]) => path);
  const [json] = await said("doc", "--json", ...paths);
  const { nodes } = JSON.parse(json) as Documented;
  const found = new Map<string, string | undefined>();
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations } of symbols) {
      const tags = declarations.flatMap(({ jsDoc }) => jsDoc?.tags ?? []);
      const tag = tags.find(({ kind }) => kind === "category");
      // A symbol of two entry points has its documentation at one of them.
      found.set(name, tag?.doc?.trim() ?? found.get(name));
    }
  }
  return found;
}
