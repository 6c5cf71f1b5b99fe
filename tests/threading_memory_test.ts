/** Peers that do not read, on the one side and on the other, while the rest moves a gigabyte. */

import type { Address, Socket } from "../mod.ts";
import { assertEquals, assertLess, deadline } from "./deps.ts";
import { dial } from "./remote_helpers.ts";
import { bytes } from "./server_helpers.ts";
import { readText } from "./threading_helpers.ts";
import { boundedCommand, within } from "./helpers/within.ts";
import { granted } from "./helpers/allowed.ts";

const MIB = 1 << 20;
const CLIENTS = 64;
/** Through all connections together. */
const TOTAL = 1024 * MIB;
const SHARE = TOTAL / CLIENTS;
/**
 * The most memory of the server's process. With two workers it begins with 90 MiB; each connection may have a
 * window of 128 KiB on its way in the main thread and one in the worker, 16 MiB in all; the rest is what the
 * collectors of three threads have not looked at. Measured are 150 MiB, for a quarter of the bytes as well.
 */
const PEAK_MAX = 256 * MIB;

/** A server in a process of its own. */
class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncIterator<string>;

  constructor(handler: string) {
    const script = new URL("testdata/threading_server.ts", import.meta.url);
    this.#child = boundedCommand(Deno.execPath(), {
      // deno-fmt-ignore
      args: ["run", "--no-check", "--allow-all", script.pathname, handler], // all, for /proc
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

/** Has half of the clients stand still until the other half has done its work; then they do theirs. */
function inHalves(
  name: string,
  handler: string,
  run: (server: Server, fast: Socket[], slow: Socket[]) => Promise<void>,
): void {
  const ignore = Deno.build.os !== "linux" || !granted("run", "read");
  Deno.test({ name, ignore, fn: () => deadline(test(), 60_000) });

  async function test(): Promise<void> {
    await using server = new Server(handler);
    const address = await server.next<Address>();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => dial(address)),
    );
    const half = CLIENTS / 2;
    await run(server, clients.slice(0, half), clients.slice(half));
    const peak = await server.ask("memory");
    for (const client of clients) client.close();
    assertLess(peak, PEAK_MAX);
  }
}

const buffer = new Uint8Array(65536);

/** Takes a client's share of what the server sends. */
async function take(client: Socket): Promise<void> {
  let left = SHARE;
  while (left > 0) left -= await client.recvInto(buffer);
  assertEquals(left, 0);
  assertEquals(await client.recvInto(buffer), 0);
}

inHalves(
  "ThreadingTCPServer keeps little of what slow clients do not read",
  "Download",
  async (_server, fast, slow) => {
    await Promise.all(
      [...slow, ...fast].map((client) => client.sendall(bytes(`${SHARE}\n`))),
    );
    await Promise.all(fast.map(take));
    await Promise.all(slow.map(take));
  },
);

/** Sends a client's share, and says whether its handler shall read it at once. */
async function give(client: Socket, first: string): Promise<void> {
  const piece = new Uint8Array(65536);
  await client.sendall(bytes(first));
  for (let count = 1; count < SHARE; count += piece.length) {
    await client.sendall(piece.subarray(0, SHARE - count));
  }
  await client.shutdown(1);
}

inHalves(
  "ThreadingTCPServer keeps little of what slow handlers do not read",
  "SlowReader",
  async (server, fast, slow) => {
    const sent = Promise.all(slow.map((client) => give(client, "s")));
    const finished = async (client: Socket) =>
      assertEquals(await readText(client, 99), `${SHARE}\n`);
    await Promise.all(fast.map((client) => give(client, "f")));
    await Promise.all(fast.map(finished));
    await server.ask("open");
    await sent;
    await Promise.all(slow.map(finished));
  },
);
