/**
 * The examples that speak a whole protocol beside the same on Node: Redis with redis-benchmark, HTTP with
 * wrk. Rounds are interleaved; the server has one core, the load another.
 *
 *     deno run -A bench/protocols.ts [rounds]
 *
 * @module
 */

import { median } from "./statistics.ts";

const here = (path: string) => new URL(path, import.meta.url).pathname;
const [rounds = "5"] = Deno.args;
const directory = await Deno.makeTempDir();
await Deno.writeTextFile(`${directory}/file.txt`, "0123456789".repeat(80));

const running: Deno.ChildProcess[] = [];

async function start(...command: string[]): Promise<string> {
  const child = new Deno.Command("taskset", {
    args: ["-c", "0", ...command],
    stdout: "piped",
  }).spawn();
  running.push(child);
  let text = "";
  for await (const chunk of child.stdout.values({ preventCancel: true })) {
    text += new TextDecoder().decode(chunk);
    const port = /(\d+)\n/.exec(text)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error(`${command.join(" ")} has ended`);
}

async function load(...command: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("taskset", {
    args: ["-c", "1", ...command],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** Requests a second of one command of Redis. */
async function redis(port: string, command: string, depth: string) {
  const count = depth === "1" ? "60000" : "400000";
  const args = ["-p", port, "-t", command, "-n", count, "-P", depth, "--csv"];
  const report = await load("redis-benchmark", ...args);
  return Number(/^"[GS]ET","([\d.]+)"/m.exec(report)![1]);
}

async function http(port: string, path: string) {
  const url = `http://127.0.0.1:${port}${path}`;
  const report = await load("wrk", "-c64", "-t1", "-d2", url);
  return Number(/Requests\/sec: +([\d.]+)/.exec(report)![1]);
}

const deno = ["deno", "run", "-A"];
const ourRedis = await start(
  ...deno,
  here("../examples/redis.ts"),
  "127.0.0.1",
  "0",
);
const nodeRedis = await start("node", here("peers/node_redis.mjs"), "0");
const ourHttp = await start(...deno, here("servers/http.ts"), "0", directory);
const nodeHttp = await start(
  "node",
  here("peers/node_http.mjs"),
  "0",
  directory,
);

type Measure = (port: string) => Promise<number>;
const MEASURES: [string, Measure, ours: string, node: string][] = [
  ["redis SET", (port) => redis(port, "set", "1"), ourRedis, nodeRedis],
  ["redis GET", (port) => redis(port, "get", "1"), ourRedis, nodeRedis],
  ["redis SET -P 16", (port) => redis(port, "set", "16"), ourRedis, nodeRedis],
  ["redis GET -P 16", (port) => redis(port, "get", "16"), ourRedis, nodeRedis],
  ["http, 13 bytes", (port) => http(port, "/"), ourHttp, nodeHttp],
  ["http, a file", (port) => http(port, "/file.txt"), ourHttp, nodeHttp],
];

try {
  for (const [name, measure, ours, node] of MEASURES) {
    const found: [number[], number[]] = [[], []];
    for (let round = 0; round < Number(rounds); round++) {
      found[0].push(await measure(ours));
      found[1].push(await measure(node));
    }
    const [a, b] = found.map((each) => median(each));
    const rates = `${a.toFixed(0).padStart(8)} ${b.toFixed(0).padStart(8)}`;
    console.log(`${name.padEnd(18)}${rates}  ${(a / b).toFixed(2)} of Node`);
  }
} finally {
  for (const child of running) {
    child.kill("SIGKILL");
    await child.stdout.cancel();
    await child.status;
  }
  await Deno.remove(directory, { recursive: true });
}
