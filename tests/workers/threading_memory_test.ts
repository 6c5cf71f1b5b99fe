/** Peers that do not read, on the one side and on the other, while the others are served. */

import type { Address, Socket } from "../../mod.ts";
import { assertEquals, assertLess, deadline } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { dial, readText } from "../helpers/clients.ts";
import { boundedCommand, within } from "../helpers/within.ts";

const MIB = 1 << 20;
/** The clients that read or are read at once, and those that stand still meanwhile. */
const FAST = 32, SLOW = 32;
/** The bytes of a client of each kind. What a server would keep of all slow ones is more than it may have. */
const FAST_SHARE = 2 * MIB, SLOW_SHARE = 8 * MIB;
/**
 * The most memory of the server's process. With two workers it begins with 90 MiB; each connection may have a
 * window of 128 KiB on its way in the main thread and one in the worker, 16 MiB in all; the rest is what the
 * collectors of three threads have not looked at. Measured are 150 MiB, for four times the bytes as well.
 */
const PEAK_MAX = 256 * MIB;

/** A server in a process of its own. */
class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncIterator<string>;

  constructor() {
    const script = new URL("../testdata/threading_server.ts", import.meta.url);
    this.#child = boundedCommand(Deno.execPath(), {
      // deno-fmt-ignore
      args: ["run", "--no-check", "--allow-all", script.pathname], // all, for /proc
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const text = this.#child.stdout.pipeThrough(new TextDecoderStream());
    this.#output = text.values();
  }

  async next<T>(): Promise<T> {
    return JSON.parse((await within(this.#output.next())).value);
  }

  /** The most memory that its process had, in bytes. */
  async ask(line: string): Promise<number> {
    await this.#input.write(bytes(`${line}\n`));
    return await this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    const { success } = await within(this.#child.status);
    await this.#output.return?.();
    assertEquals(success, true);
  }
}

const connect = (address: Address, count: number) =>
  Promise.all(Array.from({ length: count }, () => dial(address)));

const buffer = new Uint8Array(65536);

/** Takes a client's share of what the server sends. */
async function take(client: Socket, share: number): Promise<void> {
  let left = share;
  while (left > 0) left -= await client.recvInto(buffer);
  assertEquals(left, 0);
  assertEquals(await client.recvInto(buffer), 0);
}

/** Has the server send to all, while the slow clients do not read. */
async function download(fast: Socket[], slow: Socket[]): Promise<void> {
  const ask = (share: number) => (client: Socket) =>
    client.sendall(bytes(`Download\n${share}\n`));
  await Promise.all(slow.map(ask(SLOW_SHARE)));
  await Promise.all(fast.map(ask(FAST_SHARE)));
  await Promise.all(fast.map((client) => take(client, FAST_SHARE)));
  await Promise.all(slow.map((client) => take(client, SLOW_SHARE)));
}

/** Sends a client's share, and says whether its handler shall read it at once. */
async function give(client: Socket, first: string, share: number) {
  const piece = new Uint8Array(65536);
  await client.sendall(bytes(`SlowReader\n${first}`));
  for (let count = 1; count < share; count += piece.length) {
    await client.sendall(piece.subarray(0, share - count));
  }
  await client.shutdown(1);
}

/** Sends to handlers, while those of the slow clients do not read. */
async function upload(server: Server, fast: Socket[], slow: Socket[]) {
  const finished = async (client: Socket, share: number) =>
    assertEquals(await readText(client, 99), `${share}\n`);
  const sent = Promise.all(slow.map((each) => give(each, "s", SLOW_SHARE)));
  await Promise.all(fast.map((each) => give(each, "f", FAST_SHARE)));
  await Promise.all(fast.map((each) => finished(each, FAST_SHARE)));
  await server.ask("open");
  await sent;
  await Promise.all(slow.map((each) => finished(each, SLOW_SHARE)));
}

Deno.test({
  name:
    "ThreadingTCPServer keeps little of what slow clients and slow handlers do not read",
  ignore: Deno.build.os !== "linux" || !granted("run", "read"),
  fn: () => deadline(test(), 120_000),
});

async function test(): Promise<void> {
  await using server = new Server();
  const address = await server.next<Address>();
  for (
    const run of [download, upload.bind(undefined, server)] as const
  ) {
    const fast = await connect(address, FAST);
    const slow = await connect(address, SLOW);
    await run(fast, slow);
    for (const client of [...fast, ...slow]) client.close();
    assertLess(await server.ask("memory"), PEAK_MAX, run.name);
  }
}
