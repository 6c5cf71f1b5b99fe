/** Checks README.md beside it: each of CPython's own tests has a test here that stands for it, or a reason. */

import { assert, assertEquals } from "../deps.ts";
import { python } from "../helpers/python.ts";

/** One of CPython's tests, or a class of them. */
interface Row {
  /** `"test_socket.py"`. */
  file: string;
  /** `"BasicTCPTest.testRecv"`, or the class alone. */
  upstream: string;
  /** The tests that stand for it: file and name. */
  here: [file: string, name: string][];
  /** Why there is none, or what differs. */
  why: string;
}

/** The note in a row of a test that CPython 3.11.7 does not have yet. */
const NEW = "not in 3.11.7";

const readable = granted("read");

/** The texts in backticks, of which there may be several to hold others. */
function codes(cell: string): string[] {
  return Array.from(
    cell.matchAll(/(`+)(.+?)\1(?!`)/g),
    ([, , code]) => code.trim(),
  );
}

/** Reads the tables, and the counts before them. */
async function readTables(): Promise<{ rows: Row[]; counts: string[][] }> {
  const text = await Deno.readTextFile(new URL("README.md", import.meta.url));
  const rows: Row[] = [];
  const counts: string[][] = [];
  let file = "";
  let group = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("### ")) file = line.slice(4);
    if (line.startsWith("#### ")) group = line.slice(5);
    if (!line.startsWith("| `")) continue;
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
    if (file === "") {
      if (!cells[0].startsWith("`test_")) continue; // what runs here
      counts.push([codes(cells[0])[0], ...cells.slice(1)]);
    } else rows.push(toRow(file, group, cells));
  }
  return { rows, counts };
}

function toRow(file: string, group: string, cells: string[]): Row {
  assertEquals(cells.length, 3, cells.join("|"));
  const [name] = codes(cells[0]);
  const names = codes(cells[1]);
  const here: Row["here"] = [];
  for (let i = 0; i < names.length; i += 2) here.push([names[i], names[i + 1]]);
  const whole = group === "Whole classes";
  return {
    file,
    upstream: whole ? name : `${group}.${name}`,
    here,
    why: cells[2],
  };
}

/**
 * The names that a file of tests registers as it is loaded; by a name of its own, because its suite may have loaded it.
 */
async function namesIn(file: string): Promise<string[]> {
  const names: string[] = [];
  const register = (...args: (string | { name?: string })[]) => {
    for (const arg of args) {
      const name = typeof arg === "string" ? arg : arg.name;
      if (name) return void names.push(name);
    }
  };
  const { test } = Deno;
  const replace = (value: unknown) => Object.assign(Deno, { test: value });
  replace(Object.assign(register, { ignore: register, only: register }));
  try {
    await import(new URL(`../${file}?names`, import.meta.url).href);
  } finally {
    replace(test);
  }
  return names;
}

Deno.test({
  name: "tests/conformance/README.md points at tests that exist",
  ignore: !readable,
  async fn() {
    const { rows } = await readTables();
    const known = new Map<string, string[]>();
    const missing: string[] = [];
    for (const [file, name] of rows.flatMap(({ here }) => here)) {
      if (!known.has(file)) known.set(file, await namesIn(file));
      const found = name.endsWith("*")
        ? known.get(file)!.some((test) => test.startsWith(name.slice(0, -1)))
        : known.get(file)!.includes(name);
      if (!found) missing.push(`${file}: ${name}`);
    }
    assert(known.size > 20, `only ${known.size} files were loaded`);
    assertEquals(missing, []);
  },
});

Deno.test({
  name:
    "tests/conformance/README.md has a test or a reason in each row, and counts them",
  ignore: !readable,
  async fn() {
    const { rows, counts } = await readTables();
    const bare = rows.filter(({ here, why }) =>
      here.length === 0 && why.replace(NEW, "") === ""
    );
    assertEquals(bare, []);
    const files = [...new Set(rows.map(({ file }) => file))];
    const counted = files.map((file) => {
      const own = rows.filter((row) => row.file === file);
      const covered = own.filter(({ here }) => here.length > 0).length;
      return [file, own.length, covered, own.length - covered].map(String);
    });
    assertEquals(counts, counted);
  },
});

/** CPython's tests: those of each class, or the class alone where it inherits all that it has. */
const UPSTREAM = `
import importlib, sys
found = {}
for file in row:
    module = importlib.import_module('test.' + file)
    classes = {n: c for n, c in vars(module).items() if isinstance(c, type) and c.__module__ == module.__name__}
    tests = lambda names: [n for n in names if n.startswith('test')]
    found[file + '.py'] = {n: tests(vars(c)) for n, c in classes.items() if tests(dir(c))}
return [sys.version_info[1], found]
`;
import { granted, havePython } from "../helpers/allowed.ts";

type Upstream = Record<string, Record<string, string[]>>;

/** Returns the tests of the installed Python; undefined if it has none, or is newer than the tables. */
async function installed(): Promise<Upstream | undefined> {
  if (!havePython()) return undefined;
  const files = ["test_socketserver", "test_socket"];
  const [result] = await python(UPSTREAM, [files]);
  if (!Array.isArray(result)) return undefined; // it was installed without its tests
  const [minor, found] = result as [number, Upstream];
  return minor <= 13 ? found : undefined;
}

const upstream = await installed();

Deno.test({
  name:
    "tests/conformance/README.md has a row for each test of the installed CPython",
  ignore: !readable || upstream === undefined,
  async fn() {
    const { rows } = await readTables();
    const there = new Set(rows.map((row) => `${row.file} ${row.upstream}`));
    const missing: string[] = [];
    const known = new Set<string>();
    for (const [file, classes] of Object.entries(upstream!)) {
      for (const [name, own] of Object.entries(classes)) {
        known.add(`${file} ${name}`);
        const tests = own.map((test) => `${file} ${name}.${test}`);
        for (const test of tests) known.add(test);
        if (there.has(`${file} ${name}`)) continue;
        if (tests.length === 0) missing.push(`${file} ${name}`);
        missing.push(...tests.filter((test) => !there.has(test)));
      }
    }
    assertEquals(missing, []);
    const gone = rows.filter(({ file, upstream, why }) =>
      !known.has(`${file} ${upstream}`) && !why.includes(NEW)
    );
    assertEquals(gone, []);
  },
});
