/** The pages: each program runs, each link has a target, and none is skipped. */

import { assert, assertEquals, assertRejects, assertThrows } from "../deps.ts";
import {
  type Block,
  blocksOf,
  kindOf,
  pagesIn,
  read,
  root,
  runPrograms,
  withDirectory,
} from "./docs_programs.ts";
import { granted } from "../helpers/allowed.ts";

const mayRead = granted("read");
const mayRun = granted("read", "write", "run");

const PAGES = mayRead ? pagesIn() : [];

/** The programs of all pages. */
const PROGRAMS = PAGES.flatMap((page) =>
  blocksOf(read(page)).map((block) => ({ ...block, page }))
);

/** Runs programs in one process; if that fails, each in its own, to find the failing one. */
async function runAll(blocks: Block[], directory: string): Promise<void> {
  try {
    await runPrograms(blocks, directory);
  } catch (error) {
    for (const block of blocks) {
      await runPrograms([block], directory).catch((error) => {
        throw new Error(`${block.page}:${block.line}`, { cause: error });
      });
    }
    throw error;
  }
}

Deno.test({
  name: "the programs of the pages run",
  ignore: !mayRun,
  timeout: 600_000, // each program has limits of its own
  fn: (t) =>
    withDirectory(async (directory) => {
      // Servers mostly wait: all run side by side.
      const runs = Map.groupBy(PROGRAMS, kindOf).entries().map((
        [kind, blocks],
      ) => [kind, blocks.length, runAll(blocks, directory)] as const).toArray();
      for (const [, , run] of runs) run.catch(() => {}); // awaited below
      for (const [kind, count, run] of runs) {
        await t.step(`${kind}: ${count} programs`, () => run);
      }
    }),
});

