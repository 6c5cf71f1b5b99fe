/**
 * Runs the tests with the real packages of `@std` where their registry cannot be reached, from a checkout of
 * https://github.com/denoland/std; first it checks the types of the tests against those of the packages.
 *
 *     deno task test:std --std=DIR [what `deno test` takes]
 *
 * @module
 */

/** An import map. */
type Imports = Record<string, string>;

const root = new URL("..", import.meta.url);

/** The module that the tests import in place of `deps.ts`: the packages with their own types. */
const TYPED_DEPS = `
import { FakeTime } from "@std/testing/time";
import ${JSON.stringify(new URL("tests/helpers/deadline.ts", root))};
export * from "@std/assert";
export * from "@std/async";
export * from "@std/testing/mock";
export const fakeTime = (): Promise<FakeTime> => Promise.resolve(new FakeTime());
export const standIns: boolean = false;
`;

/** The packages of a checkout: each name that can be imported, and its file. */
async function packages(std: URL): Promise<Imports> {
  const imports: Imports = {};
  for await (const { name: folder, isDirectory } of Deno.readDir(std)) {
    if (!isDirectory) continue;
    const config = new URL(`${folder}/deno.json`, std);
    const text = await Deno.readTextFile(config).catch(() => "{}");
    const { name, exports = {} } = JSON.parse(text);
    const files = typeof exports === "string" ? { ".": exports } : exports;
    for (const [path, file] of Object.entries(files as Imports)) {
      imports[name + path.slice(1)] = new URL(file, config).href;
    }
  }
  if ("@std/assert" in imports) return imports;
  throw new Error(`Cannot find the packages of @std in ${std.pathname}`);
}

/** Runs Deno, and resolves to whether all went well. */
async function deno(command: string, ...args: string[]): Promise<boolean> {
  const options = { args: [command, ...args], cwd: root };
  const child = new Deno.Command(Deno.execPath(), options).spawn();
  return (await child.status).success;
}

/** Checks the types, then runs the tests. */
async function main(std: URL, args: string[]): Promise<boolean> {
  const own = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const imports = { ...own.imports, ...await packages(std) };
  imports[own.name] = new URL(own.exports["."], root).href;
  const folder = await Deno.makeTempDir();
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  try {
    const deps = `file://${await write("deps.ts", TYPED_DEPS)}`;
    const typed = { ...imports, [new URL("tests/deps.ts", root).href]: deps };
    const map = (imports: Imports) => JSON.stringify({ imports });
    const typedMap = await write("typed.json", map(typed));
    const runMap = await write("run.json", map(imports));
    return await deno("check", `--import-map=${typedMap}`, "tests") &&
      await deno("test", `--import-map=${runMap}`, "--no-check", ...args);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const flag = Deno.args.find((arg) => arg.startsWith("--std="));
if (flag === undefined) {
  console.error("usage: deno task test:std --std=DIR [what deno test takes]");
  Deno.exit(2);
}
const std = new URL(`${flag.slice("--std=".length)}/`, `file://${Deno.cwd()}/`);
const good = await main(std, Deno.args.filter((arg) => arg !== flag));
Deno.exit(good ? 0 : 1);
