/**
 * Finds the programs in the pages, and runs them.
 *
 * A block of TypeScript is a program. It ends by itself with exit code 0, in time. If it is a server, a line
 * `<!-- server -->` stands above the block: it listens on port 9999, which is replaced by a free port, answers a
 * client, stays up, and ends at Ctrl-C; with `<!-- server until SIGTERM -->` at that signal. With `<!-- server over TLS -->`
 * the client uses TLS. With `<!-- says: text -->`, or `<!-- server; says: text -->`, the text must be in what it
 * prints, or answers a client who says "1". Every program runs in a directory with `server.crt` and `server.key`, a
 * certificate of localhost. With `<!-- without permissions -->` it has no permission. There is no mark for a program
 * that does not run.
 *
 * Programs of one kind share a process, which ends by itself, or at the signal, only if each of them does.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  deadline,
  delay,
} from "../deps.ts";

/** The directory of the project. */
export const root: URL = new URL("../../", import.meta.url);

/** The port of the servers in the pages. */
const PORT = "9999";

/** Reads a file of the project. */
export const read = (name: string): string =>
  Deno.readTextFileSync(new URL(name, root));

/** Returns the names of all pages in a directory and below. */
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
  /** The page, if the programs of several are run. */
  page?: string;
  line: number;
  code: string;
  /** The signal that ends a server; undefined for other programs. */
  until?: Deno.Signal;
  /** Whether the clients of the server use TLS. */
  tls?: boolean;
  /** The text that the program must print, or the server answer. */
  says?: string;
  /** Whether the program runs without permissions. */
  unprivileged?: boolean;
}

/** Returns the blocks of TypeScript in a text. */
export function blocksOf(text: string): Block[] {
  const blocks = /(?:^<!-- (.*) -->\n\n)?^```ts\n([^]*?)^```/gm;
  return Array.from(text.matchAll(blocks), ({ index, 1: mark, 2: code }) => ({
    line: text.slice(0, index).split("\n").length,
    code,
    ...parseMark(mark ?? ""),
  }));
}

function parseMark(mark: string): Partial<Block> {
  if (mark === "without permissions") return { unprivileged: true };
  const match =
    /^(server( over TLS)?(?: until (SIG\w+))?)?(?:(?:^|; )says: (.+))?$/
      .exec(mark);
  if (match === null) throw new Error(`no mark of a program: ${mark}`);
  const [, server, tls, signal = "SIGINT", says] = match;
  const until = server === undefined ? undefined : signal as Deno.Signal;
  return { until, tls: tls !== undefined, says };
}

/** The seconds for each part of the life of a program. */
export interface Limits {
  /** Until a program ends by itself, or a server listens. */
  run: number;
  /** Until a server answers. */
  answer: number;
  /** The time for which a server must stay up. */
  stay: number;
  /** Until a server ends after the signal. */
  end: number;
}

const LIMITS: Limits = { run: 120, answer: 60, stay: 3.5, end: 20 };

