/**
 * The programs in the pages: how they are found, and how one is run.
 *
 * A block of TypeScript is a program. It ends by itself with exit code 0, within a minute. If it is a server, a line
 * `<!-- server -->` stands above the block: it listens on port 9999, which is replaced by a free one, answers a
 * client, stays up, and ends at Ctrl-C. If it cannot run here, the line is `<!-- not run: why -->`.
 *
 * @module
 */

import { assert, assertEquals, deadline, delay } from "./deps.ts";

/** The directory of the project. */
export const root: URL = new URL("../", import.meta.url);

/** The port of the servers in the pages. */
const PORT = "9999";

/** Reads a file of the project. */
export const read = (name: string): string =>
  Deno.readTextFileSync(new URL(name, root));

/** Returns the names of all pages of a directory, with those of the directories in it. */
export function pagesIn(directory = ""): string[] {
  const entries = [...Deno.readDirSync(new URL(directory || ".", root))];
  return entries.flatMap(({ name, isDirectory }) => {
    if (name.startsWith(".") || name === "node_modules") return [];
    if (isDirectory) return pagesIn(`${directory}${name}/`);
    return name.endsWith(".md") ? [directory + name] : [];
  }).sort();
}

/** A block of code. */
export interface Block {
  line: number;
  code: string;
  /** Whether it runs until Ctrl-C. */
  isServer: boolean;
  /** Why it is not run. */
  reason: string | undefined;
}

/** Returns the blocks of TypeScript in a text. */
export function blocksOf(text: string): Block[] {
  const blocks =
    /(?:<!-- (server|not run: (.*)) -->\n\n)?^```ts\n([^]*?)^```/gm;
  return Array.from(text.matchAll(blocks), (match) => ({
    line: text.slice(0, match.index).split("\n").length,
    code: match[3],
    isServer: match[1] === "server",
    reason: match[2],
  }));
}

/** Seconds for each part of a program's life. */
export interface Limits {
  /** For a program to end by itself, and for a server to listen and to answer. */
  run: number;
  /** How long a server must stay up. */
  stay: number;
  /** For a server to end after Ctrl-C. */
  end: number;
}

const LIMITS: Limits = { run: 60, stay: 3.5, end: 20 };

/** A program that runs. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  /** Whether it has ended. */
  ended = false;

  constructor(verb: "run" | "test", file: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [verb, "-A", "--no-check", file],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#stderr = new Response(this.#child.stderr).text();
    this.#child.status.then(() => this.ended = true);
  }

  /** Waits for the end; throws if it does not come in time, or if the program reported an error. */
  async end(seconds: number, what: string): Promise<Deno.CommandStatus> {
    if (!await this.endsWithin(seconds)) {
      this.#child.kill("SIGKILL");
      throw new Error(`${what}; ${await this.#stderr}`);
    }
    const text = await this.#stderr;
    assert(!/error/i.test(text), text);
    return await this.#child.status;
  }

  /** Reports whether it ends in a time. */
  async endsWithin(seconds: number): Promise<boolean> {
    await deadline(this.#child.status, seconds * 1000).catch(() => {});
    return this.ended;
  }

  interrupt(): void {
    if (!this.ended) this.#child.kill("SIGINT");
  }

  async [Symbol.asyncDispose]() {
    if (!this.ended) this.#child.kill("SIGKILL");
    await Promise.all([this.#child.status, this.#stderr]);
  }
}

/** Runs a program: as a test if it has one. Throws if it does not run as its page says. */
export async function runProgram(
  { code, line, isServer }: Omit<Block, "reason">,
  directory: string,
  limits: Limits = LIMITS,
): Promise<void> {
  const port = freePort();
  const file = `${directory}/line_${line}.ts`;
  await Deno.writeTextFile(file, code.replaceAll(PORT, String(port)));
  const verb = code.includes("Deno.test(") ? "test" : "run";
  await using program = new Program(verb, file);
  if (isServer) {
    assert(code.includes(PORT), `a server of a page listens on port ${PORT}`);
    await serveOne(program, port, limits);
  } else {
    const { code: exit } = await program.end(limits.run, "it has not ended");
    assertEquals(exit, 0);
  }
}

async function serveOne(
  program: Program,
  port: number,
  { run, stay, end }: Limits,
): Promise<void> {
  using client = await connect(program, port, run);
  if (client === undefined) return await failOf(program, "it did not listen");
  await client.write(new TextEncoder().encode("1\n"));
  await client.closeWrite();
  if (!await firstByte(client, run)) {
    return await failOf(program, "it said nothing to a client");
  }
  const rest = readAll(client);
  if (await program.endsWithin(stay)) {
    return await failOf(program, "it ended before Ctrl-C");
  }
  program.interrupt();
  const { code, signal } = await program.end(end, "Ctrl-C did not end it");
  assertEquals(code, signal === "SIGINT" ? 130 : 0); // a server without `serve()` ends by the signal itself
  await rest;
}

/** Throws, with what the program said. */
async function failOf(program: Program, what: string): Promise<never> {
  const status = await program.end(0, what);
  throw new Error(`${what}, with exit code ${status.code}`);
}

/** Makes a directory for programs, which know the package by its name; removes it in the end. */
export async function withDirectory(
  fn: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const { name, exports } = JSON.parse(read("deno.json"));
  const imports = { [name]: new URL(exports["."], root).href };
  try {
    // Not `--config`: the children of a forking server would not have it.
    const config = JSON.stringify({ imports });
    await Deno.writeTextFile(`${directory}/deno.json`, config);
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Connects when the program listens; undefined if it ended, or took too long. */
async function connect(
  program: Program,
  port: number,
  seconds: number,
): Promise<Deno.TcpConn | undefined> {
  const until = Date.now() + seconds * 1000;
  while (!program.ended && Date.now() < until) {
    try {
      return await Deno.connect({ port });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await delay(20);
    }
  }
}

/** Reports whether something comes in time. */
async function firstByte(
  client: Deno.TcpConn,
  seconds: number,
): Promise<boolean> {
  const read = client.read(new Uint8Array(1));
  return await deadline(read, seconds * 1000).catch(() => null) === 1;
}

async function readAll(client: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    while (await client.read(buffer) !== null);
  } catch {
    // it was closed: what has been said was looked at
  }
}

/** A port that nobody has. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
