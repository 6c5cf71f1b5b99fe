/** The permissions of children, those that a server needs to start them, and the customs that children inherit. */

import {
  type ChildPermissions,
  type InetAddress,
  PermissionError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { text } from "../helpers/bytes.ts";
import { LineClient } from "../helpers/clients.ts";
import { CONFIG, serving, TCP } from "../helpers/forking.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import { Asks } from "../testdata/forking_handlers.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;
const HERE = new URL(import.meta.url).pathname;

Deno.test({
  name:
    "ForkingMixIn gives children the permissions of childPermissions and the variables of childEnv",
  ignore,
  async fn() {
    const childPermissions: ChildPermissions = { read: [HERE], env: true };
    const options = { childPermissions, childEnv: { ONLY: "this" } };
    await using server = new TCP(LOCAL, Asks, options);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await client.ask(`disk ${HERE}`), "/**");
    assertStrictEquals(await client.ask("disk /etc/passwd"), "NotCapable");
    const all = await client.ask("env");
    const seen = Object.keys(JSON.parse(all));
    assert(seen.includes("ONLY"), all);
    assert(!seen.includes("HOME"), all);
  },
});

const IMPORTS = `
import { ForkingTCPServer } from ${
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
import { Asks } from ${
  JSON.stringify(
    new URL("../testdata/forking_handlers.ts", import.meta.url).href,
  )
};
const make = (options) => new ForkingTCPServer(["127.0.0.1", 0], Asks, options);
`;

/** Runs a program, and returns its lines. */
async function run(
  program: string,
  flags: string[],
  env?: Record<string, string>,
): Promise<{ lines: string[]; stderr: string }> {
  const url = `data:text/javascript,${encodeURIComponent(IMPORTS + program)}`;
  const home = Deno.env.get("HOME") ?? "";
  const { code, stdout, stderr } = await within(
    boundedCommand(Deno.execPath(), {
      args: ["run", CONFIG, "--no-prompt", ...flags, url],
      ...env && { clearEnv: true, env: { HOME: home, ...env } },
    }).output(),
  );
  assertStrictEquals(code, 0, text(stderr));
  return { lines: text(stdout).trim().split("\n"), stderr: text(stderr) };
}

/** Creates servers with fewer and fewer permissions, and prints the outcome of each. */
const MAKES = `
const permissions = [{ run: true }, { read: true }, {}, {}];
const env = { name: "env", variable: "NODE_V8_COVERAGE" };
for (const childPermissions of permissions) {
  try {
    await make({ childPermissions }).serverClose();
    console.log("made");
  } catch (error) {
    console.log(error.name + ": " + error.message);
    Deno.permissions.revokeSync(error.message.includes("read") ? env : { name: "run" });
  }
}
`;

Deno.test({
  name:
    "ForkingMixIn names the flag that is missing to start children, and gives no child more than its own process has",
  ignore,
  async fn() {
    const flags = ["--allow-run", "--allow-env=NODE_V8_COVERAGE"];
    const { lines } = await run(MAKES, ["--allow-net", ...flags]);
    const [made, wide, noEnv, noRun] = lines;
    assertStrictEquals(made, "made");
    assertStringIncludes(wide, "PermissionError: Cannot give a child process");
    assertStringIncludes(wide, "--allow-read");
    assertStringIncludes(wide, "does not have all of that");
    assertStringIncludes(noEnv, "PermissionError: ");
    assertStringIncludes(noEnv, "--allow-env=NODE_V8_COVERAGE");
    assertStringIncludes(noRun, "--allow-run=");
  },
});

/** Serves one client with one child, which is then idle. */
const SERVES_ONE = `
const server = make({});
const client = await Deno.connect({ port: server.serverAddress[1] });
await client.write(new TextEncoder().encode("print mischief\\ncustoms\\n"));
await server.handleRequest();
const answer = new Uint8Array(99);
let text = "";
while (text.split("\\n").length < 3) {
  text += new TextDecoder().decode(answer.subarray(0, await client.read(answer)));
}
console.log(text.trim());
client.close();
`;

/** The least permissions of a server. */
const LEAST = [
  "--allow-net=127.0.0.1,0.0.0.0",
  `--allow-run=${Deno.execPath()}`,
  "--allow-env=NODE_V8_COVERAGE",
];

/** The flags and the environment of a server, and the customs of its child. */
const CUSTOMS: [flags: string[], env: Record<string, string>, unknown[]][] = [
  [
    LEAST,
    { TZ: "Asia/Tokyo", LANG: "de_DE.UTF-8", NO_COLOR: "1" },
    [-540, "de-DE", true],
  ],
  [
    ["--allow-all"],
    { TZ: "UTC", LC_ALL: "fr_CA.UTF-8" },
    [0, "fr-CA", false],
  ],
];

Deno.test({
  name:
    "A child of a server with the least permissions has the time zone, language, colours, stdout and stderr of the server, and does not keep it alive",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    for (const [flags, env, customs] of CUSTOMS) {
      const { lines, stderr } = await run(SERVES_ONE, flags, env);
      const answers = ["PRINT", JSON.stringify(customs)];
      assertEquals(lines.sort(), ["mischief", ...answers].sort());
      assertStrictEquals(stderr, "mischief\n");
    }
  },
});

Deno.test({
  name: "ForkingMixIn needs no permission to be imported",
  async fn() {
    const { ForkingTCPServer } = await import("../../mod.ts");
    if (!ignore) return;
    const error = assertThrows(() => new ForkingTCPServer(LOCAL, Asks));
    assertInstanceOf(error, PermissionError);
  },
});

Deno.test({
  name: "ForkingMixIn refuses to start a compiled program as its own child",
  ignore,
  fn() {
    const { build } = Deno;
    const compiled = { ...build, standalone: true };
    Object.defineProperty(Deno, "build", { value: compiled });
    try {
      assertThrows(() => new TCP(LOCAL, Asks), Error, "deno compile");
    } finally {
      Object.defineProperty(Deno, "build", { value: build });
    }
  },
});
