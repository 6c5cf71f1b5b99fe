/**
 * The faults and limits of Deno that this module works around. A test here fails when Deno no longer has one: then
 * remove the workaround, and its row in ARCHITECTURE.md.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../deps.ts";
import { readable, workarounds } from "./architecture.ts";
import { granted } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

/** A canary: the probe that shows a fault. */
interface Canary {
  /** The probe, of a file in `tests/testdata/canaries/`. */
  probe: [file: string, name: string];
  /** The flags of `deno run`; all permissions by default. */
  flags?: string[];
  /** The text that Deno prints on stderr if the fault ends the process. */
  dies?: RegExp;
  /** Whether the probe needs a process with few descriptors. */
  scarce?: boolean;
  /** Whether the probe needs a process of its own, because it leaves something running. */
  alone?: boolean;
}

const ALL = ["--allow-all"];
const UNSTABLE = ["--allow-all", "--unstable-net"];
const PANIC = /panicked at .*(\n.*)*Too many open files/;

/** The canaries by the names of the rows in ARCHITECTURE.md. */
const CANARIES: Record<string, Canary> = {
  "poll-turns": { probe: ["sockets.ts", "pollTurns"] },
  "unix-unlink": { probe: ["sockets.ts", "unixUnlink"] },
  "unix-connect-full": { probe: ["sockets.ts", "unixConnectFull"] },
  "reuse-port": {
    probe: ["sockets.ts", "reusePort"],
    dies: /--unstable-net/,
  },
  "listen-datagram": { probe: ["sockets.ts", "listenDatagramUnstable"] },
  "connect-port-0": { probe: ["sockets.ts", "connectPort0"] },
  "listen-fd": { probe: ["sockets.ts", "listenFd"] },
  "close-is-end": { probe: ["sockets.ts", "closeIsEnd"] },
  "resolver-error": { probe: ["sockets.ts", "resolverError"] },
  "error-codes": { probe: ["sockets.ts", "errorCodes"] },
  "tls-close-write": { probe: ["sockets.ts", "tlsCloseWrite"] },
  "tls-forged": { probe: ["tls.ts", "forgedCertificate"] },
  "tls-expired": { probe: ["tls.ts", "nameOfExpiry"] },
  "tls-paused": { probe: ["tls.ts", "pausedSession"], alone: true },
  "tls-ragged": { probe: ["tls.ts", "raggedEnd"] },
  "permission-query": {
    probe: ["sockets.ts", "permissionQuery"],
    flags: ["--allow-read", "--allow-net", "--deny-net=127.0.0.1:80"],
  },
  "datagram-busy": {
    probe: ["sockets.ts", "datagramBusy"],
    flags: UNSTABLE,
  },
  "datagram-full-queue": {
    probe: ["sockets.ts", "datagramFullQueue"],
    flags: UNSTABLE,
    alone: true,
  },
  "dgram-unref": { probe: ["node_sockets.ts", "dgramUnref"] },
  "datagram-unref": { probe: ["node_sockets.ts", "datagramUnref"] },
  "dgram-membership": { probe: ["node_sockets.ts", "dgramMembership"] },
  "accept-stops": { probe: ["node_sockets.ts", "acceptStops"], scarce: true },
  "write-cancelled": { probe: ["node_sockets.ts", "writeCancelled"] },
  "subscriber-throws": {
    probe: ["node_sockets.ts", "subscriberThrows"],
    dies: /a subscriber that throws/,
  },
  "terminate-needs-lock": {
    probe: ["workers.ts", "terminateNeedsLock"],
    alone: true,
  },
  "web-worker-terminate": {
    probe: ["workers.ts", "webTerminate"],
    alone: true,
  },
  "web-worker-silent-end": { probe: ["workers.ts", "webSilentEnd"] },
  "heap-limit": { probe: ["workers.ts", "heapLimit"], alone: true },
  "out-of-memory": {
    probe: ["workers.ts", "outOfMemory"],
    flags: [...ALL, "--v8-flags=--max-old-space-size=40"],
    dies: /out of memory/,
  },
  "worker-descriptors": {
    probe: ["workers.ts", "startWithoutDescriptors"],
    scarce: true,
    dies: PANIC,
  },
  "stack-panic": { probe: ["scarce.ts", "stackPanic"] },
  "worker-not-in-graph": { probe: ["workers.ts", "workerNotInGraph"] },
  "handle-lost": { probe: ["children.ts", "handleLost"] },
  "handle-copy": { probe: ["children.ts", "copyLeaks"] },
  "handle-refused": {
    probe: ["children.ts", "neverAcknowledged"],
    scarce: true,
  },
  "handle-type": { probe: ["children.ts", "invalidHandle"], scarce: true },
  "close-notifies": { probe: ["children.ts", "closeNotifies"] },
  "passed-ended": { probe: ["children.ts", "passedEnded"] },
  "no-disconnect": { probe: ["children.ts", "noDisconnect"] },
};

