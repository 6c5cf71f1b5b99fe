/**
 * permissionFlags() lets no child do what its server may not, whatever the shapes of the server's grants and denials
 * and of the child's permissions. A process with the flags of a server tells which flags it makes of permissions, and
 * real children with those flags tell what they may do.
 */

import fc from "fast-check";
import {
  maySendTo,
  permissionFlags,
} from "../../internal/handoff/permissions.ts";
import type { ChildPermissions } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { text } from "../helpers/bytes.ts";
import { CONFIG } from "../helpers/forking.ts";
import { fuzz } from "../helpers/fuzz.ts";
import { boundedCommand, within } from "../helpers/within.ts";

const ignore = !mayFork || Deno.build.os === "windows";

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

Deno.test("maySendTo() compares host, network and port with childPermissions.net", () => {
  const may = (net: ChildPermissions["net"], host: string, port: number) =>
    maySendTo({ net }, [host, port]);
  const allowed: [value: string, host: string, port: number][] = [
    ["10.0.0.1", "10.0.0.1", 53],
    ["10.0.0.1:53", "10.0.0.1", 53],
    ["10.0.0.0/8:53", "10.9.9.9", 53],
    ["[::1]:53", "::1", 53],
    [":53", "127.0.0.1", 53],
  ];
  for (const [value, host, port] of allowed) {
    assert(may([value], host, port), value);
    if (value.endsWith(":53")) assert(!may([value], host, port + 1), value);
  }
  const refused = ["10.0.0.2", "11.0.0.0/8", "localhost", "[::1]", "a/b/c"];
  assert(!may(refused, "10.0.0.1", 53));
  assert(may(true, "10.0.0.1", 53));
  assert(!may(undefined, "10.0.0.1", 53));
});

/** Values of each kind, as they can stand in a flag. */
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

/** The queries: single things. Each of the values is one of them, or stands for some of them. */
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

/** The answers of a process that runs with certain flags. */
interface Answer {
  /** Whether the process has the permission of each query. */
  may: boolean[];
  /** The flags that the process makes of each value of permissions; null for a value that it refuses. */
  flags: (string[] | null)[];
}

/** Asks a process with these flags. A list of modules to load may stand beside each of the permissions. */
async function ask(
  flags: string[],
  permissions: unknown[],
  modules: string[][] = [],
): Promise<Answer> {
  const { stdout, stderr, success } = await within(
    boundedCommand(Deno.execPath(), {
      args: [
        "run",
        CONFIG,
        ...flags,
        new URL("../testdata/permissions_asker.ts", import.meta.url).href,
        JSON.stringify({ queries: QUERIES, permissions, modules }),
      ],
      clearEnv: true,
      env: { HOME: Deno.env.get("HOME") ?? "" },
    }).output(),
  );
  assert(success, `${flags}: ${text(stderr)}`);
  return JSON.parse(text(stdout));
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
  ignore,
  async fn() {
    await fuzz("permissions", 6, fc.asyncProperty(trial, check));
    assert(passed > 4, `only ${passed} children were asked`);
  },
});

/** The flags of a process, and whether it makes a flag of each permission or refuses it. */
interface Outcome {
  flags: string[];
  outcomes: [kind: keyof ChildPermissions, given: string[], made: boolean][];
}

/** Permissions that were once given in error, or are near to those, and some that may be given. */
const OUTCOMES: Outcome[] = [
  {
    flags: [
      "--allow-net",
      "--deny-net=127.0.0.5:38555,b.a.test,127.0.0.1:80,[::1]:80,c.test:80,10.0.0.1",
      "--allow-import",
      "--deny-import=a.test:80,b.a.test:443",
      "--allow-env",
      "--deny-env=A_KEY",
      "--allow-read",
      "--deny-read=/etc/passwd",
    ],
    outcomes: [
      ["net", ["127.0.0.0/8:38555"], false],
      ["net", ["127.0.0.0/8"], false],
      ["net", ["10.0.0.0/8"], false],
      ["net", ["10.0.0.2:80"], true],
      ["net", ["127.0.0.5"], false],
      ["net", ["*.a.test"], false],
      ["net", ["*.a.test:80"], false],
      ["net", [":80"], false],
      ["net", ["[::1]"], false],
      ["net", ["[::1]:81"], true],
      ["net", ["c.test"], false],
      ["net", ["d.test", "c.test:81"], true],
      ["import", ["a.test"], false],
      ["import", ["*.a.test:443"], false],
      ["env", ["*"], false],
      ["env", ["A_*"], false],
      ["env", ["A_B"], true],
      ["read", ["/etc/../etc"], false],
      ["read", ["/etc"], false],
      ["read", ["/usr"], true],
    ],
  },
  {
    flags: [
      "--allow-net=a.test,127.0.0.0/8,d.test,:80,unix:/tmp/a",
      "--deny-net=a.test:81,127.0.0.5",
      "--allow-env=N*,A*",
      "--deny-env=A_KEY",
    ],
    outcomes: [
      ["net", ["a.test"], false],
      ["net", ["127.0.0.0/8"], false],
      ["net", ["d.test", "d.test:80"], true],
      ["net", [":80", "127.0.0.1:80"], true],
      ["net", ["unix:/tmp/a"], true],
      ["net", ["e.test"], false],
      ["env", ["A_*"], false],
    ],
  },
  {
    flags: ["--allow-net", "--allow-env"],
    outcomes: [
      ["net", ["*.a.test:80", "10.0.0.0/8:80", ":80", "a.test"], true],
      ["env", ["A_*"], true],
    ],
  },
];

Deno.test({
  name:
    "permissionFlags() passes on what this process has, port by port, and refuses what stands for more",
  ignore,
  async fn() {
    await Promise.all(OUTCOMES.map(async ({ flags, outcomes }) => {
      const permissions = outcomes.map(([kind, given]) => ({ [kind]: given }));
      const answer = await ask(["--no-prompt", ...flags], permissions);
      for (const [i, [kind, given, made]] of outcomes.entries()) {
        const flag = `--allow-${kind}=${given}`;
        const expected = made ? flag : undefined;
        const got = answer.flags[i]?.find((each) => each === flag);
        assertStrictEquals(got, expected, `${flags} ${flag}`);
        assertStrictEquals(answer.flags[i] !== null, made, `${flags} ${flag}`);
      }
    }));
  },
});

const A = "https://a.test/x.ts";
const B = "http://b.test/x.ts";

/** The flag of a process, and what it makes of the modules that a child loads. */
const MODULES: [flag: string, made: [modules: string[], flag: string][]][] = [
  ["--allow-import", [
    [[A, B, "file:///x"], "--allow-import=a.test:443,b.test:80"],
  ]],
  ["--allow-import=a.test:443,b.test:443", [
    [[A, B], "--allow-import=a.test:443"],
    [[B], "--deny-import"],
  ]],
];

Deno.test({
  name:
    "permissionFlags() lets code come from where its own code comes only as far as this process may",
  ignore,
  async fn() {
    await Promise.all(MODULES.map(async ([flag, made]) => {
      const permissions = made.map(() => ({}));
      const lists = made.map(([modules]) => modules);
      const { flags } = await ask([flag], permissions, lists);
      const last = flags.map((each) => each?.at(-1));
      assertEquals(last, made.map(([, expected]) => expected), flag);
    }));
  },
});
