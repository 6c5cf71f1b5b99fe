/**
 * The examples in the comments of the library: each runs as a module without an error.
 *
 * `deno task test:examples` runs them as Deno finds them, in a worker each, which takes twenty times as long.
 */

import { assert } from "../deps.ts";
import { read, root, withDirectory } from "./docs_programs.ts";
import { granted } from "../helpers/allowed.ts";

const mayRun = granted("read", "write", "net", "env", "sys");

/** Returns the names of the modules in a directory, and below it if `deep`. */
function modulesIn(directory: string, deep: boolean): string[] {
  const entries = [...Deno.readDirSync(new URL(directory || ".", root))];
  return entries.flatMap(({ name, isDirectory }) => {
    const path = directory + name;
    if (isDirectory) return deep ? modulesIn(`${path}/`, deep) : [];
    return name.endsWith(".ts") ? [path] : [];
  }).sort();
}

/** Returns the examples in the comments of a module, with the lines at which they begin. */
function examplesOf(text: string): [line: number, code: string][] {
  const blocks = /^ *\* ```ts\n([^]*?)^ *\* ```$/gm;
  return Array.from(text.matchAll(blocks), ({ index, 1: code }) => [
    text.slice(0, index).split("\n").length,
    code.replaceAll(/^ *\* ?/gm, ""),
  ]);
}

/** The library: the public modules in the root, and `internal/`. */
const MODULES = mayRun
  ? [...modulesIn("", false), ...modulesIn("internal/", true)]
  : [];

for (const name of MODULES) {
  for (const [line, code] of examplesOf(read(name))) {
    Deno.test(`the example at ${name}:${line} runs`, () =>
      withDirectory(async (directory) => {
        const file = `${directory}/${name.replaceAll("/", "_")}_${line}.ts`;
        await Deno.writeTextFile(file, code);
        await import(`file://${file}`);
      }));
  }
}

Deno.test({
  name: "every example in the comments of the library is found",
  ignore: !mayRun,
  fn() {
    for (const name of MODULES) {
      const text = read(name);
      const fences = text.matchAll(/^ *\* ```(ts|js|typescript)$/gm).toArray();
      assert(fences.length === examplesOf(text).length, name);
    }
  },
});

Deno.test({
  name: "every tag in the comments of the library begins its line",
  ignore: !mayRun,
  fn() {
    const tag =
      /^ *(?:\/\*\*|\*) .*\w.* @(?:default|param|returns|throws)\b.*/m;
    for (const name of MODULES) {
      const [line] = tag.exec(read(name)) ?? [];
      assert(line === undefined, `${name} shows a tag as text: ${line}`);
    }
  },
});
