import { type Graph, graph, loaded } from "../bench/startup.ts";
import { assertEquals } from "./deps.ts";
import { granted } from "./helpers.ts";

const mod = import.meta.resolve("../mod.ts");
const list = import.meta.resolve("../_loading/modules.ts");
const ignore = !granted("run", "read");

/** The modules that one of a graph imports, in its order. */
function importsOf(url: string, { modules }: Graph): (string | undefined)[] {
  const found = modules.find(({ specifier }) => specifier === url);
  return (found?.dependencies ?? []).map(({ code }) => code?.specifier);
}

Deno.test({
  name: "_loading/modules.ts lists all that mod.ts loads",
  ignore,
  async fn() {
    const found = await graph(mod);
    assertEquals(
      [...importsOf(list, found), mod, list].sort(),
      [...loaded(found)].sort(),
    );
  },
});

for (const entry of ["mod.ts", "_threads/worker.ts", "_processes/child.ts"]) {
  Deno.test({
    name: `${entry} imports _loading/modules.ts first`,
    ignore,
    async fn() {
      const url = import.meta.resolve(`../${entry}`);
      assertEquals(importsOf(url, await graph(url))[0], list);
    },
  });
}
