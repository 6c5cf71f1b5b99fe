/**
 * What a socket stands on: the shapes of `Deno.Conn`, `Deno.Listener` and
 * `Deno.DatagramConn`, cut down to what it uses. A TLS connection, a relayed connection in a
 * worker, an adapter over `node:` and a test double all fit in.
 *
 * @module
 */

import type { WaitLimit } from "../waiting/timeouts.ts";
import { SOCK_DGRAM, SOCK_STREAM } from "../base/constants.ts";
import type { TransportAddr } from "../base/address.ts";
import type { Readiness } from "../waiting/pending_operation.ts";

export type { TransportAddr } from "../base/address.ts";

/** A connected stream: the part of `Deno.Conn` that a socket needs. */
export interface StreamTransport {
  /** Reads into `p`; resolves to the count, or null at the end of the stream. */
  read(p: Uint8Array): Promise<number | null>;
  /** Writes the start of `p`; resolves to the count taken. */
  write(p: Uint8Array): Promise<number>;
  /** Closes both directions and releases the descriptor. */
  close(): void;
  /** Ends the direction of writing; the peer reads the end of the stream. */
  closeWrite(): Promise<void>;
  /** The address on this side. */
  readonly localAddr: TransportAddr;
  /** The address on the other side. */
  readonly remoteAddr: TransportAddr;
  /** Sets `TCP_NODELAY`; TCP only. */
  setNoDelay?(on?: boolean): void;
  /** Sets `SO_KEEPALIVE`; TCP only. */
  setKeepAlive?(on?: boolean): void;
}

/** A listening stream socket: the part of `Deno.Listener` that a socket needs. */
export interface ListenerTransport {
  /** Resolves to the next connection. */
  accept(): Promise<StreamTransport>;
  /** Closes the listening socket. */
  close(): void;
  /** Lets the process end while a call is in flight; `ref` takes that back. */
  unref?(): void;
  /** Keeps the process alive while a call is in flight. */
  ref?(): void;
  /** The address on which it listens. */
  readonly addr: TransportAddr;
}

/** A datagram socket: the part of `Deno.DatagramConn` that a socket needs. */
export interface DatagramTransport {
  /** Receives one datagram into `p`; resolves to the part used and the sender. */
  receive(p?: Uint8Array): Promise<[Uint8Array, TransportAddr]>;
  /** Sends one datagram; resolves to the count of bytes. */
  send(p: Uint8Array, addr: TransportAddr): Promise<number>;
  /** Closes the socket. */
  close(): void;
  /** Resolves when the system has the address back, where that is later than `close`. */
  readonly released?: Promise<void>;
  /** Lets the process end while a call is in flight; `ref` takes that back. */
  unref?(): void;
  /** Keeps the process alive while a call is in flight. */
  ref?(): void;
  /** The address to which it is bound. */
  readonly addr: TransportAddr;
  /** Sets an option; false where the runtime cannot. */
  setOption?(name: DatagramOption, value: number): boolean;
  /** Reads an option; undefined where the runtime cannot. */
  getOption?(name: DatagramOption): number | undefined;
  /** Joins or leaves an IPv4 multicast group; false when it was joined, or left, before. */
  membership?(group: string, networkInterface: string, join: boolean): boolean;
}

/** A datagram socket that keeps the limits of a send itself, and the order of what goes to each peer. */
export interface BoundedDatagramTransport extends DatagramTransport {
  /** Tells it from others. */
  readonly bounded: true;
  /** Ready when no answer is kept to be sent later. */
  readonly flushed?: Readiness;
  /**
   * Sends one datagram.
   *
   * @param limit How long to wait at most.
   * @param answer Whether it is a server's answer, which may be kept and sent later.
   */
  send(
    p: Uint8Array,
    addr: TransportAddr,
    limit?: WaitLimit,
    answer?: boolean,
  ): Promise<number>;
}

/** Whether a datagram socket keeps limits itself. */
export function isBounded(
  transport: DatagramTransport,
): transport is BoundedDatagramTransport {
  return "bounded" in transport;
}

/** The datagram options that one of the two runtimes behind UDP can set. */
export type DatagramOption =
  | "broadcast"
  | "multicastTTL"
  | "multicastLoop"
  | "recvBufferSize"
  | "sendBufferSize";

/** What a socket can stand on: anything that looks like `Deno.Conn`, `Deno.Listener` or `Deno.DatagramConn`. */
export type Transport = StreamTransport | ListenerTransport | DatagramTransport;

/** The type of the socket that stands on `transport`. */
export function typeOf(transport: Transport): number {
  return "receive" in transport ? SOCK_DGRAM : SOCK_STREAM;
}

/** Throws unless `value` is something to stand on. */
export function checkTransport(value: unknown): asserts value is Transport {
  const { localAddr, addr, read, accept, receive } = Object(value);
  const main = localAddr === undefined ? accept ?? receive : read;
  if (typeof (localAddr ?? addr) === "object" && typeof main === "function") {
    return;
  }
  const shown = Deno.inspect(value);
  throw new TypeError(
    `Cannot make a socket: it needs a connection, a listener or a datagram socket, got ${shown}`,
  );
}
