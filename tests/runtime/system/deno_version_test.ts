import { checkDenoVersion } from "../../../internal/runtime/system/deno_version.ts";
import { assertEquals, assertMatch, assertThrows } from "../../deps.ts";
import { granted } from "../../helpers/allowed.ts";
import { boundedCommand } from "../../helpers/within.ts";
import { ENTRY_POINTS, root } from "../../project/published.ts";

Deno.test("checkDenoVersion() accepts Deno 2.8 and later, and refuses older versions", () => {
  for (const version of ["2.8.0", "2.9.6", "2.10.1", "2.8.0-rc.1", "3.0.0"]) {
    checkDenoVersion(version);
  }
  for (const version of ["2.7.14", "2.0.0", "1.46.3", "2.7.0+abc"]) {
    assertThrows(
      () => checkDenoVersion(version),
      Error,
      `Cannot run on Deno ${version}: socketserver needs Deno 2.8 or later`,
    );
  }
});

for (const [, path] of ENTRY_POINTS) {
  Deno.test({
    name: `an import of ${path} by an older Deno ends in one clear line`,
    ignore: !granted("run", "read"),
    async fn() {
      const entry = JSON.stringify(new URL(path, root));
      const program = `
        Object.defineProperty(Deno, "version", { value: { deno: "2.7.14" } });
        await import(${entry}).catch((e) => console.log(e.message));
      `;
      const { code, stdout } = await boundedCommand(Deno.execPath(), {
        args: ["eval", "--no-check", program],
      }).output();
      assertEquals(code, 0);
      assertMatch(
        new TextDecoder().decode(stdout),
        /^Cannot run on Deno 2\.7\.14: .* needs Deno 2\.8 or later\n$/,
      );
    },
  });
}
