/**
 * The rooms of the library are layers: a module imports from its own room and from rooms below it, types
 * included, and no modules import each other in a circle. Only the lowest rooms that touch the system name
 * `Deno` or `node:`. No two files share a name, nor do two classes, exported functions or exported types.
 */

import { assert, assertEquals } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";

/** The rooms from top to bottom. Rooms on one line do not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["mod.ts", "testing.ts", "telemetry.ts"],
  ["mixins.ts", "internal/testing", "internal/telemetry"],
  ["internal/mixins"],
  ["internal/workers", "internal/children"],
  ["server.ts", "handlers.ts"],
  ["internal/handlers"],
  ["internal/blocking"],
  ["internal/channel"],
  ["internal/handoff"],
  ["internal/server"],
  ["internal/requests"],
  ["internal/stages"],
  ["ssl.ts"],
  ["socket.ts"],
  ["internal/ssl"],
  ["internal/socket"],
  ["internal/files"],
  ["internal/runtime/opening"],
  ["internal/runtime/inherited"],
  ["internal/runtime/unix"],
  ["internal/runtime/node"],
  ["internal/runtime/deno"],
  ["internal/runtime/tls"],
  ["internal/runtime/resolver"],
  ["internal/runtime/transport"],
  ["internal/runtime/system"],
  ["internal/waiting", "internal/proxy"],
  ["internal/base"],
];

/** The rooms whose work is to call the system, and the folders of such rooms. */
const RUNTIME_ROOMS = [
  "internal/runtime",
  "internal/workers",
  "internal/children",
];

/** The names of the system that rooms below those of the runtime need. */
const ALLOWED_NAMES: readonly string[] = [
  "internal/base/errno.ts: Deno.build", // the numbers of errors differ between systems
  "internal/waiting/timeouts.ts: Deno.unrefTimer", // a timeout must not keep the process alive
];

/** The names of the system that still stand outside the rooms of the runtime. */
const KNOWN_NAMES: readonly string[] = [
  "internal/server/inside_server.ts: node:async_hooks",
  "internal/server/serve.ts: Deno.Signal",
  "internal/server/serve.ts: Deno.addSignalListener",
  "internal/server/serve.ts: Deno.build",
  "internal/server/serve.ts: Deno.removeSignalListener",
];

const ROOT = new URL("../../", import.meta.url);

/** Asserts that each name that was found is an exception, and that each exception was found. */
function assertKnown(found: Iterable<string>, known: readonly string[]): void {
  const all = new Set(found);
  assertEquals({
    unknown: [...all].filter((entry) => !known.includes(entry)),
    noLongerNeeded: known.filter((entry) => !all.has(entry)),
  }, { unknown: [], noLongerNeeded: [] });
}

/** Removes comments, whose examples may import and name anything. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(?<![:"'`\w])\/\/[^\n]*/g, "");
}

/** The library's modules by path, without their comments. */
function modules(): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (folder: string) => {
    for (
      const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))
    ) {
      if (isDirectory && folder !== "") visit(`${folder}${name}/`);
      if (!name.endsWith(".ts")) continue;
      const path = folder + name;
      const source = Deno.readTextFileSync(new URL(path, ROOT));
      found.set(path, withoutComments(source));
    }
  };
  visit("");
  visit("internal/");
  return found;
}

/** The modules that a module imports, types included. */
function importsOf(path: string, source: string): string[] {
  const literals = source.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return Array.from(
    literals,
    ([, specifier]) =>
      new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length),
  );
}

