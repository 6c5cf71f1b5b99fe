/**
 * What the tests of forking servers share.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Socket as NetSocket } from "node:net";
import type { Job } from "../internal/children/child_job.ts";
import type { ChildMessage, ToChild } from "../internal/children/messages.ts";
import {
  PoolChild,
  type PoolChildOptions,
} from "../internal/children/pool_child.ts";
import {
  type Address,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
  type Socket,
} from "../mod.ts";
import { haveUnix, mayFork } from "./helpers/allowed.ts";
import { dial, Reports } from "./remote_helpers.ts";
import { bytes as encode, text as decode } from "./server_helpers.ts";

export { recvToEnd as all } from "./helpers.ts";
export { decode, dial, encode };

/** Whether Unix sockets may be made here as well. */
export const MAY_UNIX = mayFork && haveUnix;

/** Servers that collect their errors. */
export class TCP extends ForkingTCPServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UDP extends ForkingUDPServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UnixStream extends ForkingUnixStreamServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UnixDatagram extends ForkingUnixDatagramServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}

/** Lets a server serve until the end of the block, and fails where its loop does. */
export function serving(
  server: TCP | UDP | UnixStream | UnixDatagram,
): AsyncDisposable {
  const served = server.serveForever();
  return {
    async [Symbol.asyncDispose]() {
      await server.serverClose({ timeout: 5 });
      await served;
    },
  };
}

/** A client that talks in lines. */
export class LineClient implements Disposable {
  readonly socket: Socket;
  readonly #rfile;
  readonly #wfile;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#rfile = socket.makefile("rb");
    this.#wfile = socket.makefile("wb", { buffering: 0 });
  }

  static async connect(address: Address): Promise<LineClient> {
    return new LineClient(await dial(address));
  }

  /** Sends a line. */
  async send(line: string): Promise<void> {
    await this.#wfile.write(encode(`${line}\n`));
  }

  /** Receives a line; empty at the end of the stream. */
  async line(): Promise<string> {
    return decode(await this.#rfile.readline()).trimEnd();
  }

  /** Sends a line and receives the answer. */
  async ask(line: string): Promise<string> {
    await this.send(line);
    return await this.line();
  }

  /** Closes. */
  close(): void {
    this.#rfile.close();
    this.#wfile.close().catch(() => {}); // the server may be gone
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Whether a process with this number exists, a zombie included. */
export function exists(pid: number): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}

/** For programs of their own: where the import map is. */
export const CONFIG = `--config=${
  new URL("../deno.json", import.meta.url).pathname
}`;

/** A child process of which only the messages count: what it was sent, and what it says. */
export class FakeChild extends EventEmitter {
  readonly pid = 1;
  connected = true;
  readonly sent: [message: ToChild, socket?: NetSocket][] = [];
  readonly signals: string[] = [];
  /** What `send` throws, or how it fails later. */
  refusal: { thrown?: Error; later?: Error } = {};
  /** Whether messages go out; else they wait. */
  writes = true;

  send(
    message: ToChild,
    socket: NetSocket | undefined,
    callback: (error: Error | null) => void,
  ): boolean {
    const { thrown, later } = this.refusal;
    if (thrown !== undefined) throw thrown;
    this.sent.push([message, socket]);
    if (later !== undefined) socket?.destroy();
    if (this.writes) queueMicrotask(() => callback(later ?? null));
    return true;
  }

  /** The types of all messages so far. */
  get types(): string[] {
    return this.sent.map(([{ type }]) => type);
  }

  /** Says something, as the code of the module in the child does, and passes a handle. */
  say(message: ChildMessage | Record<string, unknown>, handle?: object): void {
    const init = this.sent[0][0] as { token?: string };
    this.emit("message", { token: init.token, ...message }, handle);
  }

  kill(signal: string): boolean {
    this.signals.push(signal);
    this.emit("exit", null, signal);
    return true;
  }

  /** Ends by itself. */
  exit(code: number): void {
    this.emit("exit", code, null);
  }

  /** Whether it keeps the process of the server alive. */
  referenced = true;

  ref(): void {
    this.referenced = true;
  }
  unref(): void {
    this.referenced = false;
  }
  disconnect(): void {
    this.connected = false;
  }
}

/** A poolChild over a child that is none. */
export interface FakeMember {
  child: FakeChild;
  poolChild: PoolChild;
}

/** A poolChild over a child that is none, and ready. */
export function fakeMember(
  options: Partial<PoolChildOptions> = {},
  freed?: () => void,
): FakeMember {
  const member = startingMember(options, freed);
  member.child.say({ type: "ready" });
  return member;
}

/** A poolChild over a child that is none, and not ready. */
export function startingMember(
  options: Partial<PoolChildOptions> = {},
  freed?: () => void,
): FakeMember {
  const child = new FakeChild();
  const poolChild = new PoolChild(child as unknown as ChildProcess, {
    init: {
      type: "init",
      exportName: "Echo",
      serverAddress: ["127.0.0.1", 0],
      shared: undefined,
      idleTimeout: null,
      options: {},
    },
    moduleUrl: "file:///handlers.ts",
    shutdown: () => Promise.resolve(),
    onLimit: () => {},
    requestsPerChild: Infinity,
    childTimeout: null,
    ...options,
  }, freed);
  return { child, poolChild };
}

/** A child that accepts, without a server. `run` gets the end of each request that the child accepts. */
export function acceptingMember(
  options: Partial<PoolChildOptions> = {},
  run: (ended: Promise<unknown>) => void = () => {},
): FakeMember {
  const nothing = () => {};
  const begin = () => ({ job: fakeJob(), run });
  const accepts = {
    begin,
    counted: nothing,
    returned: nothing,
    changed: nothing,
    balance: nothing,
  };
  const member = fakeMember({ accepts, ...options });
  const unix = false;
  const message = { type: "listen", unix, backlog: 5, requests: 9 } as const;
  member.poolChild.accepting.listen(message, {});
  member.child.say({ type: "sync" });
  return member;
}

/** A request, with what it has besides. */
export function fakeJob(rest: Partial<Job> = {}): Job {
  const client: Address = ["127.0.0.1", 1];
  const message: Job["message"] = { type: "request", kind: "relay", client };
  return { request: undefined, message, ...rest };
}
