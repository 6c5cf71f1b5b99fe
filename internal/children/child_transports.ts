/**
 * The transports under the sockets of a child process.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { NodeStream } from "../runtime/node/node_stream.ts";
import { untilAborted } from "../waiting/abort.ts";
import { quiet } from "../waiting/promises.ts";
import { secondsLeft, signalOf, type WaitLimit } from "../waiting/timeouts.ts";
import { turnUntil } from "../waiting/turns.ts";
import { osError } from "../base/translate_error.ts";
import type {
  AbortableTransport,
  BoundedDatagramTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import { fromTransport } from "../base/address.ts";
import { CHUNK_MAX, type Operation, type RequestMessage } from "./messages.ts";
import type { ParentLink, ServerCall } from "./parent_link.ts";

/** Makes the calls of one request to the server: one call of each kind at a time, as the server demands. */
class CallQueue {
  readonly #link: ParentLink;
  readonly #id: number;
  readonly #last = new Map<Operation, Promise<void>>();

  constructor(link: ParentLink, id: number) {
    this.#link = link;
    this.#id = id;
  }

  /** Makes a call once the last one of its kind has ended. */
  call(call: ServerCall): Promise<unknown> {
    const { operation } = call;
    const last = this.#last.get(operation);
    const begin = () => this.#link.call(this.#id, call);
    const made = last === undefined ? begin() : last.then(begin);
    const forget = () => {
      if (this.#last.get(operation) === ended) this.#last.delete(operation);
    };
    const ended: Promise<void> = made.then(forget, forget);
    this.#last.set(operation, ended);
    return made;
  }
}

/** A connection whose descriptor stays with the server: each read and write is a call to it. */
export class ChildStreamTransport implements AbortableTransport {
  readonly #calls: CallQueue;
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;

  /**
   * @param link The channel.
   * @param request The request.
   */
  constructor(link: ParentLink, request: RequestMessage) {
    this.#calls = new CallQueue(link, request.id);
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
    const part = p.slice(0, CHUNK_MAX); // serializing a view copies its whole buffer
    await this.#call("write", part);
    return part.length;
  }

  async closeWrite(): Promise<void> {
    await this.#call("closeWrite");
  }

  close(): void {
    this.#tell("close");
  }

  abort(): void {
    this.#tell("abort");
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
    return this.#calls.call({ operation, argument });
  }

  #tell(
    operation: "close" | "abort" | "setNoDelay" | "setKeepAlive",
    argument?: boolean,
  ): void {
    quiet(this.#calls.call({ operation, argument }));
  }
}

/** The server's datagram socket, which sends a handler's answers. The server keeps the time limits. */
export class ChildDatagramTransport implements BoundedDatagramTransport {
  readonly bounded = true;
  readonly #calls: CallQueue;
  readonly addr: TransportAddr;

  /**
   * @param link The channel.
   * @param request The request.
   */
  constructor(link: ParentLink, request: RequestMessage) {
    this.#calls = new CallQueue(link, request.id);
    this.addr = request.local!;
  }

  receive(): Promise<[Uint8Array, TransportAddr]> {
    return Promise.reject(osError("EOPNOTSUPP", {
      syscall: "recvfrom",
      reason: "the server receives, and gives each datagram to a handler",
    }));
  }

  async send(
    p: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit = null,
  ): Promise<number> {
    const call = {
      operation: "sendto",
      argument: p,
      address: fromTransport(addr),
      timeout: secondsLeft(limit),
    } as const;
    const send = () => this.#calls.call(call) as Promise<number>;
    return await untilAborted(send, signalOf(limit));
  }

  close(): void {} // other requests answer on the server's socket
}

/** A connection passed from the server, with the addresses that this process cannot ask for. */
export class ReceivedStream extends NodeStream {
  readonly #socket: NetSocket;
  readonly #local: TransportAddr | undefined;
  readonly #remote: TransportAddr | undefined;
  /** Whether the event loop has looked at the connection. */
  #seen = false;

  /**
   * @param socket The connection.
   * @param local The address on this side; undefined asks the connection.
   * @param remote The address on the other side; undefined asks the connection.
   * @param early Bytes that the server has read already.
   */
  constructor(
    socket: NetSocket,
    local?: TransportAddr,
    remote?: TransportAddr,
    early?: Uint8Array,
  ) {
    socket.allowHalfOpen = true; // as in the server; passing does not keep it
    super(socket, early);
    this.#socket = socket;
    this.#local = local;
    this.#remote = remote;
  }

  /**
   * Writes, but not before the event loop has looked at the connection. A write before that fails with EPIPE (Deno 2.9.6)
   * if the client has ended its side.
   */
  override write(p: Uint8Array): Promise<number> {
    return this.#seen ? super.write(p) : this.#writeFirst(p);
  }

  async #writeFirst(p: Uint8Array): Promise<number> {
    const socket = this.#socket;
    await turnUntil(() => socket.bytesRead > 0 || socket.readableEnded);
    this.#seen = true;
    return await super.write(p);
  }

  override get localAddr(): TransportAddr {
    return this.#local ?? super.localAddr;
  }

  override get remoteAddr(): TransportAddr {
    return this.#remote ?? super.remoteAddr;
  }

  /** Whether the end of the client's side has been read. */
  get ended(): boolean {
    return this.#socket.readableEnded;
  }
}