/** The version in which the faults were last seen. Older versions may lack some. */
const KNOWN = [2, 9, 6];

function atLeastKnown(): boolean {
  const version = Deno.version.deno.split(".").map((part) => parseInt(part));
  const differs = KNOWN.findIndex((part, at) => part !== version[at]);
  return differs < 0 || version[differs] > KNOWN[differs];
}

const ignore = !readable || !granted("run", "write") ||
  Deno.build.os !== "linux" || !atLeastKnown();

/** The output of a process with probes. */
interface Output {
  said: string;
  errors: string;
}

/** Returns a name for the process of a canary: canaries with the same one share it. */
function processOf(canary: Canary): string {
  const { probe, flags = ALL, scarce = false, alone, dies } = canary;
  return JSON.stringify([flags, scarce, alone || dies ? probe : []]);
}

/** Runs probes in one process. */
async function run(canaries: Canary[]): Promise<Output> {
  const [{ flags = ALL, scarce = false }] = canaries;
  const program = new URL("../testdata/canaries/main.ts", import.meta.url);
  const args = ["run", "--quiet", "--no-config", "--no-check", ...flags];
  const probes = canaries.flatMap(({ probe }) => probe);
  const limit = scarce ? "ulimit -n 80; " : "";
  const directory = await Deno.makeTempDir();
  try {
    const { stdout, stderr } = await boundedCommand("sh", {
      args: [
        ...["-c", `${limit}exec "$0" "$@"`, Deno.execPath()],
        ...[...args, program.pathname, ...probes],
      ],
      env: { NO_COLOR: "1", TMPDIR: directory },
    }).output();
    const [said, errors] = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    return { said, errors };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Throws if Deno no longer has a fault. */
function check(name: string, { said, errors }: Output) {
  const { probe: [, probe], dies } = CANARIES[name];
  const row = workarounds().find((each) => each.name === name);
  assert(row !== undefined, `ARCHITECTURE.md has no row ${name}`);
  assert(
    !said.includes(`${probe} gone\n`),
    `Deno ${Deno.version.deno} no longer has this fault: ${row.fault}. ` +
      `Remove the workaround in ${row.where}, the row ${name} of ARCHITECTURE.md, and this canary.`,
  );
  if (dies) assertMatch(errors, dies);
  else assertStringIncludes(said, `${probe} fault\n`, errors);
}

/** The number of processes at a time; most of the probes sleep. */
const AT_A_TIME = 4;

Deno.test({
  name: "canaries: Deno still has the faults that the module works around",
  ignore,
  timeout: 240_000, // some 30 probes of a second or two
  async fn(t) {
    const groups = Map.groupBy(
      Object.keys(CANARIES),
      (name) => processOf(CANARIES[name]),
    );
    const waiting = [...groups.values()];
    const outputs = new Map<string, Output>();
    const work = async () => {
      for (let names = waiting.shift(); names; names = waiting.shift()) {
        const output = await run(names.map((name) => CANARIES[name]));
        for (const name of names) outputs.set(name, output);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    for (const [name, output] of outputs) {
      await t.step(name, () => check(name, output));
    }
  },
});

Deno.test({
  name: "ARCHITECTURE.md has a row for each canary, and names no other",
  ignore: !readable,
  fn() {
    const rows = workarounds().filter(({ check }) => check === "canary");
    assertEquals(
      rows.map(({ name }) => name).sort(),
      Object.keys(CANARIES).sort(),
    );
  },
});
