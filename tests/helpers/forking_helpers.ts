/**
 * What the tests of forking servers share.
 *
 * @module
 */

import {
  type Address,
  ConnectionResetError,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
  type Socket,
} from "../../mod.ts";
import { assertInstanceOf, assertStrictEquals } from "../deps.ts";
import { haveUnix, mayFork } from "./allowed.ts";
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

/** Receives the end of the stream, or a reset. */
export async function assertEnd(socket: Socket): Promise<void> {
  try {
    assertStrictEquals((await socket.recv(100)).length, 0);
  } catch (error) {
    assertInstanceOf(error, ConnectionResetError);
  }
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
  new URL("../../deno.json", import.meta.url).pathname
}`;
