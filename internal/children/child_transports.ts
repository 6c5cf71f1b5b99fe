/**
 * What requests stand on in a child process, where the connection itself is the server's.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { NodeStream } from "../runtime/node_stream.ts";
import { secondsLeft, type WaitLimit } from "../waiting/timeouts.ts";
import { osError } from "../base/errors.ts";
import type {
  BoundedDatagramTransport,
  StreamTransport,
  TransportAddr,
} from "../runtime/transport.ts";
import { fromTransport } from "../base/address.ts";
import { CHUNK_MAX, type Operation, type RequestMessage } from "./messages.ts";
import type { ParentLink, ServerCall } from "./parent_link.ts";

/** The calls of one request: of a kind, one after the other, as the server demands. */
class CallQueue {
  readonly #link: ParentLink;
  readonly #id: number;
  readonly #last = new Map<Operation, Promise<void>>();

  constructor(link: ParentLink, id: number) {
    this.#link = link;
    this.#id = id;
  }

  /** Has the server do something. */
  call(call: ServerCall): Promise<unknown> {
    const { operation } = call;
    const last = this.#last.get(operation);
    const begin = () => this.#link.call(this.#id, call);
    const made = last === undefined ? begin() : last.then(begin);
    const ended: Promise<void> = made.then(ignore, ignore).then(() => {
      if (this.#last.get(operation) === ended) this.#last.delete(operation);
    });
    this.#last.set(operation, ended);
    return made;
  }
}

function ignore(): void {}

/** A connection whose bytes go through the server, one read and one write at a time. */
export class ChildStreamTransport implements StreamTransport {
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
    return this.#calls.call({ operation, argument });
  }

  #tell(
    operation: "close" | "setNoDelay" | "setKeepAlive",
    argument?: boolean,
  ): void {
    this.#calls.call({ operation, argument }).catch(ignore);
  }
}

/** The server's datagram socket, to answer on. The server keeps the limits. */
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
    return await this.#calls.call({
      operation: "sendto",
      argument: p,
      address: fromTransport(addr),
      timeout: secondsLeft(limit),
    }) as number;
  }

  close(): void {} // the server's, and other requests answer on it
}

/** A connection that came from another process, with the addresses that this one cannot ask for. */
export class ReceivedStream extends NodeStream {
  readonly #socket: NetSocket;
  readonly #local: TransportAddr | undefined;
  readonly #remote: TransportAddr | undefined;

  /**
   * @param socket The connection.
   * @param local The address on this side; undefined asks the connection.
   * @param remote The address on the other side, likewise.
   */
  constructor(
    socket: NetSocket,
    local?: TransportAddr,
    remote?: TransportAddr,
  ) {
    socket.allowHalfOpen = true; // it was on the other side, and that does not come along
    super(socket);
    this.#socket = socket;
    this.#local = local;
    this.#remote = remote;
  }

  override get localAddr(): TransportAddr {
    return this.#local ?? super.localAddr;
  }

  override get remoteAddr(): TransportAddr {
    return this.#remote ?? super.remoteAddr;
  }

  /** Whether the client has ended its side, and that was read. */
  get ended(): boolean {
    return this.#socket.readableEnded;
  }
}
