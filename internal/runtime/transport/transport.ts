/**
 * The transports under a socket: the members of `Deno.Conn`, `Deno.Listener` and `Deno.DatagramConn` that a socket
 * uses. A TLS connection, a relayed connection in a worker, an adapter over `node:` and a test double are transports
 * too.
 *
 * @module
 */

import type { TransportAddr } from "../../base/address.ts";
import { SOCK_DGRAM, SOCK_STREAM } from "../../base/constants.ts";
import type { Bytes } from "../../base/memory.ts";
import { awaitHint } from "../../base/message_hints.ts";
import {
  PendingOperation,
  type Readiness,
} from "../../waiting/pending_operation.ts";
import type { WaitLimit } from "../../waiting/timeouts.ts";
import { whenReady } from "../../waiting/when_ready.ts";

export type { TransportAddr } from "../../base/address.ts";

/**
 * A connected stream: the part of `Deno.Conn` that a socket needs.
 *
 * @category Sockets
 */
export interface StreamTransport {
  /** Reads into `p`; resolves to the number of bytes, or null at the end of the stream. */
  read(p: Uint8Array): Promise<number | null>;
  /** Writes the start of `p`; resolves to the number of bytes written. */
  write(p: Uint8Array): Promise<number>;
  /** Closes both directions and releases the descriptor. */
  close(): void;
  /** Closes the writing direction; the peer reads the end of the stream. */
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

/**
 * A listening stream socket: the part of `Deno.Listener` that a socket needs.
 *
 * @category Sockets
 */
export interface ListenerTransport {
  /** Resolves to the next connection. */
  accept(): Promise<StreamTransport>;
  /** Closes the listening socket. */
  close(): void;
  /** Lets the process end while a call is in flight, until `ref`. */
  unref?(): void;
  /** Keeps the process alive while a call is in flight. */
  ref?(): void;
  /** The address of the listening socket. */
  readonly addr: TransportAddr;
  /** Takes the connections that were accepted before anybody asked for them, if closing the listener would lose them. */
  takeAhead?(): StreamTransport[];
}

/**
 * A datagram socket: the part of `Deno.DatagramConn` that a socket needs.
 *
 * @category Sockets
 */
export interface DatagramTransport {
  /** Receives one datagram into `p`; resolves to the used part of `p` and the sender. */
  receive(p?: Uint8Array): Promise<[Uint8Array, TransportAddr]>;
  /** Sends one datagram; resolves to the number of bytes sent. */
  send(p: Uint8Array, addr: TransportAddr): Promise<number>;
  /** Closes the socket. */
  close(): void;
  /** Resolves when the system has released the address, if that is later than `close`. */
  readonly released?: Promise<void>;
  /** Lets the process end while a call is in flight, until `ref`. */
  unref?(): void;
  /** Keeps the process alive while a call is in flight. */
  ref?(): void;
  /** The address of the bound socket. */
  readonly addr: TransportAddr;
  /** The number of datagrams received before anybody asked for them. */
  readonly queued?: number;
  /** Sets an option; returns false if the runtime cannot. */
  setOption?(name: DatagramOption, value: number): boolean;
  /** Returns an option; undefined if the runtime cannot read it. */
  getOption?(name: DatagramOption): number | undefined;
  /** Joins or leaves an IPv4 multicast group; returns false if it was joined, or left, before. */
  membership?(group: string, networkInterface: string, join: boolean): boolean;
}

/** A datagram socket that limits the time of a send itself, and keeps the order of datagrams to each peer. */
export interface BoundedDatagramTransport extends DatagramTransport {
  /** Tells a socket of this kind from other transports. */
  readonly bounded: true;
  /** Ready when no answer waits to be sent. */
  readonly flushed?: Readiness;
  /**
   * Sends one datagram.
   *
   * @param limit The limit of the wait.
   * @param answer Whether the datagram is a server's answer, which may be kept and sent later.
   */
  send(
    p: Uint8Array,
    addr: TransportAddr,
    limit?: WaitLimit,
    answer?: boolean,
  ): Promise<number>;
}

/** Reports whether a datagram socket limits the time of a send itself. */
export function isBounded(
  transport: DatagramTransport,
): transport is BoundedDatagramTransport {
  return "bounded" in transport;
}

/** A datagram socket that can have several receives in flight, which end in the order of arrival. */
export interface SeveralDatagramTransport extends DatagramTransport {
  /** Prepares for several receives. No receive may be in flight. */
  receiveSeveral(): void;
  /** Lets the process end, once the last receive has ended after `close`. */
  endSeveral(): void;
}

/** Reports whether a datagram socket can have several receives in flight. */
export function receivesSeveral(
  transport: DatagramTransport,
): transport is SeveralDatagramTransport {
  return "receiveSeveral" in transport;
}

/** A stream that returns memory of its own for each read. */
export interface OwningTransport extends StreamTransport {
  /** Reads the next bytes; null at the end of the stream. The caller owns all of the memory. */
  readOwn(): Promise<Bytes | null>;
}

/** Reports whether a stream returns memory of its own for each read. */
export function readsOwn(
  transport: StreamTransport,
): transport is OwningTransport {
  return "readOwn" in transport;
}

/** A stream whose written bytes may still wait to be sent, such as one over another thread or process. */
export interface AbortableTransport extends StreamTransport {
  /** Closes the connection at once, and drops the bytes that wait to be sent. */
  abort(): void;
}

/** Reports whether a stream has bytes that only `abort` drops. */
function isAbortable(
  transport: StreamTransport,
): transport is AbortableTransport {
  return "abort" in transport;
}

/** Closes a stream at once, and drops the bytes that wait to be sent. */
export function abortTransport(transport: StreamTransport): void {
  if (isAbortable(transport)) transport.abort();
  else transport.close();
}

function closeTransport(transport: StreamTransport): void {
  transport.close();
}

/** Closes a stream, with {@linkcode abortTransport} for instance, unless its owner or the runtime has done so already. */
export function releaseTransport(
  transport: StreamTransport,
  close: (transport: StreamTransport) => void = closeTransport,
): void {
  try {
    close(transport);
  } catch {
    // it is closed
  }
}

/** Returns the error of a call that the close of this side has ended. */
export function interrupted(): Error {
  return new Deno.errors.Interrupted("the socket was closed");
}

/**
 * Returns the error of a write that failed because the connection ended: this side has closed it, or the peer has reset it.
 */
export function cancelledWrite(closed: boolean): Error {
  return closed
    ? interrupted()
    : new Deno.errors.ConnectionReset("the peer reset the connection");
}

/** Reports whether a stream is Deno's connection over TCP or a Unix socket, whose end is a system call. */
export function closesAtOnce(transport: StreamTransport): boolean {
  return "readable" in transport && !("handshake" in transport);
}

/** Shuts a stream down for writing. Over TLS, Deno (2.9.6) waits for the handshake first, without a limit of its own. */
export function closeWriteWithin(
  transport: StreamTransport,
  limit: WaitLimit,
): Promise<void> {
  if (limit === null) return transport.closeWrite();
  const closed = new PendingOperation(() => transport.closeWrite());
  return whenReady(closed, limit, "shutdown", () => closed.take());
}

/**
 * A datagram option that Deno's or Node's UDP socket can set.
 *
 * @category Sockets
 */
export type DatagramOption =
  | "broadcast"
  | "multicastTTL"
  | "multicastLoop"
  | "recvBufferSize"
  | "sendBufferSize";

/**
 * A transport of a socket: anything that looks like `Deno.Conn`, `Deno.Listener` or `Deno.DatagramConn`.
 *
 * @category Sockets
 */
export type Transport = StreamTransport | ListenerTransport | DatagramTransport;

/** Returns the socket type of a transport. */
export function typeOf(transport: Transport): number {
  return "receive" in transport ? SOCK_DGRAM : SOCK_STREAM;
}

/** Throws unless `value` is a transport. */
export function checkTransport(value: unknown): asserts value is Transport {
  const { localAddr, addr, read, accept, receive } = Object(value);
  const main = localAddr === undefined ? accept ?? receive : read;
  if (typeof (localAddr ?? addr) === "object" && typeof main === "function") {
    return;
  }
  const shown = Deno.inspect(value);
  throw new TypeError(
    `Cannot make a socket: it needs a connection, a listener or a datagram socket, got ${shown}${
      awaitHint(value)
    }`,
  );
}
