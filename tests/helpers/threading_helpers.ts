/**
 * What the tests of workers share.
 *
 * @module
 */

import {
  type Address,
  MSG_WAITALL,
  type RequestHandlerConstructor,
  type Socket,
  type ThreadingOptions,
  ThreadingTCPServer,
} from "../../mod.ts";
import { deadline } from "../deps.ts";
import { recvToEnd } from "./helpers.ts";
import { mayRead } from "./allowed.ts";
import { within } from "./within.ts";
import { dial, Reports } from "./remote_helpers.ts";
import { bytes, text } from "./server_helpers.ts";

/** A test that needs workers. Several processes that check the types of the workers' entry at a time take half a minute. */
export function workerTest(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({ name, ignore: !mayRead, fn: (t) => deadline(fn(t), 120_000) });
}

/** A test whose steps share one server, because a worker takes a third of a second of a processor to start. */
export function stepsTest<R extends AsyncDisposable>(
  name: string,
  start: () => R,
  steps: Record<string, (running: R) => Promise<void>>,
): void {
  const sanitize = { sanitizeOps: false, sanitizeResources: false }; // the whole test leaves nothing open
  workerTest(name, async (t) => {
    await using running = start();
    for (const [name, fn] of Object.entries(steps)) {
      await t.step({
        name,
        fn: () => within(fn(running), 60_000),
        ...sanitize,
      });
    }
  });
}

interface Anyserver extends AsyncDisposable {
  serverAddress: Address;
  serveForever(): Promise<void>;
  handleError: unknown;
  serverClose(options?: { timeout?: number }): Promise<unknown>;
}

/** A server that serves, and what it reported. Disposing it closes it, within a time. */
export class Running<S extends Anyserver> implements AsyncDisposable {
  readonly reports = new Reports();
  readonly served: Promise<void>;

  constructor(readonly server: S) {
    server.handleError = (_request: unknown, address: Address, error: Error) =>
      this.reports.add(address, error);
    this.served = server.serveForever();
  }

  /** A client of it. */
  readonly connect = (): Promise<Socket> => dial(this.server.serverAddress);

  /** Sends, ends the own side, and returns all that comes back. */
  async ask(question: string): Promise<string> {
    using client = await this.connect();
    await client.sendall(bytes(question));
    await client.shutdown(1);
    return await readAll(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deadline(this.server.serverClose({ timeout: 5 }), 60_000);
    await this.served;
  }
}

/** Starts a server for TCP on workers. */
export function start(
  Handler: RequestHandlerConstructor,
  options: ThreadingOptions = {},
): Running<ThreadingTCPServer> {
  const server = new ThreadingTCPServer(["127.0.0.1", 0], Handler, {
    maxWorkers: 2,
    ...options,
  });
  return new Running(server);
}

/** All that comes until the other side ends, as text. */
export async function readAll(client: Socket): Promise<string> {
  return text(await recvToEnd(client));
}

/** As much as `length` bytes of text. */
export async function readText(
  client: Socket,
  length: number,
): Promise<string> {
  return text(await client.recv(length, MSG_WAITALL));
}
