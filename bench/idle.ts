/**
 * Connections that do nothing: what they cost in memory, before and after they have moved data, and
 * what they take from a neighbour that is busy.
 *
 * @module
 */

import { Lines } from "./lines.ts";
import { compare, type Contender } from "./measure.ts";
import {
  ASYNCIO,
  BUN_LISTEN,
  cpython,
  DENO,
  deno,
  DENO_FRESH_SMALL,
  DENO_SMALL,
  NODE,
  ours,
} from "./peers.ts";
import { placement } from "./placement.ts";
import type { Plan } from "./plan.ts";
import { progress } from "./progress.ts";
import { measured, type Outcome } from "./results.ts";
import { startServer } from "./server_pool.ts";
import { Missing, pinned, program } from "./tools.ts";

const ECHO = ours("AsyncTCPServer", "Echo");

/** The servers whose memory is compared. */
const idlers: Record<string, Contender> = {
  "socketserver": ECHO,
  "socketserver, semi-space of 8 MiB": deno(
    "--v8-flags=--max-semi-space-size=8",
    "servers/serve.ts",
    "AsyncTCPServer",
    "Echo",
  ),
  "Deno.listen, 1 KiB": DENO_SMALL,
  "Deno.listen, fresh arrays of 1 KiB": DENO_FRESH_SMALL,
  "Deno.listen": DENO,
  "node:net in Node": NODE,
  "Bun.listen": BUN_LISTEN,
  "CPython asyncio": ASYNCIO,
  "CPython threading": cpython("threading"),
};

/** Connections to a server that stay open. */
class Idle implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = new Lines(child.stdout);
    this.#orders = child.stdin.getWriter();
  }

  /** Opens them, and lets each echo once. */
  static async open(
    port: number,
    count: number,
    load = "idle",
  ): Promise<Idle> {
    const [command, ...args] = [
      ...await pinned(1),
      await program(`load/${load}.c`),
      String(port),
      String(count),
    ];
    const child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const idle = new Idle(child);
    await idle.#expect("open");
    return idle;
  }

  /** Moves data over each, one after the other. */
  async move(kib: number): Promise<void> {
    await this.#orders.write(new TextEncoder().encode(`${kib}\n`));
    await this.#expect("moved");
  }

  async #expect(word: string): Promise<void> {
    const line = await this.#lines.next();
    if (line !== word) throw new Error(`Idle connections: no "${word}"`);
  }

  /** Closes them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** What connections do before their memory is measured. */
interface Life {
  /** How often to measure. */
  rounds: number;
  /** How many KiB each moves, by the name of its server. @default 0 */
  kib?: (name: string) => number;
  /** The seconds for which they are then idle. @default 0 */
  seconds?: number;
  /** The program that opens them. @default "idle" */
  load?: string;
}

/** A server whose connections do nothing any more. */
interface Quiet extends AsyncDisposable {
  /** KiB of memory for each connection. */
  kib(): number;
}

