import { graph, loaded } from "../bench/startup.ts";
import { assertEquals } from "./deps.ts";
import { granted } from "./helpers.ts";

const mod = import.meta.resolve("../mod.ts");
const list = import.meta.resolve("../_loading/modules.ts");

Deno.test({
  name:
    "_loading/modules.ts lists all that mod.ts loads, which imports it first",
  ignore: !granted("run", "read"),
  async fn() {
    const found = await graph();
    const importsOf = (url: string) => {
      const module = found.modules.find(({ specifier }) => specifier === url);
      return (module?.dependencies ?? []).map(({ code }) => code?.specifier);
    };
    assertEquals(importsOf(mod)[0], list);
    assertEquals(
      [...importsOf(list), mod, list].sort(),
      [...loaded(found)].sort(),
    );
  },
});
