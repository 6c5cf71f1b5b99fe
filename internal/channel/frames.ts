/**
 * The frames between the main thread and a worker.
 *
 * @module
 */

import { joinBytes } from "../base/memory.ts";
import { type Failure, toFailure } from "../handoff/failure.ts";
import type { Address, AddressLike } from "../base/address.ts";
import type { OptionValue } from "../runtime/transport/socket_options.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";
import type { SessionFacts } from "../runtime/tls/session_facts.ts";
import type { LimitName } from "../stages/server_status.ts";

/** To the worker: starts a request; an {@linkcode Opening}. */
export const OPEN = 1;
/** Both ways: bytes of the connection. To the worker also the datagram, after its `OPEN`. */
export const DATA = 2;
/** To the worker: the client has ended its side. */
export const EOF = 3;
/** Both ways: credit for so many more bytes; a {@linkcode count}. */
export const CREDIT = 4;
/** To the worker: reading failed; a {@linkcode Failure}. */
export const READ_FAILED = 5;
/** To the worker: writing failed; a {@linkcode Failure}. */
export const WRITE_FAILED = 6;
/** To the worker: the server shuts down. */
export const DRAIN = 7;
/** To the worker: the result of a call, as JSON of its `value` or `failure`. The id is the call's. */
export const ANSWER = 8;
/** To the main thread: shuts the connection down for writing. */
export const SHUT_WRITE = 9;
/** To the main thread: closes the connection. */
export const CLOSE = 10;
/** To the main thread: sets an option; an {@linkcode OptionCall}. */
export const OPTION = 11;
/**
 * To the main thread: the handler has ended; a {@linkcode count} of the connection's bytes that have come to the
 * worker, followed by the {@linkcode Failure} of the handler's error, if it threw one.
 */
export const FINISHED = 12;
/** To the main thread: sends the datagram in the `DATA` frame that follows; a {@linkcode SendCall}. */
export const SEND_TO = 13;
/** To the main thread: calls the server's `shutdown`. The id is the call's. */
export const SHUTDOWN = 14;
/** To the main thread: an error outside of a handler ends the worker; a {@linkcode Failure}. */
export const CRASHED = 15;
/** To the worker: asks for a heartbeat. To the main thread: the heartbeat. */
export const HEARTBEAT = 16;
/** To the main thread: the handler has ended and left bytes that are still to be sent. */
export const LINGER = 17;
/** To the main thread: the handler's class is loaded. */
export const READY = 18;
/** To the main thread: the handler's class cannot be loaded; a {@linkcode Failure}. */
export const LOAD_FAILED = 19;
/** To the main thread: bytes of the connection that the handler has not read. */
export const UNREAD = 20;
/** To the main thread: closes the connection at once, and drops the bytes that are not sent yet. */
export const ABORT = 21;
/**
 * To the main thread: opens a connection for a blocking handler; a {@linkcode ConnectCall}. The id, which is negative, is
 * that of the connection from then on. `OPEN` or `CONNECT_FAILED` answers; `ABORT` gives the attempt up.
 */
export const CONNECT = 22;
/** To the worker: a connection cannot be opened; a {@linkcode Failure}. */
export const CONNECT_FAILED = 23;
/** To the worker: the time of the request is up; a {@linkcode Failure}. `ABORT_SIGNAL` follows. */
export const EXPIRE = 24;
/**
 * To the worker: aborts the signal of the request, with the failure of `EXPIRE`. A frame of its own, without a payload,
 * because the listeners of the signal may receive frames, and a frame with a payload is in the ring until it is handled.
 */
export const ABORT_SIGNAL = 25;

/** To the worker: the waits of handlers between two messages end, because the server shuts down. */
export const END_IDLE = 26;
/** To the main thread: as `FINISHED`, of a handler whose wait between two messages `END_IDLE` has ended. */
export const FINISHED_IDLE = 27;
/** To the main thread: the request is over a limit; the name of it. */
export const LIMIT = 28;

/** To the worker that accepts: the limits of time, or whether somebody listens to requests; a `WorkerSettings`. */
export const SETTINGS = 29;
/** To the worker that accepts: cuts off the open requests. `DRAIN` came before. */
export const GIVE_UP = 30;
/** To the main thread: the requests of a worker that accepts have ended; a `ServerCloseReport`. */
export const DRAINED = 31;
/** To the main thread: a request that the worker has accepted has failed, or is over a limit; an {@linkcode Incident}. */
export const INCIDENT = 32;
/** To the main thread: a request that the worker has accepted has begun or ended; an `AcceptEvent`. */
export const EVENT = 33;
/** To the main thread: the last bytes of the requests before `DRAINED` are sent. */
export const RELEASED = 34;

/**
 * The most bytes of one connection and direction between socket and handler: two reads of the large buffer, so that
 * one is on its way while the handler works on the other.
 */
export const WINDOW = 131_072;

/** The bytes taken before the sender gets credit: a quarter of the window, so that the sender never waits for it. */
export const CREDIT_STEP: number = WINDOW / 4;

/** The most bytes of data in one frame: an eighth of the ring, so that connections take turns. */
export const PIECE_MAX = 65_536;

/** The main thread's description of a request. */
export interface Opening {
  /** The client's address, as `getRequest` returned it. */
  clientAddress: Address;
  /** The connection's or the server's own address. */
  localAddr: TransportAddr;
  /** The address of the connection's other side; undefined for a datagram. */
  remoteAddr?: TransportAddr;
  /** The timeout of the connection. */
  timeout: number | null;
  /** The facts about the TLS session of the connection. */
  tls?: SessionFacts;
  /** The bytes of the connection's PROXY header, in base 64. */
  proxy?: string;
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
  /** The destination. The main thread looks up the name of a host. */
  address: AddressLike;
  /** The seconds that sending may take; without it the timeout of the server's socket. */
  timeout?: number;
}

/** A call of `createConnectionSync`. The main thread looks up the name of a host. */
export interface ConnectCall {
  /** The destination. */
  address: readonly [host: string, port: number | string] | string;
  /** The seconds that each attempt may take; null is no limit. */
  timeout: number | null;
  /** The local address. */
  sourceAddress?: AddressLike;
  /** The seconds after which the next address is tried. */
  happyEyeballsDelay?: number | null;
  /** Whether a failure throws the errors of all attempts. */
  allErrors?: boolean;
}

/** The report of a request that a worker has accepted itself. */
export interface Incident {
  /** The client; null if it is none alone. */
  clientAddress: Address | null;
  /** The error of a request that has failed. */
  failure?: Failure;
  /** The limit that a request is over. */
  limit?: LimitName;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a value as JSON. */
export function pack(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Encodes a thrown value as a {@linkcode Failure}. */
export function packFailure(error: unknown): Uint8Array {
  return pack(toFailure(error));
}

/** Decodes the value that {@linkcode pack} encoded. Returns undefined for an empty payload. */
export function unpack<T>(payload: Uint8Array): T | undefined {
  if (payload.length === 0) return undefined;
  return JSON.parse(decoder.decode(new Uint8Array(payload))); // a decoder takes no shared memory
}

/** The size of a {@linkcode count} in bytes. */
export const COUNT_BYTES = 4;

/** Encodes a count, followed by `more`. */
export function count(value: number, more?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Uint32Array.of(value).buffer);
  return more === undefined ? bytes : joinBytes([bytes, more]);
}

/** Decodes the count at the start of a payload. */
export function uncount(payload: Uint8Array): number {
  return payload[0] | payload[1] << 8 | payload[2] << 16 | payload[3] << 24;
}
