/**
 * What the tests of forking servers share.
 *
 * @module
 */

import {
  type Address,
  AF_INET,
  AF_UNIX,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
  Socket,
} from "../mod.ts";

function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Whether child processes may be started here. */
export const MAY_FORK = granted({ name: "run" }) &&
  granted({ name: "env", variable: "NODE_V8_COVERAGE" });

/** Whether Unix sockets may be made here as well. */
export const MAY_UNIX = MAY_FORK && granted({ name: "write" }) &&
  granted({ name: "read" }) && Deno.build.os !== "windows";

/** What `handleError` was called with. */
export interface Report {
  address: Address;
  error: Error & { code?: string };
}

/** Collects what `handleError` is called with. */
export class Reports {
  readonly #all: Report[] = [];
  readonly #waiting: ((report: Report) => void)[] = [];

  add(address: Address, error: unknown): void {
    const report = { address, error: error as Report["error"] };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#all.push(report);
    else waiting(report);
  }

  /** How many nobody has taken. */
  get left(): number {
    return this.#all.length;
  }

  /** The next one. */
  next(): Promise<Report> {
    const report = this.#all.shift();
    if (report !== undefined) return Promise.resolve(report);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

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

/** Connects to a server; a test that would hang ends with a TimeoutError. */
export async function dial(address: Address): Promise<Socket> {
  const socket = new Socket(typeof address === "string" ? AF_UNIX : AF_INET);
  socket.settimeout(20);
  await socket.connect(address);
  return socket;
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

/** Receives to the end of the stream. */
export async function all(socket: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await socket.recv(65536);
    if (chunk.length === 0) break;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
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

export const encode = (text: string) => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
