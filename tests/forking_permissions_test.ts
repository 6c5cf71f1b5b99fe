import {
  assert,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "./deps.ts";
import {
  type ChildPermissions,
  type InetAddress,
  PermissionError,
} from "../mod.ts";
import { permissionFlags } from "../internal/handoff/permissions.ts";
import { CONFIG, decode, LineClient, serving, TCP } from "./forking_helpers.ts";
import { Asks } from "./testdata/forking_handlers.ts";
import { boundedCommand } from "./helpers/within.ts";
import { mayFork } from "./helpers/allowed.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;

async function ask(
  options: ConstructorParameters<typeof TCP>[2],
  ...lines: string[]
): Promise<string[]> {
  await using server = new TCP(LOCAL, Asks, options);
  await using _ = serving(server);
  using client = await LineClient.connect(server.serverAddress);
  const answers = [];
  for (const line of lines) answers.push(await client.ask(line));
  return answers;
}

const HERE = new URL(import.meta.url).pathname;

Deno.test({
  name:
    "ForkingMixIn gives children no permission and no environment by default",
  ignore,
  async fn() {
    const [disk, env, names] = await ask({}, `disk ${HERE}`, "env", "names");
    assertStrictEquals(disk, "NotCapable");
    assertStrictEquals(env, "NotCapable");
    assertStringIncludes(names, "127.0.0.1");
  },
});

Deno.test({
  name: "ForkingMixIn gives children what childPermissions and childEnv name",
  ignore,
  async fn() {
    const [disk, other, env] = await ask(
      {
        childPermissions: { read: [HERE], env: ["ONLY"] },
        childEnv: { ONLY: "this" },
      },
      `disk ${HERE}`,
      "disk /etc/passwd",
      "env",
    );
    assertStrictEquals(disk, "import {");
    assertStrictEquals(other, "NotCapable");
    assertStrictEquals(env, "NotCapable"); // all of it was asked for
    const [all] = await ask({
      childPermissions: { env: true },
      childEnv: { ONLY: "this" },
    }, "env");
    const seen = Object.keys(JSON.parse(all));
    assert(seen.includes("ONLY"), all);
    assert(!seen.includes("HOME"), all);
  },
});

Deno.test({
  name: "permissionFlags() denies by name what is not allowed",
  ignore,
  fn() {
    const flags = permissionFlags({
      net: ["127.0.0.1:1"],
      read: true,
      env: [],
    });
    assertStrictEquals(
      flags.join(" "),
      "--no-prompt --allow-net=127.0.0.1:1 --allow-read --deny-write --deny-env " +
        "--deny-sys --deny-run --deny-ffi --deny-import",
    );
  },
});

Deno.test({
  name:
    "permissionFlags() lets code come from where the child's own code comes",
  ignore,
  fn() {
    const modules = [
      "https://example.com/handler.ts",
      "http://localhost:8000/mod.ts",
      import.meta.url,
    ];
    assertStrictEquals(
      permissionFlags({}, modules).at(-1),
      "--allow-import=example.com:443,localhost:8000",
    );
  },
});

Deno.test({
  name: "permissionFlags() rejects what has not the right shape",
  fn() {
    const bad = [{ disk: true }, { read: "/" }, { read: ["/a,/b"] }, {
      net: [1],
    }];
    for (const permissions of bad) {
      assertThrows(
        () => permissionFlags(permissions as unknown as ChildPermissions),
        TypeError,
        "childPermissions",
      );
    }
  },
});

const MOD = new URL("../mod.ts", import.meta.url).href;
const HANDLERS =
  new URL("./testdata/forking_handlers.ts", import.meta.url).href;

/** Makes a server in a process of its own, with these flags, and says how that ended. */
async function make(flags: string[], options = "{}"): Promise<string> {
  const script = `
    import { ForkingTCPServer } from ${JSON.stringify(MOD)};
    import { Asks } from ${JSON.stringify(HANDLERS)};
    try {
      const server = new ForkingTCPServer(["127.0.0.1", 0], Asks, ${options});
      await server.serverClose();
      console.log("made");
    } catch (error) {
      console.log(error.name + ": " + error.message);
    }`;
  const { stdout } = await boundedCommand(Deno.execPath(), {
    args: [
      "run",
      CONFIG,
      "--no-prompt",
      "--allow-net",
      ...flags,
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
  }).output();
  return decode(stdout).trim();
}

const RUN = ["--allow-run", "--allow-env=NODE_V8_COVERAGE"];

Deno.test({
  name: "ForkingMixIn says which flag is missing to start children",
  ignore,
  async fn() {
    assertStringIncludes(await make([RUN[1]]), "PermissionError: ");
    assertStringIncludes(await make([RUN[1]]), "--allow-run=");
    assertStringIncludes(await make([RUN[0]]), "--allow-env=NODE_V8_COVERAGE");
    assertStrictEquals(await make(RUN), "made");
    const narrow = [`--allow-run=${Deno.execPath()}`, RUN[1]];
    assertStrictEquals(await make(narrow), "made");
  },
});

Deno.test({
  name: "ForkingMixIn gives no child more than its own process has",
  ignore,
  async fn() {
    const wide = await make(RUN, `{ childPermissions: { read: true } }`);
    assertStringIncludes(wide, "PermissionError: ");
    assertStringIncludes(wide, "--allow-read");
    const holes = [...RUN, "--allow-read", "--deny-read=/etc/passwd"];
    assertStringIncludes(
      await make(holes, `{ childPermissions: { read: true } }`),
      "does not have all of that",
    );
    assertStringIncludes(
      await make(holes, `{ childPermissions: { read: ["/etc"] } }`),
      "does not have all of that",
    );
    assertStrictEquals(
      await make(holes, `{ childPermissions: { read: ["/usr"] } }`),
      "made",
    );
    assertStringIncludes(
      await make(RUN, `{ childPermissions: { run: true } }`),
      "made",
    );
  },
});

/** Lists whose values may stand for more than was asked about: a parent's flags, a list, and how that ends. */
const WIDER: [flags: string[], permissions: string, outcome: string][] = [
  [["--allow-env", "--deny-env=A_KEY"], `{ env: ["A_*"] }`, "env=A_*"],
  [["--allow-env=N*,A*", "--deny-env=A_KEY"], `{ env: ["A_*"] }`, "env=A_*"],
  [["--allow-env"], `{ env: ["A_*"] }`, "made"],
  [["--allow-env", "--deny-env=A_KEY"], `{ env: ["A_B"] }`, "made"],
  [[RUN[1], "--deny-net=10.0.0.1"], `{ net: ["10.0.0.0/8"] }`, "=10.0.0.0/8"],
  [[RUN[1], "--deny-net=10.0.0.1"], `{ net: ["10.0.0.2:80"] }`, "made"],
  [[RUN[1], "--deny-net=a.com:80"], `{ net: ["a.com"] }`, "net=a.com"],
  [[RUN[1], "--deny-net=a.com:80"], `{ net: ["a.com:443"] }`, "made"],
  [[RUN[1], "--deny-net=[::1]:80"], `{ net: ["[::1]"] }`, "net=[::1]"],
  [[RUN[1], "--deny-net=[::1]:80"], `{ net: ["[::1]:81"] }`, "made"],
  [[RUN[1]], `{ net: ["10.0.0.0/8", "a.com"] }`, "made"],
];

Deno.test({
  name:
    "ForkingMixIn gives no child a pattern, a subnet or all ports where its own process may lack a part",
  ignore,
  async fn() {
    await Promise.all(WIDER.map(async ([flags, permissions, outcome]) => {
      const options = `{ childPermissions: ${permissions} }`;
      const text = await make([RUN[0], ...flags], options);
      assertStringIncludes(text, outcome, `${flags} ${permissions}`);
    }));
  },
});

Deno.test({
  name:
    "ForkingTCPServer with the least permissions serves a handler with none",
  ignore,
  async fn() {
    const script = `
      import { ForkingTCPServer } from ${JSON.stringify(MOD)};
      import { Asks } from ${JSON.stringify(HANDLERS)};
      const server = new ForkingTCPServer(["127.0.0.1", 0], Asks);
      const served = server.serveForever();
      const socket = await Deno.connect({ port: server.serverAddress[1] });
      await socket.write(new TextEncoder().encode("hello\\n"));
      const data = new Uint8Array(6);
      await socket.read(data);
      console.log(new TextDecoder().decode(data));
      socket.close();
      await server.serverClose();
      await served;`;
    const { stdout, stderr } = await boundedCommand(Deno.execPath(), {
      args: [
        "run",
        CONFIG,
        "--no-prompt",
        "--allow-net=127.0.0.1,0.0.0.0",
        `--allow-run=${Deno.execPath()}`,
        RUN[1],
        `data:text/javascript,${encodeURIComponent(script)}`,
      ],
    }).output();
    assertStrictEquals(decode(stdout).trim(), "HELLO", decode(stderr));
  },
});

Deno.test({
  name: "ForkingMixIn needs no permission to be imported",
  async fn() {
    const { ForkingTCPServer } = await import("../mod.ts");
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
