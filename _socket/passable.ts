/**
 * A connection of `node:net` that another process can take over.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { NodeStream } from "./node_stream.ts";
import type { StreamTransport, TransportAddr } from "./transport.ts";

/** Reads and writes a connection, or gives it away before anything was read. Owns it until then. */
export class PassableStream implements StreamTransport {
  readonly #socket: NetSocket;
  readonly #addr: TransportAddr;
  #stream: NodeStream | undefined;

  /**
   * @param socket A connection that is paused.
   * @param addr Where it was accepted.
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

  /** Whether the client was gone before the connection was accepted: it has no address any more. */
  get gone(): boolean {
    return this.#addr.transport === "tcp" &&
      this.#socket.remoteAddress === undefined;
  }

  /** Whether nothing was read or written here. */
  get fresh(): boolean {
    return this.#stream === undefined;
  }

  /** Gives the connection away; it must be fresh. */
  take(): NetSocket {
    return this.#socket;
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
    this.#socket.destroy();
  }

  setNoDelay(on?: boolean): void {
    this.#socket.setNoDelay(on);
  }

  setKeepAlive(on?: boolean): void {
    this.#socket.setKeepAlive(on);
  }
}

/** Who takes the connection over learns of its errors. */
function ignore(): void {}
