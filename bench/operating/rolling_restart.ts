/**
 * Restarts three servers behind HAProxy one after another, by SIGTERM, under load, and counts the requests that fail:
 *
 *     deno run -A bench/operating/rolling_restart.ts [seconds]
 *
 * The servers are deploy/server.ts and the configuration is deploy/haproxy.cfg, with addresses of this machine and
 * shorter intervals. The argument is their `--shutdown-delay`: 1 without it; with 0 requests fail.
 *
 * @module
 */

import { Lines } from "../lines.ts";
import { type Counts, Load } from "./load.ts";

const root = new URL("../../", import.meta.url);

/** Servers of this machine: the configuration says 192.0.2.11, .12 and .13. */
const NETWORK = "127.84.17.";
const SERVERS = { a: `${NETWORK}11`, b: `${NETWORK}12`, c: `${NETWORK}13` };
const ENTRY = { hostname: `${NETWORK}1`, port: 9999 };

/** Milliseconds between two looks at what cannot be waited for. */
const LOOK_MS = 20;

/** What a rolling restart showed. */
export interface RollingRestart {
  /** What the clients saw. */
  counts: Counts;
  /** What the servers said at their ends, in the order of the restarts. */
  stopped: string[];
  /** The exit codes of the servers. */
  codes: number[];
}

/** A process that is killed if it is left. */
class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly lines: Lines;

  constructor(command: string, args: string[]) {
    this.#child = new Deno.Command(command, {
      args,
      cwd: root,
      stdin: "null",
      stdout: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.lines = new Lines(this.#child.stdout);
  }

  /** Sends SIGTERM. Resolves with the last line and the exit code. */
  async stop(): Promise<[line: string, code: number]> {
    this.#child.kill("SIGTERM");
    const line = await this.lines.next();
    return [line, (await this.#child.status).code];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
    await this.lines[Symbol.asyncDispose]();
  }
}

/** Starts a server, and waits until it listens. */
async function startServer(host: string, delay: number): Promise<Process> {
  const args = [
    ...["run", "--no-prompt", "--no-check", "--allow-net", "deploy/server.ts"],
    ...[`--host=${host}`, `--trusted-proxies=127.0.0.0/8`],
    `--shutdown-delay=${delay}`,
  ];
  const server = new Process(Deno.execPath(), args);
  const line = await server.lines.next();
  if (line.startsWith("Listening")) return server;
  await server[Symbol.asyncDispose]();
  throw new Error(`Cannot start a server on ${host}`);
}

/** HAProxy with the configuration of deploy/, for addresses of this machine. */
class HAProxy implements AsyncDisposable {
  readonly #process: Process;
  readonly #directory: string;

  private constructor(process: Process, directory: string) {
    this.#process = process;
    this.#directory = directory;
  }

  static async start(): Promise<HAProxy> {
    const directory = await Deno.makeTempDir();
    const config =
      (await Deno.readTextFile(new URL("deploy/haproxy.cfg", root)))
        .replaceAll("192.0.2.", NETWORK)
        .replace("bind :9999", `bind ${ENTRY.hostname}:${ENTRY.port}`)
        .replace("/run/haproxy", directory)
        .replace("inter 1s", "inter 100ms")
        .replace("slowstart 10s", "slowstart 1s");
    await Deno.writeTextFile(`${directory}/haproxy.cfg`, config);
    const args = ["-db", "-q", "-f", `${directory}/haproxy.cfg`];
    return new HAProxy(new Process("haproxy", args), directory);
  }

  /** Waits until HAProxy gives a state to a server. */
  async waitFor(name: string, state: string): Promise<void> {
    const until = Date.now() + 30_000;
    while (await this.#state(name) !== state) {
      if (Date.now() > until) throw new Error(`${name} is not ${state}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #state(name: string): Promise<string | undefined> {
    try {
      const path = `${this.#directory}/admin.sock`;
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(
        new TextEncoder().encode("show stat lines 4 -1\n"),
      );
      const csv = await new Response(connection.readable).text();
      const rows = csv.split("\n").map((line) => line.split(","));
      const column = rows[0].indexOf("status");
      return rows.find((row) => row[1] === name)?.[column];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined; // it is starting
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/**
 * Restarts the servers one after another, under load.
 *
 * @param delay The `--shutdown-delay` of the servers.
 */
export async function rollingRestart(delay: number): Promise<RollingRestart> {
  await using left = new AsyncDisposableStack();
  const servers: Record<string, Process> = {};
  for (const [name, host] of Object.entries(SERVERS)) {
    servers[name] = left.use(await startServer(host, delay));
  }
  const proxy = left.use(await HAProxy.start());
  for (const name of Object.keys(SERVERS)) await proxy.waitFor(name, "UP");
  const load = new Load(ENTRY, 8, 4);
  left.defer(async () => void await load.stop());
  const ended: [line: string, code: number][] = [];
  for (const [name, host] of Object.entries(SERVERS)) {
    await moreThan(load, 100);
    ended.push(await servers[name].stop());
    servers[name] = left.use(await startServer(host, delay));
    await proxy.waitFor(name, "UP");
  }
  await moreThan(load, 100);
  const counts = await load.stop();
  const [stopped, codes] = [
    ended.map(([line]) => line),
    ended.map(([, code]) => code),
  ];
  return { counts, stopped, codes };
}

/** Waits until the clients have had so many more answers. */
async function moreThan(load: Load, count: number): Promise<void> {
  const answered = () => load.counts.short + load.counts.kept;
  const from = answered();
  while (answered() < from + count) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

if (import.meta.main) {
  console.log(await rollingRestart(Number(Deno.args[0] ?? "1")));
}