/** Starts a server, and opens its connections. */
async function quiet(
  name: string,
  { server: command }: Contender,
  { kib = () => 0, load }: Life,
  { connections: count, pool }: Plan,
): Promise<Quiet> {
  if (load !== undefined) await program(`load/${load}.c`);
  await using opened = new AsyncDisposableStack();
  const processors = placement(1).server;
  const server = await startServer(command, processors, opened, pool);
  const idle = opened.use(await Idle.open(server.port, count, load));
  if (kib(name) > 0) await idle.move(kib(name));
  await server.quiet();
  const kept = opened.move();
  return {
    kib: () => (server.memoryKiB - server.startKiB) / count,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What a connection of each of some servers costs. */
async function costs(
  contenders: Record<string, Contender>,
  life: Life,
  plan: Plan,
): Promise<Pick<Outcome, "contenders" | "skipped">> {
  const values: Record<string, number[]> = {};
  const skipped: Record<string, string> = {};
  const names = Object.keys(contenders).filter((name) =>
    plan.only?.has(name) ?? true
  );
  const open = async (name: string) => {
    progress(name);
    try {
      return await quiet(name, contenders[name], life, plan);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      skipped[name] = error.message;
    }
  };
  const add = (name: string, found: Quiet) =>
    (values[name] ??= []).push(found.kib());
  for (let round = 0; round < life.rounds; round++) {
    await measureAll(names.filter((n) => !(n in skipped)), open, add, life);
  }
  const all = Object.entries(values).map(([n, v]) => [n, measured(v)]);
  return { contenders: Object.fromEntries(all), skipped };
}

/** Measures one server after the other, or all of them when they have been idle together for some seconds. */
async function measureAll(
  names: string[],
  open: (name: string) => Promise<Quiet | undefined>,
  measure: (name: string, found: Quiet) => void,
  { seconds = 0 }: Life,
): Promise<void> {
  await using settling = new AsyncDisposableStack();
  const found = new Map<string, Quiet>();
  for (const name of names) {
    const one = await open(name);
    if (one === undefined) continue;
    if (seconds > 0) found.set(name, settling.use(one));
    else {
      await using now = one;
      measure(name, now);
    }
  }
  if (found.size === 0) return;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const [name, one] of found) measure(name, one);
}

/** What each of some servers costs, when its connections have echoed once; `load` opens them. */
export function idleCosts(
  contenders: Record<string, Contender>,
  plan: Plan,
  load: string,
): Promise<Pick<Outcome, "contenders" | "skipped">> {
  return costs(contenders, { rounds: Math.min(plan.rounds, 3), load }, plan);
}

/** Memory of connections that have echoed once. */
export async function idle(plan: Plan): Promise<Omit<Outcome, "command">> {
  return {
    title: "Memory of an idle connection, of 10,000",
    unit: "KiB",
    ...await idleCosts(idlers, plan, "idle"),
  };
}

/** Our servers by the way in which their connections wait. */
const ways: Record<string, Contender> = {
  "recv": ECHO,
  "recvInto, 1 KiB": ours("AsyncTCPServer", "IdleInto"),
  "recv with settimeout": ours("AsyncTCPServer", "IdleTimeout"),
  "recv with idleTimeout": ours(
    "AsyncTCPServer",
    "Echo",
    JSON.stringify({ idleTimeout: 600 }),
  ),
  "recv with requestTimeout": ours(
    "AsyncTCPServer",
    "Echo",
    JSON.stringify({ requestTimeout: 600 }),
  ),
  "waitForRequest": ours("AsyncTCPServer", "IdleRequests"),
  "rfile, lines": ours("AsyncTCPServer", "IdleLines"),
  "rfile, waitForRequest": ours("AsyncTCPServer", "IdleLineRequests"),
  "makefile, lines of text": ours("AsyncTCPServer", "IdleText"),
  "recv in workers": ours("ThreadingTCPServer", "Echo"),
};

/** Memory of idle connections by the way in which they wait. */
export async function idleWays(plan: Plan): Promise<Omit<Outcome, "command">> {
  return {
    title: "Memory of an idle connection, of 10,000, by how it waits",
    unit: "KiB",
    ...await costs(ways, { rounds: 1 }, plan),
  };
}

/** The servers whose memory is compared when their connections have been idle for a while. */
const settlers: Record<string, Contender> = {
  "socketserver": ECHO,
  "Deno.listen, 1 KiB": DENO_SMALL,
  "node:net in Node": NODE,
  "Bun.listen": BUN_LISTEN,
  "CPython asyncio": ASYNCIO,
};

/**
 * Memory of connections that have been idle for a while. V8's young generation grows while many connections begin in a
 * short time, and shrinks after about 25 seconds in which little happens.
 */
export async function idleSettled(
  plan: Plan,
): Promise<Omit<Outcome, "command">> {
  const { idleSeconds: seconds } = plan;
  return {
    title: "Memory of an idle connection, of 10,000, after half a minute",
    unit: "KiB",
    ...await costs(settlers, { rounds: 1, seconds }, plan),
  };
}

/** What a small buffer moves: a megabyte by 1 KiB would take minutes, and what is left behind is the same. */
const SMALL_KIB = 64;

/** Who moves how much before it goes quiet. */
const movers: Record<
  string,
  { server: Contender; kib: (plan: Plan) => number }
> = {
  "socketserver": { server: ECHO, kib: ({ idleKiB }) => idleKiB },
  "Deno.listen, 1 KiB": { server: DENO_SMALL, kib: () => 0 },
  "Deno.listen, fresh arrays of 1 KiB": {
    server: DENO_FRESH_SMALL,
    kib: ({ idleKiB }) => Math.min(idleKiB, SMALL_KIB),
  },
  "Bun.listen": { server: BUN_LISTEN, kib: ({ idleKiB }) => idleKiB },
};

/**
 * Memory of connections that have moved a megabyte each, beside a plain loop that keeps a small buffer, which
 * has nothing to leave behind and moves nothing, and one that gives its small arrays away.
 */
export async function idleQuiet(plan: Plan): Promise<Omit<Outcome, "command">> {
  const contenders = Object.fromEntries(
    Object.entries(movers).map(([name, { server }]) => [name, server]),
  );
  return {
    title: "Memory of a connection that moved 1 MiB and went quiet, of 10,000",
    unit: "KiB",
    ...await costs(
      contenders,
      { rounds: 1, kib: (name) => movers[name].kib(plan) },
      plan,
    ),
  };
}

/** The rate of busy connections beside idle ones in the same server, and without those. */
export async function idleNeighbour(
  plan: Plan,
): Promise<Omit<Outcome, "command">> {
  const connections: Idle[] = [];
  try {
    return await compare({
      title: "Echo of 64 bytes over 16 connections, beside 10,000 idle ones",
      unit: "requests/s",
      load: ["echo", 16, 64, 1],
      contenders: {
        "beside the idle": ECHO,
        "alone": ECHO,
        "Deno.listen beside the idle": DENO_FRESH_SMALL,
        "Deno.listen alone": DENO_FRESH_SMALL,
        "Bun.listen beside the idle": BUN_LISTEN,
        "Bun.listen alone": BUN_LISTEN,
      },
      before: async (name, server) => {
        if (name.endsWith("alone")) return;
        connections.push(await Idle.open(server.port, plan.connections));
      },
    }, plan);
  } finally {
    for (const idle of connections) await idle[Symbol.asyncDispose]();
  }
}
