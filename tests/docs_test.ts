/** The pages: each program in them runs, each link leads somewhere, and none of them is skipped. */

import { assert, assertEquals, assertRejects, assertThrows } from "./deps.ts";
import {
  type Block,
  blocksOf,
  pagesIn,
  read,
  root,
  runProgram,
  withDirectory,
} from "./docs_programs.ts";
import { granted } from "./helpers/allowed.ts";

const mayRead = granted("read");
const mayRun = granted("read", "write", "run");

const PAGES = mayRead ? pagesIn() : [];

for (const name of PAGES) {
  const blocks = blocksOf(read(name));
  if (blocks.length === 0) continue;
  Deno.test({
    name: `${name}: its programs run`,
    ignore: !mayRun,
    timeout: 300_000, // each program has limits of its own
    fn: (t) =>
      withDirectory(async (directory) => {
        // Servers mostly wait: they run side by side.
        const served = new Map(
          blocks.filter(({ until }) => until !== undefined)
            .map((block) => [block, runProgram(block, directory)]),
        );
        for (const run of served.values()) run.catch(() => {}); // awaited below
        for (const block of blocks) {
          await t.step(
            `line ${block.line}`,
            () => served.get(block) ?? runProgram(block, directory),
          );
        }
      }),
  });
}

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

Deno.test("no mark lets a program of a page go without a run", () => {
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

const ECHO = `
import { AsyncTCPServer, serve, StreamRequestHandler } from "${new URL(
  "mod.ts",
  root,
)}";
class Echo extends StreamRequestHandler {
  override async handle() {
    await this.wfile.write(await this.rfile.readline());
  }
}
const server = new AsyncTCPServer(["localhost", 9999], Echo);
`;
const forever = "setInterval(() => {}, 1000);\n";

/** Programs that must not pass, and what is said of them. */
const WRONG: [
  name: string,
  code: string,
  until: Block["until"],
  said: string,
][] = [
  [
    "throws late",
    `setTimeout(() => { throw new Error("late") }, 200);`,
    undefined,
    "late",
  ],
  [
    "rejects late",
    `setTimeout(() => Promise.reject("late"), 200);`,
    undefined,
    "late",
  ],
  ["hangs", forever, undefined, "it has not ended"],
  ["exits with 1", "Deno.exit(1);", undefined, "1"],
  [
    "serves, without the mark",
    `${ECHO} await serve(server);`,
    undefined,
    "it has not ended",
  ],
  [
    "serves, and throws late",
    `${ECHO} setTimeout(() => { throw new Error("late") }, 200); await serve(server);`,
    "SIGINT",
    "late",
  ],
  [
    "serves, and ends by itself",
    ECHO.replace("handle() {", "$& setTimeout(() => Deno.exit(), 300);") +
    "await serve(server);",
    "SIGINT",
    "before SIGINT",
  ],
  ["does not serve", `${ECHO} ${forever}`, "SIGINT", "said nothing"],
  ["does not listen", `${forever} // 9999`, "SIGINT", "did not listen"],
  [
    "has ended before it listens",
    "// 9999",
    "SIGINT",
    "did not listen, with exit code 0",
  ],
  [
    "is deaf to Ctrl-C",
    `${ECHO} ${forever} await serve(server);`,
    "SIGINT",
    "SIGINT did not end it",
  ],
  [
    "fails at Ctrl-C",
    `${ECHO} await serve(server); throw new Error("late");`,
    "SIGINT",
    "late",
  ],
  [
    "exits with 3 at Ctrl-C",
    `${ECHO} await serve(server); Deno.exit(3);`,
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
  ["answers something else", `${ECHO} await serve(server);`, "SIGINT", "2"],
];

Deno.test({
  name: "a program of a page fails when it does not run as its page says",
  ignore: !mayRun,
  timeout: 120_000,
  fn: () =>
    withDirectory(async (directory) => {
      await Promise.all(
        WRONG.map(async ([name, code, until, said], line) => {
          const waits = /ended$|listen$/.test(said) ? 8 : undefined;
          const says = name.endsWith("something else") ? said : undefined;
          const run = () =>
            runProgram({ code, line, until, says }, directory, {
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

/** The anchors of the headings of a document, as they are made of their text. A heading that stands twice has none. */
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
  name: "the links of the documents lead somewhere",
  ignore: !mayRead,
  fn() {
    const lost: string[] = [];
    for (const name of PAGES) {
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
  name: "README.md names every page of docs, and those of the other folders",
  ignore: !mayRead,
  fn() {
    const text = read("README.md");
    const missing = PAGES.filter((name) =>
      name.includes("/") && !text.includes(name)
    );
    assertEquals(missing, ["tests/conformance/README.md"]); // porting.md does
  },
});
