/**
 * The documents: each program in them runs, and each link leads somewhere.
 *
 * A block of TypeScript is a program. It either ends by itself, or it is a server, and ends well at
 * Ctrl-C. One that cannot run here has a line `<!-- not run: why -->` above it.
 */

import { assert, assertEquals } from "./deps.ts";
import { granted } from "./server_helpers.ts";

const root = new URL("../", import.meta.url);
const mayRead = granted("read");
const mayRun = granted("read", "write", "run");

/** Milliseconds until a program that has not ended is taken for a server. */
const SERVING_MS = 700;

const DOCUMENTS = [
  "README.md",
  "docs/guide.md",
  "docs/choosing.md",
  "docs/porting.md",
  "docs/differences.md",
  "examples/README.md",
  "bench/README.md",
  "tests/conformance/README.md",
];

const read = (name: string): string =>
  Deno.readTextFileSync(new URL(name, root));

/** A block of code. */
interface Block {
  line: number;
  code: string;
  /** Why it is not run. */
  reason: string | undefined;
}

/** The blocks of TypeScript of a document. */
function blocksOf(name: string): Block[] {
  const text = read(name);
  return Array.from(
    text.matchAll(/(?:<!-- not run: (.*) -->\n\n)?^```ts\n([^]*?)^```/gm),
    (match) => ({
      line: text.slice(0, match.index).split("\n").length,
      code: match[2],
      reason: match[1],
    }),
  );
}

/** Runs a program: as a test where it has one. */
async function run(code: string, directory: string): Promise<void> {
  const file = `${directory}/program.ts`;
  await Deno.writeTextFile(file, code);
  const config = new URL("deno.json", root).pathname;
  const verb = code.includes("Deno.test(") ? "test" : "run";
  const child = new Deno.Command(Deno.execPath(), {
    args: [verb, "-A", "--no-check", `--config=${config}`, file],
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const timer = setTimeout(() => child.kill("SIGINT"), SERVING_MS);
  const { code: exit, signal } = await child.status;
  clearTimeout(timer);
  const text = await stderr;
  assert(!/error/i.test(text), text);
  // A server without `serve()` ends by the signal itself.
  assertEquals(exit, signal === null ? 0 : 130);
}

if (mayRead) {
  for (const name of DOCUMENTS) {
    const blocks = blocksOf(name);
    if (blocks.length === 0) continue;
    Deno.test({
      name: `${name}: its programs run`,
      ignore: !mayRun,
      async fn(t) {
        const directory = await Deno.makeTempDir();
        try {
          for (const { line, code, reason } of blocks) {
            const ignore = reason !== undefined;
            await t.step({
              name: `line ${line}${ignore ? `: ${reason}` : ""}`,
              ignore,
              fn: () => run(code, directory),
            });
          }
        } finally {
          await Deno.remove(directory, { recursive: true });
        }
      },
    });
  }
}

/** The anchors of the headings of a document, as they are made of their text. */
function anchorsOf(name: string): Set<string> {
  const headings = read(name).matchAll(/^#+ (.*)$/gm);
  return new Set(
    Array.from(
      headings,
      ([, heading]) =>
        heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
          .replaceAll(" ", "-"),
    ),
  );
}

Deno.test({
  name: "the links of the documents lead somewhere",
  ignore: !mayRead,
  fn() {
    const lost: string[] = [];
    for (const name of DOCUMENTS) {
      for (const [, link] of read(name).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue; // of the web
        const target = new URL(link, new URL(name, root));
        const path = target.pathname.slice(root.pathname.length);
        try {
          Deno.statSync(new URL(path, root));
          const anchor = decodeURIComponent(target.hash.slice(1));
          if (anchor === "" || anchorsOf(path).has(anchor)) continue;
        } catch {
          // told below
        }
        lost.push(`${name}: ${link}`);
      }
    }
    assertEquals(lost, []);
  },
});

Deno.test({
  name: "README.md names every document",
  ignore: !mayRead,
  fn() {
    const text = read("README.md");
    const missing = DOCUMENTS.slice(1).filter((name) => !text.includes(name));
    assertEquals(missing, ["tests/conformance/README.md"]); // porting.md does
  },
});
