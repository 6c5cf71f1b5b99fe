/** ARCHITECTURE.md names files and functions that exist, and each test file is in a suite. */

import { assert, assertEquals } from "../deps.ts";
import {
  architecture,
  NEEDS_PRIVATE,
  readable,
  UNIT_TESTS,
  workarounds,
} from "./architecture.ts";
import { read } from "./docs_programs.ts";

/** Reports whether a file of the project declares a name; of an empty name, whether there is the file. */
function declares(file: string, name: string): boolean {
  let source: string;
  try {
    source = read(file);
  } catch {
    return false; // no such file
  }
  return name === "" || new RegExp(
    `\\b(?:class|function|const|let) ${name}\\b` +
      `|^ +(?:(?:override|async|static|readonly|get) )*${name}(?:<.*>)?(?:[(:]| =)`,
    "m",
  ).test(source);
}

Deno.test({
  name: "ARCHITECTURE.md names files and functions that exist",
  ignore: !readable,
  fn() {
    const named = architecture().matchAll(
      /`([\w/.-]+\.ts)`((?:,?\s+(?:and )?`(?![\w/]+\.ts`)#?[A-Za-z]\w*(?:\.#?\w+)?(?:\(\))?`)*)/g,
    );
    const missing: string[] = [];
    let count = 0;
    for (const [, file, words] of named) {
      const all = Array.from(words.matchAll(/`(.*?)`/g), ([, word]) => word);
      for (const word of ["", ...all.flatMap((each) => each.split("."))]) {
        count++;
        if (!declares(file, word.replace("()", ""))) {
          missing.push(`${file} ${word}`);
        }
      }
    }
    assert(count > 50, `only ${count} names were found`);
    assertEquals(missing, []);
  },
});

Deno.test({
  name: "each workaround in ARCHITECTURE.md names its place",
  ignore: !readable,
  fn() {
    const rows = workarounds();
    assert(rows.length > 20, `only ${rows.length} rows were read`);
    const vague = rows.filter(({ where }) => !/^`[\w/]+\.ts` `/.test(where));
    assertEquals(vague, []);
  },
});

Deno.test({
  name: "the files of a workaround name the Deno that has the fault",
  ignore: !readable,
  fn() {
    const silent = workarounds().flatMap(({ name, version, where }) =>
      Array.from(where.matchAll(/`([\w/]+\.ts)`/g), ([, file]) => file)
        .filter((file) =>
          version.split(", ").some((each) => !read(file).includes(each))
        )
        .map((file) => `${name}: ${file}`)
    );
    assertEquals(silent, []);
  },
});

/** The rooms that the page lists, from top to bottom. The rooms of one row are one layer. */
function layers(): string[][] {
  const rows = architecture().matchAll(
    /^\| ((?:`(?:internal\/(?:[a-z]+\/)?)?[a-z]+(?:\.ts)?` ?)+) *\|/gm,
  );
  return Array.from(
    rows,
    ([, cell]) => Array.from(cell.matchAll(/`(.*?)`/g), ([, room]) => room),
  );
}

Deno.test({
  name: "ARCHITECTURE.md lists the layers of tests/project/arrows_test.ts",
  ignore: !readable,
  fn() {
    const [, list] = /const LAYERS[^=]*= \[\n([^]*?)\n\];/.exec(
      read("tests/project/arrows_test.ts"),
    )!;
    const rooms = Array.from(
      list.matchAll(/\[([^\]]*)\]/g),
      ([, row]) => Array.from(row.matchAll(/"(.*?)"/g), ([, room]) => room),
    );
    assert(rooms.length > 10, `only ${rooms.length} layers were read`);
    assertEquals(layers(), rooms);
  },
});

/** The modules in a folder of the tests and below, by path, without those that the tests of the documentation write. */
function modulesIn(folder = ""): string[] {
  const entries = Deno.readDirSync(new URL(`../${folder}`, import.meta.url));
  return Array.from(entries).flatMap(({ name, isDirectory }) =>
    isDirectory ? modulesIn(`${folder}${name}/`) : [`${folder}${name}`]
  ).filter((path) => path.endsWith(".ts"));
}

Deno.test({
  name: "each test file is in one suite",
  ignore: !readable,
  fn() {
    const listed = modulesIn("suites/").flatMap((suite) =>
      Array.from(
        read(`tests/${suite}`).matchAll(/^import "\.\.\/(.*)";$/gm),
        ([, path]) => path,
      )
    );
    const files = modulesIn().filter((path) =>
      path.endsWith("_test.ts") && !path.startsWith("suites/")
    );
    assertEquals(listed.sort(), files.sort());
  },
});

Deno.test({
  name: "only tests of units import private modules",
  ignore: !readable,
  fn() {
    const others: string[] = [];
    const unused = new Set([UNIT_TESTS, NEEDS_PRIVATE].flatMap(Object.keys));
    for (const path of modulesIn()) {
      const imports = read(`tests/${path}`).matchAll(
        /^(?:import|\}) [^;]*?"(?:\.\.\/)+internal\/(.+)\.ts";$/gm,
      );
      const modules = Array.from(imports, ([, module]) => module);
      if (modules.length > 0) unused.delete(path);
      if (modules.length === 0 || path in NEEDS_PRIVATE) continue;
      const unit = UNIT_TESTS[path] ?? path.replace(/_test\.ts$/, "");
      if (!modules.includes(unit)) others.push(path);
    }
    assertEquals([...unused], [], "these need no private module any more");
    assertEquals(others, [], "test what a user can observe, or name the unit");
  },
});
