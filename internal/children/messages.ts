/**
 * What a server and its child processes tell each other.
 *
 * @module
 */

import type { Address, AddressLike } from "../base/address.ts";
import type { TransportAddr } from "../runtime/transport.ts";
import type { Failure } from "../handoff/failure.ts";

/** The most bytes of a connection that one message carries: arbitrary, what Deno reads from a pipe at a time. */
export const CHUNK_MAX = 65536;

/** To a child, first: what its handlers see of the server. */
export interface InitMessage {
  type: "init";
  /** What the child shows with each message: the code of the handler does not know it. */
  token: string;
  /** The name under which the module exports the handler. */
  exportName: string;
  serverAddress: Address;
  /** Those of the server's options that `childOptions` names. */
  options: Record<string, unknown>;
}

/** To a child: a request, which it has from then on. */
export interface RequestMessage {
  type: "request";
  id: number;
  client: Address;
  /**
   * A connection that comes along; one whose bytes go through the server; a datagram, answered
   * through the server.
   */
  kind: "handle" | "relay" | "datagram";
  /** The server's side, except for a TCP connection that comes along. */
  local?: TransportAddr;
  /** The client's side, as above. */
  remote?: TransportAddr;
  /** The datagram. */
  packet?: Uint8Array<ArrayBuffer>;
}

/** To a child: the result of a call. */
export interface ResultMessage {
  type: "result";
  call: number;
  value?: unknown;
  error?: Failure;
}

/** To a child: the server drains. */
export interface DrainMessage {
  type: "drain";
}

/** To a child: it is to say that it has read all before this. */
export interface SyncMessage {
  type: "sync";
}

/** To a child: it is to exit. Closing the channel would do, were that always noticed. */
export interface LeaveMessage {
  type: "leave";
}

/** What a child hears. */
export type ToChild =
  | InitMessage
  | RequestMessage
  | ResultMessage
  | DrainMessage
  | LeaveMessage
  | SyncMessage;

/** From a child: its module is loaded, or cannot be. */
export interface ReadyMessage {
  type: "ready";
  error?: Failure;
}

/** From a child: a request without a connection has come, and is not answered at once. */
export interface AcknowledgeMessage {
  type: "acknowledge";
  id: number;
}

/** From a child: requests that have ended. */
export interface DoneMessage {
  type: "done";
  ids: number[];
  /** How many milliseconds the last of them took. */
  ms: number;
}

/** From a child: a request has ended with an error. */
export interface ErrorMessage {
  type: "error";
  id: number;
  error: Failure;
}

/** What a child can have the server do with a request's connection or socket. */
export type Operation =
  | "read"
  | "write"
  | "closeWrite"
  | "close"
  | "setNoDelay"
  | "setKeepAlive"
  | "sendto";

/** From a child: something to do for a request; a result follows. */
export interface CallMessage {
  type: "call";
  id: number;
  call: number;
  operation: Operation;
  /** How many bytes to read; what to write or send; whether an option is on. */
  argument?: number | boolean | Uint8Array;
  /** Where to send. */
  address?: AddressLike;
  /** The seconds that sending may wait; without it as long as the server's socket does. */
  timeout?: number;
}

/** What a child says; `sync` is the answer to the same. */
export type ChildMessage =
  | ReadyMessage
  | AcknowledgeMessage
  | DoneMessage
  | ErrorMessage
  | CallMessage
  | SyncMessage;

/** What a server hears. */
export type FromChild = ChildMessage & { token: string };
