/** Faults of Deno when no descriptor is left. */

const root = new URL("../../../", import.meta.url);
/** The module with the workaround. */
const GUARD = new URL("internal/runtime/system/free_descriptors.ts", root);

/** Rendering the stack of an error panics. Serves as `scarce_server.ts`, with a `withoutStack` that does nothing. */
export async function stackPanic(): Promise<boolean> {
  if (!Deno.readTextFileSync(GUARD).includes("function withoutStack")) {
    throw new Error(`Cannot find withoutStack() in ${GUARD}`);
  }
  const source = `
    export * from ${JSON.stringify(`${GUARD}?real`)};
    export const withoutStack = (call) => call();`;
  const imports = {
    "@socketserver/socketserver": new URL("mod.ts", root).href,
    [GUARD.href]: `data:text/javascript,${encodeURIComponent(source)}`,
  };
  const map = `${Deno.makeTempDirSync()}/map.json`;
  Deno.writeTextFileSync(map, JSON.stringify({ imports }));
  const program = new URL("tests/testdata/scarce_server.ts", root).pathname;
  const flags = ["--quiet", "--no-config", "--no-check", "--allow-all"];
  const args = ["run", ...flags, `--import-map=${map}`, program];
  const { stderr } = await new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 80; exec "$0" "$@"', Deno.execPath(), ...args],
    stdout: "null",
  }).output();
  return new TextDecoder().decode(stderr).includes("panicked");
}