Deno.test({
  name: "every block of code in the pages is found",
  ignore: !mayRead,
  fn() {
    const missed = PAGES.flatMap((name) => {
      const text = read(name);
      const fences = text.matchAll(
        /^[ \t>]*(`{3,}|~{3,})[ \t]*([jt]s|typescript|javascript|[jt]sx)\b.*$/gim,
      );
      const count = fences.toArray().length;
      return count === blocksOf(text).length ? [] : [name];
    });
    assertEquals(missed, []);
  },
});

Deno.test("no mark excludes a program of a page from the run", () => {
  for (const mark of ["not run: why", "ignore", "Server", "server over SSH"]) {
    assertThrows(
      () => blocksOf(`<!-- ${mark} -->\n\n\`\`\`ts\n1;\n\`\`\`\n`),
      Error,
      mark,
    );
  }
});

Deno.test({
  name: "`deno task check` checks the types of every page",
  ignore: !mayRead,
  fn() {
    const { command } = JSON.parse(read("deno.json")).tasks.check;
    const [, named] = /deno check --doc-only (.*?) &&/.exec(command)!;
    // deno_task_shell expands "**"; a folder would be skipped in silence.
    assertEquals(named, "**/*.md");
  },
});

/** A server that uses only Deno, which starts faster than one of this package. */
const ECHO = `
const handler = async (connection: Deno.Conn) => {
  try {
    await connection.readable.pipeTo(connection.writable);
  } catch {
    // the client has left
  }
};
const listener = Deno.listen({ port: 9999 });
(async () => {
  for await (const connection of listener) handler(connection);
})();
const serve = () => new Promise<void>((resolve) => {
  Deno.addSignalListener("SIGINT", function stop() {
    Deno.removeSignalListener("SIGINT", stop);
    listener.close();
    resolve();
  });
});
`;
const forever = "setInterval(() => {}, 1000);\n";

/** Programs that must fail, and the message of each. */
const WRONG: [
  name: string,
  code: string | string[],
  until: Block["until"],
  said: string,
][] = [
  [
    "throws late",
    `setTimeout(() => { throw new Error("late") }, 200);`,
    undefined,
    "late",
  ],
  ["hangs", forever, undefined, "it has not ended"],
  ["exits with 1", "Deno.exit(1);", undefined, "1"],
  [
    "serves, without the mark",
    `${ECHO} await serve();`,
    undefined,
    "it has not ended",
  ],
  [
    "serves, and throws late",
    `${ECHO} setTimeout(() => { throw new Error("late") }, 200); await serve();`,
    "SIGINT",
    "late",
  ],
  [
    "serves, and ends by itself",
    ECHO.replace("handler(connection)", "$&.then(() => Deno.exit())") +
    "await serve();",
    "SIGINT",
    "before SIGINT",
  ],
  [
    "does not serve",
    `Deno.listen({ port: 9999 }); ${forever}`,
    "SIGINT",
    "said nothing",
  ],
  ["does not listen", `${forever} // 9999`, "SIGINT", "did not listen"],
  [
    "has ended before it listens",
    "// 9999",
    "SIGINT",
    "did not listen, with exit code 0",
  ],
  [
    "is deaf to Ctrl-C",
    `${ECHO} ${forever} await serve();`,
    "SIGINT",
    "SIGINT did not end it",
  ],
  [
    "fails at Ctrl-C",
    `${ECHO} await serve(); throw new Error("late");`,
    "SIGINT",
    "late",
  ],
  [
    "exits with 3 at Ctrl-C",
    `${ECHO} await serve(); Deno.exit(3);`,
    "SIGINT",
    "3",
  ],
  [
    "listens on a port of its own",
    ECHO.replace("9999", "0"),
    "SIGINT",
    "listens on port 9999",
  ],
  ["says something else", `console.log("b");`, undefined, "a"],
  ["answers something else", `${ECHO} await serve();`, "SIGINT", "2"],
  [
    "throws late, beside another",
    [`setTimeout(() => { throw new Error("late") }, 200);`, "1;"],
    undefined,
    "late",
  ],
  [
    "hangs, beside another",
    [forever, "1;"],
    undefined,
    "it has not ended",
  ],
  [
    "does not say something, but another does: something else",
    [`console.log("a");`, `console.log("b");`],
    undefined,
    "a",
  ],
  [
    "is deaf to Ctrl-C, beside another",
    [`${ECHO} await serve();`, `${ECHO} ${forever} await serve();`],
    "SIGINT",
    "SIGINT did not end it",
  ],
  [
    "does not listen, beside another",
    [`${ECHO} await serve();`, "// 9999"],
    "SIGINT",
    "did not listen",
  ],
];

Deno.test({
  name: "a program that does not run as its page says fails",
  ignore: !mayRun,
  timeout: 120_000,
  fn: () =>
    withDirectory(async (directory) => {
      await Promise.all(
        WRONG.map(async ([name, code, until, said], line) => {
          const waits = /ended$|listen$/.test(said) ? 8 : undefined;
          const says = name.endsWith("something else") ? said : undefined;
          const blocks = [code].flat().map((code, i, { length }) => ({
            page: `program ${i}`,
            ...{ code, line, until, says: i === length - 1 ? says : "" },
          }));
          const run = () =>
            runPrograms(blocks, directory, {
              ...waits && { run: waits },
              answer: name === "does not serve" ? 5 : 60,
              end: name.startsWith("is deaf") ? 3 : 20,
            });
          const error = await assertRejects(run, Error, undefined, name);
          assert(error.message.includes(said), `${name}: ${error.message}`);
        }),
      );
    }),
});

/** Returns the anchors of the headings of a document. A heading that occurs twice has none. */
function anchorsOf(name: string): Set<string> {
  const headings = read(name).matchAll(/^#+ (.*)$/gm);
  const anchors = Array.from(
    headings,
    ([, heading]) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
  );
  const once = (anchor: string) =>
    anchors.indexOf(anchor) === anchors.lastIndexOf(anchor);
  return new Set(anchors.filter(once));
}

Deno.test({
  name: "the links of the documents have targets",
  ignore: !mayRead,
  fn() {
    const lost: string[] = [];
    for (const name of PAGES) {
      for (const [, link] of read(name).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue; // a link to the web
        const target = new URL(link, new URL(name, root));
        const path = target.pathname.slice(root.pathname.length);
        try {
          Deno.statSync(new URL(path, root));
          const anchor = decodeURIComponent(target.hash.slice(1));
          if (anchor === "" || anchorsOf(path).has(anchor)) continue;
        } catch {
          // reported below
        }
        lost.push(`${name}: ${link}`);
      }
    }
    assertEquals(lost, []);
  },
});

Deno.test({
  name: "README.md links each page of docs/ and of the other folders",
  ignore: !mayRead,
  fn() {
    const text = read("README.md");
    const missing = PAGES.filter((name) =>
      name.includes("/") && !text.includes(name)
    );
    assertEquals(missing, ["tests/conformance/README.md"]); // porting.md does
  },
});