/** The modules that run when a module is imported, built-in ones too, without types and dynamic imports. */
function loadedWith(path: string, sources: Map<string, string>): string[] {
  const loaded = new Set<string>([path]);
  for (const next of loaded) {
    const statements = (sources.get(next) ?? "").matchAll(
      /^(?:import|export)(?! type\b)(?: [^;"]+ from)? "([^"]+)";/gm,
    );
    for (const [, specifier] of statements) {
      const { href } = new URL(specifier, new URL(next, ROOT));
      loaded.add(href.replace(ROOT.href, ""));
    }
  }
  return [...loaded];
}

/** The room of a module: its folder, or itself in the root. */
function roomOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}

function layerOf(path: string): number {
  return LAYERS.findIndex((rooms) => rooms.includes(roomOf(path)));
}

/** The modules that can be reached from themselves. */
function circles(graph: Map<string, string[]>): string[] {
  const reaches = (from: string, to: string) => {
    const seen = new Set<string>();
    const rest = [...graph.get(from) ?? []];
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      if (next === to) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      rest.push(...graph.get(next) ?? []);
    }
    return false;
  };
  return [...graph.keys()].filter((path) => reaches(path, path)).sort();
}

/** The names that two or more of the entries share, each with the paths. */
function shared(entries: Iterable<[name: string, path: string]>): string[] {
  const paths = new Map<string, string[]>();
  for (const [name, path] of entries) {
    paths.set(name, [...paths.get(name) ?? [], path]);
  }
  return [...paths].filter(([, { length }]) => length > 1).map(([name, of]) =>
    `${name}: ${of.join(", ")}`
  );
}

/** A class, or an exported function, type or interface. */
interface Named {
  readonly name: string;
  readonly path: string;
  /** The type that a function returns, as its source has it. */
  readonly returned: string;
}

/** The classes of a module, and its exported functions, types and interfaces. An overload counts once. */
function namedIn(path: string, source: string): Named[] {
  const found = new Map<string, Named>();
  const declarations = source.matchAll(
    /^(?:export )?(?:abstract )?class (\w+)|^export (?:type|interface) (\w+)|^export (?:async )?function\*? (\w+)|^export const (\w+) = class\b/gm,
  );
  for (
    const { index, 1: ofClass, 2: ofType, 3: ofFunction, 4: ofConstant }
      of declarations
  ) {
    const name = ofClass ?? ofType ?? ofFunction ?? ofConstant;
    const end = ofFunction && /\)(?:: (.*))? \{$/m.exec(source.slice(index));
    found.set(name, { name, path, returned: end?.[1] ?? "" });
  }
  return [...found.values()];
}

/** Reports whether a function is named after the type that it returns: `osError()` returns an `OSError`. */
function isNamedAfter({ returned }: Named, type: Named): boolean {
  return returned.match(/\w+/g)?.includes(type.name) ?? false;
}

const ignore = !granted({ name: "read", path: ROOT });

Deno.test("each module stands in a room that has a layer", { ignore }, () => {
  assertEquals([...modules().keys()].filter((path) => layerOf(path) < 0), []);
});

Deno.test("imports go down only", { ignore }, () => {
  const wrong: string[] = [];
  for (const [path, source] of modules()) {
    for (const target of importsOf(path, source)) {
      const sameRoom = roomOf(path) === roomOf(target);
      if (!sameRoom && layerOf(target) <= layerOf(path)) {
        wrong.push(`${path} imports ${target}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no modules import each other in a circle", { ignore }, () => {
  const graph = new Map<string, string[]>();
  for (const [path, source] of modules()) {
    graph.set(path, importsOf(path, source));
  }
  assertEquals(circles(graph), []);
});

Deno.test(
  "only the rooms of the runtime name Deno or node:",
  { ignore },
  () => {
    const wrong: string[] = [];
    for (const [path, source] of modules()) {
      if (RUNTIME_ROOMS.some((room) => path.startsWith(`${room}/`))) continue;
      for (const [found] of source.matchAll(/\bDeno\.\w+|\bnode:\w+/g)) {
        wrong.push(`${path}: ${found}`);
      }
    }
    assertKnown(wrong, [...ALLOWED_NAMES, ...KNOWN_NAMES]);
  },
);

Deno.test("no two files of the library share a name", { ignore }, () => {
  const entries = [...modules().keys()].map((path): [string, string] => [
    path.slice(path.lastIndexOf("/") + 1),
    path,
  ]);
  assertEquals(shared(entries), []);
});

Deno.test(
  "no two classes, exported functions or types share a name, in capitals or not",
  { ignore },
  () => {
    const all = [...modules()].flatMap(([path, source]) =>
      namedIn(path, source)
    );
    const alike = Map.groupBy(all, ({ name }) => name.toLowerCase());
    const entries = all.filter((each) =>
      !alike.get(each.name.toLowerCase())!.some((other) =>
        other.name !== each.name && isNamedAfter(each, other)
      )
    );
    assert(entries.length > 500, `only ${entries.length} names were found`);
    assertEquals(
      shared(entries.map(({ name, path }) => [name.toLowerCase(), path])),
      [],
    );
  },
);

/** The modules of a room that every program loads: the mix-in, and the functions that name a missing part. */
const PARTS = new Map<string, RegExp>([
  ["internal/blocking", /\/blocking_(?:functions|thread)\.ts$/],
  [
    "internal/workers",
    /\/(?:threading|worker_limits|worker_acceptance|pool_errors)\.ts$/,
  ],
  ["internal/children", /\/(?:forking|forking_settings)\.ts$/],
  ["internal/channel", /^$/],
  ["internal/runtime/tls", /^$/],
  ["internal/ssl", /^$/],
  ["internal/telemetry", /^$/],
  ["internal/testing", /^$/],
]);

Deno.test(
  "the import of mod.ts loads no TLS, workers, children or blocking files",
  { ignore },
  () => {
    const loaded = loadedWith("mod.ts", modules());
    assert(loaded.length > 100, `only ${loaded.length} modules were found`);
    const needless = loaded.filter((path) =>
      PARTS.get(roomOf(path))?.test(path) === false
    );
    assertEquals(needless, []);
    assertEquals(
      loaded.filter((path) => path.startsWith("node:")).sort(),
      ["node:async_hooks", "node:diagnostics_channel"],
    );
  },
);

Deno.test(
  "each entry point checks the version of Deno first",
  { ignore },
  () => {
    const sources = modules();
    const entries = [...sources.keys()].filter((path) => !path.includes("/"));
    assert(
      entries.length > 5,
      `only ${entries.length} entry points were found`,
    );
    const first = /^(?:import|export)(?! type\b)[^;"]* "([^"]+)";/m;
    assertEquals(
      entries.filter((path) =>
        !first.exec(sources.get(path)!)![1].endsWith("/deno_version.ts")
      ),
      [],
    );
  },
);

Deno.test("the import of socket.ts loads no server", { ignore }, () => {
  const loaded = loadedWith("socket.ts", modules());
  assert(loaded.length > 50, `only ${loaded.length} modules were found`);
  const above = loaded.filter((path) =>
    path.startsWith("node:") ||
    layerOf(path) < LAYERS.findIndex(([room]) => room === "socket.ts")
  );
  assertEquals(above, []);
});
