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

import { type Counts, Load } from "./load.ts";
import { loopbackNetwork, Process, root } from "./process.ts";

/** A part of the loopback network that no other run has: the configuration says 192.0.2.11, .12 and .13. */
const NETWORK = loopbackNetwork();
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

/** Starts a server, and waits until it listens. */
function startServer(host: string, delay: number): Promise<Process> {
  return Process.serve("--allow-net", [
    ...[`--host=${host}`, "--proxies=127.0.0.0/8"],
    `--shutdown-delay=${delay}`,
  ]);
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
  const servers = Object.fromEntries(
    await Promise.all(
      Object.entries(SERVERS).map(async ([name, host]) => {
        return [name, left.use(await startServer(host, delay))] as const;
      }),
    ),
  );
  const proxy = left.use(await HAProxy.start());
  for (const name of Object.keys(SERVERS)) await proxy.waitFor(name, "UP");
  const load = new Load(ENTRY, 8, 4);
  left.defer(async () => void await load.stop());
  const ended: [line: string, code: number][] = [];
  for (const [name, host] of Object.entries(SERVERS)) {
    await load.answers(100);
    ended.push(await servers[name].stop());
    servers[name] = left.use(await startServer(host, delay));
    await proxy.waitFor(name, "UP");
  }
  await load.answers(100);
  const counts = await load.stop();
  const [stopped, codes] = [
    ended.map(([line]) => line),
    ended.map(([, code]) => code),
  ];
  return { counts, stopped, codes };
}

if (import.meta.main) {
  console.log(await rollingRestart(Number(Deno.args[0] ?? "1")));
}
