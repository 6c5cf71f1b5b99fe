/**
 * What the tests of workers share.
 *
 * @module
 */

import {
  type Address,
  AF_INET,
  AF_UNIX,
  type RequestHandlerConstructor,
  Socket,
  type ThreadingOptions,
  ThreadingTCPServer,
} from "../mod.ts";
import { deadline } from "./deps.ts";

/** Whether the modules of this package may be read, which workers need. */
export const mayRead: boolean = Deno.permissions.querySync({
  name: "read",
  path: new URL("..", import.meta.url),
}).state === "granted";

/** A test that needs workers. */
export function workerTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !mayRead, fn: () => deadline(fn(), 30_000) });
}

/** What `handleError` was called with. */
export interface Reported {
  clientAddress: Address;
  error: Error & { code?: string; errno?: number };
}

interface Anyserver extends AsyncDisposable {
  serverAddress: Address;
  serveForever(): Promise<void>;
  handleError: unknown;
  serverClose(options?: { timeout?: number }): Promise<unknown>;
}

/** A server that serves, and what it reported. Disposing it closes it, within a time. */
export class Running<S extends Anyserver> implements AsyncDisposable {
  readonly errors: Reported[] = [];
  readonly served: Promise<void>;
  #onError: (() => void) | undefined;

  constructor(readonly server: S) {
    server.handleError = (
      _request: unknown,
      clientAddress: Address,
      error: Error,
    ) => {
      this.errors.push({ clientAddress, error });
      this.#onError?.();
    };
    this.served = server.serveForever();
  }

  /** The next report that nobody has taken. */
  async report(): Promise<Reported> {
    while (this.errors.length === 0) {
      await new Promise<void>((resolve) => this.#onError = resolve);
    }
    return this.errors.shift()!;
  }

  /** A client of it. */
  async connect(): Promise<Socket> {
    const { serverAddress } = this.server;
    const family = typeof serverAddress === "string" ? AF_UNIX : AF_INET;
    const socket = new Socket(family);
    socket.settimeout(20);
    await socket.connect(serverAddress);
    return socket;
  }

  /** Sends, ends the own side, and returns all that comes back. */
  async ask(text: string): Promise<string> {
    using client = await this.connect();
    await client.sendall(new TextEncoder().encode(text));
    await client.shutdown(1);
    return await readAll(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deadline(this.server.serverClose({ timeout: 5 }), 10_000);
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
  const file = client.makefile("rb");
  const text = new TextDecoder().decode(await file.read());
  file.close();
  return text;
}

/** As much as `length` bytes of text. */
export async function readText(
  client: Socket,
  length: number,
): Promise<string> {
  let text = "";
  while (text.length < length) {
    const data = await client.recv(length - text.length);
    if (data.length === 0) break;
    text += new TextDecoder().decode(data);
  }
  return text;
}
