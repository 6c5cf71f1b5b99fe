/**
 * The frames between the main thread and a worker.
 *
 * @module
 */

import { toFailure } from "../handoff/failure.ts";
import type { Address, AddressLike } from "../base/address.ts";
import { joinBytes } from "../base/arguments.ts";
import type { OptionValue } from "../runtime/socket_options.ts";
import type { TransportAddr } from "../runtime/transport.ts";

/** To the worker: a request begins; its {@linkcode Opening}. */
export const OPEN = 1;
/** Both ways: bytes of the connection. To the worker also the datagram, behind its `OPEN`. */
export const DATA = 2;
/** To the worker: the client has ended its side. */
export const EOF = 3;
/** Both ways: so many bytes were taken and may be sent again; a {@linkcode count}. */
export const CREDIT = 4;
/** To the worker: reading failed; a {@linkcode Failure}. */
export const READ_FAILED = 5;
/** To the worker: writing failed; a {@linkcode Failure}. */
export const WRITE_FAILED = 6;
/** To the worker: the server drains. */
export const DRAIN = 7;
/** To the worker: the answer to a call; an {@linkcode Answer}. The id is the call's. */
export const ANSWER = 8;
/** To the main thread: the handler ends the direction of writing. */
export const SHUT_WRITE = 9;
/** To the main thread: the handler closes the connection. */
export const CLOSE = 10;
/** To the main thread: sets an option; an {@linkcode OptionCall}. */
export const OPTION = 11;
/**
 * To the main thread: the handler has ended; a {@linkcode count} of the bytes of the connection that have come to the
 * worker, and behind it nothing, or the {@linkcode Failure} that the handler threw.
 */
export const FINISHED = 12;
/** To the main thread: sends the datagram of the `DATA` behind it; a {@linkcode SendCall}. */
export const SEND_TO = 13;
/** To the main thread: calls the server's `shutdown`. The id is the call's. */
export const SHUTDOWN = 14;
/** To the main thread: an error outside of any handler ends the worker; a {@linkcode Failure}. */
export const CRASHED = 15;
/** To the worker: asks for a sign of life. To the main thread: the sign. */
export const HEARTBEAT = 16;
/** To the main thread: the handler has ended, and did not wait for all that it sent. */
export const LINGER = 17;
/** To the main thread: the handler's class is loaded, and requests may come. */
export const READY = 18;
/** To the main thread: the handler's class cannot be loaded; a {@linkcode Failure}. */
export const LOAD_FAILED = 19;
/** To the main thread: bytes of the connection that the handler has not read. */
export const UNREAD = 20;

/**
 * The most bytes of one connection and direction that may be on their way between socket and handler: as many
 * as one read of the large buffer brings, twice, so that one can be on its way while one is worked on.
 */
export const WINDOW = 131_072;

/** How many bytes are taken before the sender is told: a quarter, so that it never waits for news. */
export const CREDIT_STEP: number = WINDOW / 4;

/** The longest piece of data in one frame; a quarter of the ring, so that connections take turns. */
export const PIECE_MAX = 65_536;

/** What a worker is told about a request. */
export interface Opening {
  /** The client's address, as `getRequest` gave it. */
  clientAddress: Address;
  /** The connection's or the server's own address. */
  localAddr: TransportAddr;
  /** The address of the connection's other side; there is none for a datagram. */
  remoteAddr?: TransportAddr;
  /** The timeout of the connection. */
  timeout: number | null;
}

/** A call of `setsockopt`. */
export interface OptionCall {
  level: number;
  name: number;
  value: Exclude<OptionValue, Uint8Array>;
}

/** A call of `sendto`. */
export interface SendCall {
  /** The number of the call. */
  call: number;
  /** Where to; the name of a host is looked up by the main thread. */
  address: AddressLike;
  /** The seconds that it may wait; without it as long as the server's socket does. */
  timeout?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A payload of JSON. */
export function pack(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** A payload that says what was thrown, as a {@linkcode Failure}. */
export function packFailure(error: unknown): Uint8Array {
  return pack(toFailure(error));
}

/** What {@linkcode pack} packed; undefined for an empty payload. */
export function unpack<T>(payload: Uint8Array): T | undefined {
  if (payload.length === 0) return undefined;
  return JSON.parse(decoder.decode(new Uint8Array(payload))); // a decoder takes no shared memory
}

/** The bytes of a {@linkcode count}. */
export const COUNT_BYTES = 4;

/** A payload that is a count, and perhaps more. */
export function count(value: number, more?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Uint32Array.of(value).buffer);
  return more === undefined ? bytes : joinBytes([bytes, more]);
}

/** The count in a payload. */
export function uncount(payload: Uint8Array): number {
  return payload[0] | payload[1] << 8 | payload[2] << 16 | payload[3] << 24;
}
