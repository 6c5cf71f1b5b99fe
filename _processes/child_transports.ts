/**
 * What requests stand on in a child process, where the connection itself is the server's.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";
import type {
  DatagramTransport,
  StreamTransport,
  TransportAddr,
} from "../_socket/transport.ts";
import { fromTransport } from "../_socket/address.ts";
import type { RequestMessage } from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";

/** The most bytes that one message carries: arbitrary, what Deno reads from a pipe at a time. */
const CHUNK_MAX = 65536;

/** A connection whose bytes go through the server, one read and one write at a time. */
export class RelayStream implements StreamTransport {
  readonly #link: ParentLink;
  readonly #id: number;
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;

  /**
   * @param link The channel.
   * @param request The request.
   */
  constructor(link: ParentLink, request: RequestMessage) {
    this.#link = link;
    this.#id = request.id;
    this.localAddr = request.local!;
    this.remoteAddr = request.remote!;
  }

  async read(p: Uint8Array): Promise<number | null> {
    const size = Math.min(p.length, CHUNK_MAX);
    const data = await this.#call("read", size) as Uint8Array;
    p.set(data);
    return data.length === 0 ? null : data.length;
  }

  async write(p: Uint8Array): Promise<number> {
    const part = p.slice(0, CHUNK_MAX); // a view would take all of its buffer along
    await this.#call("write", part);
    return part.length;
  }

  async closeWrite(): Promise<void> {
    await this.#call("closeWrite");
  }

  close(): void {
    this.#tell("close");
  }

  setNoDelay(on = true): void {
    this.#tell("setNoDelay", on);
  }

  setKeepAlive(on = true): void {
    this.#tell("setKeepAlive", on);
  }

  #call(
    operation: "read" | "write" | "closeWrite",
    argument?: number | Uint8Array,
  ): Promise<unknown> {
    return this.#link.call(this.#id, { operation, argument });
  }

  #tell(
    operation: "close" | "setNoDelay" | "setKeepAlive",
    argument?: boolean,
  ): void {
    this.#link.call(this.#id, { operation, argument }).catch(() => {});
  }
}

/** The server's datagram socket, to answer on. */
export class RelayDatagram implements DatagramTransport {
  readonly #link: ParentLink;
  readonly #id: number;
  readonly addr: TransportAddr;

  /**
   * @param link The channel.
   * @param request The request.
   */
  constructor(link: ParentLink, request: RequestMessage) {
    this.#link = link;
    this.#id = request.id;
    this.addr = request.local!;
  }

  receive(): Promise<[Uint8Array, TransportAddr]> {
    return Promise.reject(osError("EOPNOTSUPP", {
      syscall: "recvfrom",
      reason: "the server receives, and gives each datagram to a handler",
    }));
  }

  async send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    return await this.#link.call(this.#id, {
      operation: "sendto",
      argument: p,
      address: fromTransport(addr),
    }) as number;
  }

  close(): void {} // the server's, and other requests answer on it
}
