/**
 * Servers on workers that run until the end of a test, and tests that need workers.
 *
 * @module
 */

import {
  type Address,
  type RequestHandlerConstructor,
  type Socket,
  type ThreadingOptions,
  ThreadingTCPServer,
} from "../../mod.ts";
import { deadline } from "../deps.ts";
import { mayRead } from "./allowed.ts";
import { bytes } from "./bytes.ts";
import { dial, readAll } from "./clients.ts";
import { Reports } from "./reports.ts";
import { within } from "./within.ts";

/** Defines a test that needs workers. If several processes check the types of their entry at a time, that takes half a minute. */
export function workerTest(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({ name, ignore: !mayRead, fn: (t) => deadline(fn(t), 120_000) });
}

/** Defines a test whose steps share one server, because a worker takes a third of a second of a processor to start. */
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

interface Servable extends AsyncDisposable {
  serverAddress: Address;
  serveForever(): Promise<void>;
  handleError: unknown;
  serverClose(options?: { timeout?: number }): Promise<unknown>;
}

/** Serves until it is disposed of, and collects the reports of the server. */
export class Running<S extends Servable> implements AsyncDisposable {
  readonly reports = new Reports();
  readonly served: Promise<void>;

  constructor(readonly server: S) {
    server.handleError = (_request: unknown, address: Address, error: Error) =>
      this.reports.add(address, error);
    this.served = server.serveForever();
  }

  /** Returns a connected client. */
  readonly connect = (): Promise<Socket> => dial(this.server.serverAddress);

  /** Sends the question, shuts down the sending side, and returns all of the answer. */
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

/** Starts a `ThreadingTCPServer`. */
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
