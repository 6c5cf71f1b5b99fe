/**
 * A connection that a server of `node:net` has accepted, and that another process can take over.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type {
  AbortableTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { NodeStream } from "./node_stream.ts";

/** A connection that another process can take over before any byte is read here. Owns the connection until then. */
export class PassableStream implements AbortableTransport {
  readonly #socket: NetSocket;
  readonly #addr: TransportAddr;
  #stream: NodeStream | undefined;

  /**
   * @param socket A connection that is paused.
   * @param addr The address of the server.
   */
  constructor(socket: NetSocket, addr: TransportAddr) {
    this.#socket = socket;
    this.#addr = addr;
    socket.on("error", ignore);
  }

  get localAddr(): TransportAddr {
    if (this.#addr.transport === "unix") return this.#addr;
    const { localAddress: hostname, localPort: port } = this.#socket;
    return { transport: "tcp", hostname, port };
  }

  get remoteAddr(): TransportAddr {
    if (this.#addr.transport === "unix") return { transport: "unix", path: "" };
    const { remoteAddress: hostname, remotePort: port } = this.#socket;
    return { transport: "tcp", hostname, port };
  }

  /** Whether the client was gone before the connection was accepted. Such a connection has no address. */
  get gone(): boolean {
    return this.#addr.transport === "tcp" &&
      this.#socket.remoteAddress === undefined;
  }

  /** Whether no byte was read or written here. */
  get fresh(): boolean {
    return this.#stream === undefined;
  }

  /**
   * Returns the connection to the caller; it must be fresh, or stopped. Cuts its link to its server: closing the server
   * would send a message to each process that ever got a connection, past the queue of messages, and a connection on its
   * way would be lost (Deno 2.9.6).
   */
  take(): NetSocket {
    const socket = this.#socket;
    return Object.assign(socket, { server: null, _server: null });
  }

  /** Stops the reads of a connection that is not fresh, before it is taken. Returns the bytes that no read has taken. */
  stop(): Uint8Array {
    const early = this.#stream!.stop();
    this.#socket.on("error", ignore);
    return early;
  }

  /** Gives the connection away to TLS, with the bytes that no read has taken. */
  release(): NetSocket {
    return this.#stream?.release() ?? this.#socket;
  }

  get #open(): NodeStream {
    this.#socket.off("error", ignore);
    return this.#stream ??= new NodeStream(this.#socket);
  }

  read(p: Uint8Array): Promise<number | null> {
    return this.#open.read(p);
  }

  write(p: Uint8Array): Promise<number> {
    return this.#open.write(p);
  }

  closeWrite(): Promise<void> {
    return this.#open.closeWrite();
  }

  close(): void {
    if (this.#stream === undefined) this.#socket.destroy();
    else this.#stream.close();
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#stream === undefined) this.#socket.resetAndDestroy();
    else this.#stream.abort();
  }

  setNoDelay(on?: boolean): void {
    this.#socket.setNoDelay(on);
  }

  setKeepAlive(on?: boolean): void {
    this.#socket.setKeepAlive(on);
  }
}

/** Ignores an error of the connection: its new owner learns of it. */
function ignore(): void {}
