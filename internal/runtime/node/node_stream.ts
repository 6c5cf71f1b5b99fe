/**
 * A connection of `node:net` in the shape of `Deno.Conn`.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { InetAddress } from "../../base/address.ts";
import { joinBytes } from "../../base/memory.ts";
import { onAbort } from "../../waiting/abort.ts";
import { nodeNet } from "../system/node_builtins.ts";
import {
  type AbortableTransport,
  cancelledWrite,
  interrupted,
  type StreamTransport,
  type TransportAddr,
} from "../transport/transport.ts";

/** The events after which a read may end. */
const CHANGES = ["readable", "end", "close"];

/** The private member of a socket of Node that reads. */
interface Reading {
  readonly _handle: { readStop(): void } | null;
}

/** Reads and writes a socket of Node, and owns it: `close` destroys the socket. */
export class NodeStream implements AbortableTransport {
  readonly #socket: NetSocket;
  readonly #onChange = (): void => this.#wake?.();
  readonly #onError = (error: Error): void => void (this.#failure = error);
  #rest: Uint8Array | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  /**
   * @param socket A connected socket that was made with `allowHalfOpen`. No other code may read it.
   * @param early Bytes that were read before.
   */
  constructor(socket: NetSocket, early?: Uint8Array) {
    this.#socket = socket;
    this.#rest = early;
    for (const event of CHANGES) socket.on(event, this.#onChange);
    socket.on("error", this.#onError);
  }

  /** Gives the socket away, with the bytes that no read has taken. A read in flight never ends. */
  release(): NetSocket {
    const socket = this.#leave();
    if (this.#rest !== undefined) socket.unshift(this.#rest);
    return socket;
  }

  #leave(): NetSocket {
    const socket = this.#socket;
    for (const event of CHANGES) socket.off(event, this.#onChange);
    socket.off("error", this.#onError);
    return socket;
  }

  /**
   * Gives the socket away, and stops its reads, so that another process can read on. Without `readStop`, a function that
   * is private to Node, Deno (2.9.6) goes on to take bytes.
   *
   * @returns The bytes that no read has taken.
   */
  stop(): Uint8Array {
    const socket = this.#leave() as NetSocket & Reading;
    socket._handle?.readStop();
    const { readableLength } = socket;
    const buffered = readableLength > 0 ? [socket.read(readableLength)] : [];
    return joinBytes([this.#rest ?? new Uint8Array(0), ...buffered]);
  }

  get localAddr(): TransportAddr {
    const { localAddress, localPort } = this.#socket;
    return { transport: "tcp", hostname: localAddress, port: localPort };
  }

  get remoteAddr(): TransportAddr {
    const { remoteAddress, remotePort } = this.#socket;
    return { transport: "tcp", hostname: remoteAddress, port: remotePort };
  }

  async read(p: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk: Uint8Array | null = this.#rest ?? this.#socket.read();
      if (chunk !== null) return this.#deliver(chunk, p);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#socket.readableEnded) return null;
      if (this.#socket.destroyed) throw interrupted();
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #deliver(chunk: Uint8Array, p: Uint8Array): number {
    const count = Math.min(chunk.length, p.length);
    p.set(chunk.subarray(0, count));
    this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
    return count;
  }

  async write(p: Uint8Array): Promise<number> {
    if (this.#socket.destroyed) {
      throw new Deno.errors.BrokenPipe("the connection is gone");
    }
    return await new Promise((resolve, reject) => {
      this.#socket.write(
        p,
        (error) =>
          error ? reject(this.#writeFailure(error)) : resolve(p.length),
      );
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  /** Translates the error of a write, which is ECANCELED if the connection has ended (Deno 2.9.6). */
  #writeFailure(error: Error): Error {
    return error.message.includes("ECANCELED")
      ? cancelledWrite(this.#closed)
      : error;
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  /** Resets the connection. */
  abort(): void {
    this.#closed = true;
    this.#socket.resetAndDestroy();
  }

  setNoDelay(on?: boolean): void {
    this.#socket.setNoDelay(on);
  }

  setKeepAlive(on?: boolean): void {
    this.#socket.setKeepAlive(on);
  }
}

/** Connects from a local address, for which `Deno.connect` has no option. */
export async function connectFrom(
  [localAddress, localPort]: InetAddress,
  [host, port]: InetAddress,
  signal?: AbortSignal,
): Promise<StreamTransport> {
  signal?.throwIfAborted();
  const where = { host, port, localAddress, localPort };
  const socket = nodeNet().connect({ ...where, allowHalfOpen: true });
  return await whenConnected(socket, signal, () => new NodeStream(socket));
}

/** Waits until a socket has connected, and returns the result of `take`. Destroys a socket that cannot connect. */
export function whenConnected<T>(
  socket: NetSocket,
  signal: AbortSignal | undefined,
  take: () => T,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fail = (reason: unknown) => {
    forget?.();
    socket.destroy();
    reject(reason);
  };
  const forget = signal && onAbort(signal, () => fail(signal.reason));
  socket.once("error", fail);
  socket.once("connect", () => {
    forget?.();
    socket.off("error", fail);
    resolve(take()); // at once: from here on the stream listens for errors
  });
  return promise;
}
