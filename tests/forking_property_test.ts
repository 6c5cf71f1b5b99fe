/**
 * No child may do what its server may not: each shape of a permission against each shape of a grant and of a
 * denial. A process with the flags of a server says which permissions it would give away, and real children with the
 * flags of those say what they may do.
 */

import fc from "fast-check";
import type { ChildPermissions } from "../mod.ts";
import { assert, assertStrictEquals } from "./deps.ts";
import { CONFIG, decode } from "./forking_helpers.ts";
import { fuzz } from "./fuzz_helpers.ts";
import { mayFork } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";

/** Values of each kind, as they can stand in a flag; the more special ones are what this is about. */
const VALUES: Record<keyof ChildPermissions, string[]> = {
  net: hosts(38555),
  import: hosts(443).filter((host) => !host.startsWith("unix:")),
  read: ["/etc", "/etc/passwd", "/etc/../etc", "/", "/usr/bin", "."],
  write: ["/tmp", "/tmp/a", "/tmp/a/../b", "/"],
  env: ["A_KEY", "A_*", "A_K*", "*", "B"],
  sys: ["hostname", "osRelease", "loadavg"],
  run: ["/bin/sh", "/bin/ls", "sh"],
  ffi: ["/usr/lib/a.so", "/usr/lib", "/"],
};

function hosts(port: number): string[] {
  const names = [
    "127.0.0.1",
    "127.0.0.5",
    "127.0.0.0/8",
    "127.0.0.4/30",
    "0.0.0.0/0",
    "a.test",
    "b.a.test",
    "*.a.test",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "localhost",
  ];
  const withPort = names.flatMap((name) => [name, `${name}:${port}`]);
  return [...withPort, `:${port}`, "127.0.0.5:80", "unix:/tmp/a"];
}

/** What is asked: single things, of which each of the values is one or stands for some. */
const QUERIES: Deno.PermissionDescriptor[] = [
  ...["net", "import"].flatMap((name) =>
    [
      "127.0.0.1",
      "127.0.0.5",
      "127.0.0.9",
      "10.0.0.1",
      "a.test",
      "b.a.test",
      "c.test",
      "[::1]",
      "[::2]",
      "localhost",
    ].flatMap((host) =>
      [80, 443, 38555].map((port) => ({ name, host: `${host}:${port}` }))
    )
  ),
  { name: "net", host: "unix:/tmp/a" },
  ...["read", "write", "ffi"].flatMap((name) =>
    ["/", "/etc/passwd", "/etc/x", "/tmp/a", "/tmp/b", "/usr/lib/a.so", "."]
      .map((path) => ({ name, path }))
  ),
  ...["A_KEY", "A_OTHER", "B", "C"]
    .map((variable) => ({ name: "env", variable })),
  ...["hostname", "osRelease", "loadavg", "uid"]
    .map((kind) => ({ name: "sys", kind })),
  ...["/bin/sh", "/bin/ls", "/bin/true"]
    .map((command) => ({ name: "run", command })),
] as Deno.PermissionDescriptor[];

const kind = fc.oneof(
  { weight: 4, arbitrary: fc.constant("net" as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...Object.keys(VALUES) as (keyof ChildPermissions)[],
    ),
  },
);

/** Flags of a server for one kind, and what it might give to its children. */
const trial = kind.chain((kind) => {
  const list = fc.subarray(VALUES[kind], { minLength: 1, maxLength: 3 });
  const flag = fc.oneof(fc.constant(""), list.map((all) => `=${all}`));
  return fc.record({
    kind: fc.constant(kind),
    allow: flag.map((value) => `--allow-${kind}${value}`),
    deny: fc.option(
      list.map((all) => `--deny-${kind}=${all}`),
      { freq: 3, nil: `--allow-${kind === "env" ? "sys" : "env"}` },
    ),
    given: fc.array(
      fc.oneof(fc.constant(true), fc.constant<string[]>([]), list),
      {
        minLength: 4,
        maxLength: 4,
      },
    ),
  });
});

interface Answer {
  may: boolean[];
  flags: (string[] | null)[];
}

async function ask(
  flags: string[],
  permissions: unknown[],
  modules: string[] = [],
): Promise<Answer> {
  const { stdout, stderr, success } = await within(
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        CONFIG,
        ...flags,
        new URL("./testdata/permissions_asker.ts", import.meta.url).href,
        JSON.stringify(QUERIES),
        JSON.stringify(permissions),
        JSON.stringify(modules),
      ],
      clearEnv: true,
      env: { HOME: Deno.env.get("HOME") ?? "" },
    }).output(),
  );
  assert(success, `${flags}: ${decode(stderr)}`);
  return JSON.parse(decode(stdout));
}

