import config from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "../deps.ts";
import {
  categories,
  ENTRY_POINTS,
  graph,
  loaded,
  mayAsk,
  publishedFiles,
  root,
} from "./published.ts";

/** The entry points whose names mod.ts does not export. */
const APART = ["ssl.ts", "telemetry.ts", "testing.ts"];

/** Reports whether a published file is a module of the library. */
function isLibrary(path: string): boolean {
  return path.endsWith(".ts") && !/^(examples|deploy)\//.test(path);
}

Deno.test({
  name:
    "the module graphs of the entry points contain each published module of the library",
  ignore: !mayAsk,
  async fn() {
    const graphs = await Promise.all(
      ["mod.ts", ...APART].map((path) => graph(path)),
    );
    const all = graphs.flatMap(({ modules }) => modules);
    const own = new Set(all.map(({ specifier }) => specifier));
    const published = await publishedFiles();
    assertEquals(
      [...own].filter((path) => !path.startsWith("node:")).sort(),
      published.filter(isLibrary),
    );
  },
});

Deno.test({
  name: "mod.ts loads no module of workers and children before they are used",
  ignore: !mayAsk,
  async fn() {
    const found = [...loaded(await graph("mod.ts"))];
    const late =
      /\/(pool|worker|child)\.ts$|^node:(worker_threads|child_process)$/;
    assert(found.includes("internal/workers/threading.ts"));
    assertEquals(found.filter((path) => late.test(path)), []);
  },
});

Deno.test({
  name: "the socket entry point loads no server, handler or mix-in",
  ignore: !mayAsk,
  async fn() {
    const found = [...loaded(await graph("socket.ts"))];
    const rooms =
      /^(server|handlers|mixins|mod)\.ts$|^internal\/(server|handoff|workers|children|channel|blocking)\//;
    assertEquals(found.filter((path) => rooms.test(path)), []);
  },
});

Deno.test("mod.ts exports all names of the other entry points, except the separate ones", async () => {
  const all = await import("../../mod.ts");
  const missing: string[] = [];
  for (const [, path] of ENTRY_POINTS) {
    if (APART.includes(path)) continue;
    const part = await import(new URL(path, root).href);
    for (const [name, value] of Object.entries(part)) {
      if ((all as Record<string, unknown>)[name] !== value) missing.push(name);
    }
  }
  assertEquals(missing, []);
});

Deno.test("`deno task check`, a part of the checks, lints the documentation of each entry point", () => {
  const { command } = config.tasks.check;
  assertEquals(
    Array.from(command.matchAll(/deno doc --lint (\S+)/g), ([, path]) => path),
    ENTRY_POINTS.map(([, path]) => path),
  );
});

Deno.test({
  name: "each entry point has a module doc",
  ignore: !mayAsk,
  async fn() {
    for (const [, path] of ENTRY_POINTS) {
      const source = await Deno.readTextFile(new URL(path, root));
      assertMatch(source, /^\/\*\*\n(?: \*.*\n)+ \* @module\n \*\//, path);
    }
  },
});

/** The groups in which the registry shows the public symbols. */
const CATEGORIES = [
  ...["Servers", "Mix-ins", "Handlers", "Sockets", "Files", "Addresses"],
  ...["Errors", "Options", "Constants", "Testing", "TLS"],
  ...["Events", "Logs", "Metrics", "OpenTelemetry", "PROXY protocol"],
];

Deno.test({
  name: "each public symbol is in a category",
  ignore: !mayAsk,
  async fn() {
    const found = await categories();
    assert(found.size > 190, `only ${found.size} symbols were found`);
    const others = [...found].filter(([, category]) =>
      !CATEGORIES.includes(category!)
    );
    assertEquals(others.map((each) => each.join(": ")), []);
  },
});

Deno.test({
  name: "the module doc has the program of README.md, which docs_test runs",
  ignore: !mayAsk,
  async fn() {
    const read = (path: string) => Deno.readTextFile(new URL(path, root));
    const comment = (await read("mod.ts")).replaceAll(/^ \* ?/gm, "");
    const [, first] = /```ts ignore\n(.*?)```/s.exec(comment)!;
    const [, program] = /```ts\n(.*?)```/s.exec(await read("README.md"))!;
    assertEquals(first, program);
  },
});
