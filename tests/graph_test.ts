import { assert, assertEquals } from "./deps.ts";
import { graph, loaded, mayAsk, publishedFiles } from "./published.ts";

/** Whether a published file is a module of the library. */
function isLibrary(path: string): boolean {
  return path.endsWith(".ts") && !path.startsWith("examples/");
}

Deno.test({
  name: "the module graph of mod.ts has each published module of the library",
  ignore: !mayAsk,
  async fn() {
    const { modules } = await graph();
    const own = modules.map(({ specifier }) => specifier)
      .filter((specifier) => !specifier.startsWith("node:"));
    const published = await publishedFiles();
    assertEquals(own.sort(), published.filter(isLibrary));
  },
});

Deno.test({
  name: "mod.ts loads nothing of workers and children before they are used",
  ignore: !mayAsk,
  async fn() {
    const found = [...loaded(await graph())];
    const late =
      /\/(pool|worker|child)\.ts$|^node:(worker_threads|child_process)$/;
    assert(found.includes("internal/workers/threading.ts"));
    assertEquals(found.filter((path) => late.test(path)), []);
  },
});