let passed = 0;

/** Compares a server with its children: at most five processes. */
async function check({ kind, allow, deny, given }: {
  kind: keyof ChildPermissions;
  allow: string;
  deny: string;
  given: (boolean | string[])[];
}): Promise<void> {
  const server = await ask(
    ["--no-prompt", allow, deny],
    given.map((value) => ({ [kind]: value })),
  );
  for (const [i, flags] of server.flags.entries()) {
    if (flags === null) continue;
    passed++;
    const child = await ask(flags, []);
    const more = QUERIES.filter((_, q) => child.may[q] && !server.may[q]);
    assertStrictEquals(
      JSON.stringify(more),
      "[]",
      `${allow} ${deny}, and a child with ${flags} that has ${given[i]}`,
    );
  }
}

Deno.test({
  name:
    "permissionFlags() gives no child more than its server may, whatever the shapes",
  ignore: !mayFork || Deno.build.os === "windows",
  async fn() {
    await fuzz("permissions", 15, fc.asyncProperty(trial, check));
    assert(passed > 6, `only ${passed} children were asked`);
  },
});

/** What was once given, or what comes near to it. */
const SHAPES: [kind: string, allow: string, deny: string, given: string[]][] = [
  ["net", "", "=127.0.0.5:38555", ["127.0.0.0/8:38555"]],
  ["net", "", "=127.0.0.5:38555", ["127.0.0.0/8"]],
  ["net", "", "=127.0.0.5:38555", ["127.0.0.5"]],
  ["net", "", "=b.a.test", ["*.a.test"]],
  ["net", "", "=b.a.test", ["*.a.test:80"]],
  ["net", "", "=127.0.0.1:80", [":80"]],
  ["net", "=a.test", "=a.test:80", ["a.test"]],
  ["net", "=127.0.0.0/8", "=127.0.0.5", ["127.0.0.0/8"]],
  ["net", "", "=[::1]:80", ["[::1]"]],
  ["import", "", "=a.test:80", ["a.test"]],
  ["import", "", "=b.a.test:443", ["*.a.test:443"]],
  ["env", "", "=A_KEY", ["*"]],
  ["read", "", "=/etc/passwd", ["/etc/../etc"]],
];

Deno.test({
  name: "permissionFlags() refuses what stands for more than this process has",
  ignore: !mayFork || Deno.build.os === "windows",
  async fn() {
    await Promise.all(SHAPES.map(async ([kind, allow, deny, given]) => {
      const flags = ["--no-prompt", `--allow-${kind}${allow}`];
      flags.push(`--deny-${kind}${deny}`);
      const { flags: [made] } = await ask(flags, [{ [kind]: given }]);
      assertStrictEquals(made, null, `${flags} ${given}`);
    }));
  },
});

Deno.test({
  name:
    "permissionFlags() passes on what this process has, port by port, and all where it has all",
  ignore: !mayFork || Deno.build.os === "windows",
  async fn() {
    for (
      const [flags, given] of [
        [["--allow-net"], ["*.a.test:80", "10.0.0.0/8:80", ":80", "a.test"]],
        [["--allow-net=a.test"], ["a.test", "a.test:80"]],
        [["--allow-net", "--deny-net=a.test:80"], ["b.test", "a.test:81"]],
        [["--allow-net=:80"], [":80", "127.0.0.1:80"]],
        [["--allow-net=unix:/tmp/a"], ["unix:/tmp/a"]],
      ]
    ) {
      const { flags: [made] } = await ask(["--no-prompt", ...flags], [{
        net: given,
      }]);
      assertStrictEquals(made?.[1], `--allow-net=${given}`, `${flags}`);
    }
  },
});

Deno.test({
  name:
    "permissionFlags() lets code come from where its own code comes only as far as this process may",
  ignore: !mayFork,
  async fn() {
    const modules = ["https://a.test/x.ts", "http://b.test/x.ts", "file:///x"];
    for (
      const [flag, made] of [
        ["--allow-import", "--allow-import=a.test:443,b.test:80"],
        ["--allow-import=a.test:443", "--allow-import=a.test:443"],
        ["--allow-import=a.test:80", "--deny-import"],
        ["--deny-import=a.test", "--deny-import"],
      ]
    ) {
      const { flags: [flags] } = await ask([flag], [{}], modules);
      assertStrictEquals(flags?.at(-1), made, flag);
    }
  },
});