/** A running program. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  /** The output. */
  readonly stdout: Promise<string>;
  /** Whether the program has ended. */
  ended = false;

  constructor(verb: "run" | "test", file: string, permission = "-A") {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [verb, permission, "--no-check", file],
      cwd: dirname(file),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.stdout = new Response(this.#child.stdout).text();
    this.#stderr = new Response(this.#child.stderr).text();
    this.#child.status.then(() => this.ended = true);
  }

  /** Waits for the end; throws if the program does not end in time, or reported an error. */
  async end(seconds: number, what: string): Promise<Deno.CommandStatus> {
    if (!await this.endsWithin(seconds)) {
      this.signal("SIGKILL");
      throw new Error(`${what}; ${await this.#stderr}`);
    }
    const text = await this.#stderr;
    assert(!/error/i.test(text), text);
    return await this.#child.status;
  }

  /** Reports whether the program ends in time. */
  async endsWithin(seconds: number): Promise<boolean> {
    await deadline(this.#child.status, seconds * 1000).catch(() => {});
    return this.ended;
  }

  signal(name: Deno.Signal): void {
    if (!this.ended) this.#child.kill(name);
  }

  async [Symbol.asyncDispose]() {
    this.signal("SIGKILL");
    await Promise.all([this.#child.status, this.#stderr, this.stdout]);
  }
}

/** A program that was written to a file. */
interface Written extends Block {
  file: string;
  port: number;
}

/** Writes a program to a file, with a free port. */
async function write(block: Block, directory: string): Promise<Written> {
  const port = freePort();
  const name = (block.page ?? "").replaceAll(/\W/g, "_");
  const file = `${directory}/${name}_line_${block.line}.ts`;
  await Deno.writeTextFile(file, block.code.replaceAll(PORT, String(port)));
  return { ...block, file, port };
}

/** The line between the outputs of two programs. */
const NEXT = "== the next program";

/** Writes a program that imports others: servers side by side, the rest one after the other. Returns its file. */
async function writeAll(programs: Written[], directory: string) {
  const [{ until, line }] = programs;
  const lines = ["globalThis.isMain = true;"];
  for (const { file } of programs) {
    const text = await Deno.readTextFile(file);
    // Only in the main thread: workers and children import the file too.
    const main = text.replaceAll("import.meta.main", "globalThis.isMain");
    await Deno.writeTextFile(file, main);
    const run = `import(${JSON.stringify(`file://${file}`)});`;
    lines.push(
      until ? run : `await ${run} console.log(${JSON.stringify(NEXT)});`,
    );
  }
  const all = `${directory}/all_${line}_${programs.length}.ts`;
  await Deno.writeTextFile(all, lines.join("\n"));
  return all;
}

/** Returns the kind of a program: programs of one kind can share a process. */
export function kindOf({ code, until, unprivileged }: Block): string {
  const verb = verbOf(code);
  if (until === undefined) {
    return unprivileged ? `${verb}, no permission` : verb;
  }
  const by = code.includes("await serve(") ? "" : " itself";
  const where = /Threading|Forking/.test(code) ? ", handlers elsewhere" : "";
  return `serve until ${until}${by}${where}`;
}

const verbOf = (code: string) => code.includes("Deno.test(") ? "test" : "run";

/**
 * Runs programs of one kind in one process, as tests if they have any. Throws if one does not run as its page says.
 */
export async function runPrograms(
  blocks: Block[],
  directory: string,
  options: Partial<Limits> = {},
): Promise<void> {
  const limits = { ...LIMITS, ...options };
  const programs = await Promise.all(
    blocks.map((block) => write(block, directory)),
  );
  const [{ code, file, until, unprivileged }] = programs;
  const main = programs.length === 1
    ? file
    : await writeAll(programs, directory);
  const permission = unprivileged ? "--no-prompt" : "-A";
  await using program = new Program(verbOf(code), main, permission);
  const said = until === undefined
    ? await runToEnd(program, limits)
    : await serveUntil(program, programs, until, limits);
  programs.forEach(({ says = "" }, i) => assertStringIncludes(said[i], says));
}

/** Waits for the end of programs, and returns the output of each. */
async function runToEnd(program: Program, { run }: Limits): Promise<string[]> {
  const { code } = await program.end(run, "it has not ended");
  assertEquals(code, 0);
  return (await program.stdout).split(`${NEXT}\n`);
}

/** Asks servers, lets them stay up, and ends them. Returns the answer of each. */
async function serveUntil(
  program: Program,
  servers: Written[],
  until: Deno.Signal,
  limits: Limits,
): Promise<string[]> {
  await using clients = new AsyncDisposableStack();
  const answers = await Promise.all(servers.map(async (server) => {
    const client = await askOne(program, server, limits);
    clients.defer(() => client.close());
    return { first: await firstByte(client, limits.answer), client };
  }));
  const silent = servers.filter((_, i) => answers[i].first === "");
  if (silent.length > 0) {
    return await failOf(program, `${names(silent)} said nothing to a client`);
  }
  const rest = answers.map(({ client }) => readAll(client));
  if (await program.endsWithin(limits.stay)) {
    return await failOf(program, `it ended before ${until}`);
  }
  program.signal(until);
  const { code, signal } = await program.end(
    limits.end,
    `${until} did not end it`,
  );
  // A server without `serve()` ends by the signal itself.
  assertEquals(code, signal === "SIGINT" ? 130 : 0);
  return await Promise.all(
    answers.map(async ({ first }, i) => first + await rest[i]),
  );
}

const names = (programs: Written[]): string =>
  programs.map(({ page = "line", line }) => `${page}:${line}`).join(", ");

/** Connects to a server once it listens, and asks. */
async function askOne(
  program: Program,
  server: Written,
  { run }: Limits,
): Promise<Deno.Conn> {
  assert(
    server.code.includes(PORT),
    `a server of a page listens on port ${PORT}`,
  );
  const client = await connect(program, server, run);
  if (client === undefined) {
    return await failOf(program, `${names([server])} did not listen`);
  }
  await ask(client, "1\n");
  return client;
}

/** Throws an error with the output of the program. */
async function failOf(program: Program, what: string): Promise<never> {
  const status = await program.end(2, what); // the reason may still come
  throw new Error(`${what}, with exit code ${status.code}`);
}

/** Makes a directory for programs, with the import map, and removes it in the end. */
export async function withDirectory(
  fn: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const { name, exports } = JSON.parse(read("deno.json"));
  const imports = Object.fromEntries(
    Object.entries<string>(exports).map(([subpath, path]) => [
      `${name}${subpath.slice(1)}`,
      new URL(path, root).href,
    ]),
  );
  try {
    // Not `--config`: the children of a forking server would not have it.
    const config = JSON.stringify({ imports });
    await Deno.writeTextFile(`${directory}/deno.json`, config);
    for (const kind of ["crt", "key"]) {
      const text = read(`tests/testdata/localhost.${kind}`);
      await Deno.writeTextFile(`${directory}/server.${kind}`, text);
    }
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Connects once the program listens; returns undefined if it ends, or takes too long. */
async function connect(
  program: Program,
  { port, tls }: Written,
  seconds: number,
): Promise<Deno.TcpConn | Deno.TlsConn | undefined> {
  const until = Date.now() + seconds * 1000;
  while (!program.ended && Date.now() < until) {
    try {
      if (!tls) return await Deno.connect({ port });
      const caCerts = [read("tests/testdata/localhost.crt")];
      return await Deno.connectTls({ port, caCerts });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await delay(50); // nothing tells that a port is listened on
    }
  }
}

/** Sends a question. If the server has gone, reading the answer fails. */
async function ask(client: Deno.Conn, question: string): Promise<void> {
  try {
    await client.write(new TextEncoder().encode(question));
    await client.closeWrite();
  } catch {
    // read below
  }
}

/** Returns the first byte of the answer; "" if none arrives in time. */
async function firstByte(
  client: Deno.Conn,
  seconds: number,
): Promise<string> {
  const buffer = new Uint8Array(1);
  const count = await deadline(client.read(buffer), seconds * 1000)
    .catch(() => null);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

async function readAll(client: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  try {
    for (let count; (count = await client.read(buffer)) !== null;) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch {
    // closed: the text so far is checked
  }
  return text;
}

/** Returns a free port below those that Linux assigns to sockets with port 0. */
export function freePort(): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "0.0.0.0", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
