/**
 * The messages between a server and its child processes.
 *
 * @module
 */

import type { Address, AddressLike } from "../base/address.ts";
import type { FromAccepting, ToAccepting } from "./accept_messages.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";
import type { SessionFacts } from "../runtime/tls/session_facts.ts";
import type { Failure } from "../handoff/failure.ts";

/** The most bytes of a connection in one message. Arbitrary: as much as Deno reads from a pipe at a time. */
export const CHUNK_MAX = 65536;

/** To a child, first: the facts about the server that its handlers see. */
export interface InitMessage {
  type: "init";
  /** The secret that the child sends with each message. The handler's code does not know it. */
  token: string;
  /** The name under which the module exports the handler. */
  exportName: string;
  serverAddress: Address;
  /** The server's option `shared`. */
  shared: unknown;
  /** The server's options that `childOptions` names. */
  options: Record<string, unknown>;
  /** The seconds that a connection may be idle which the child has itself. */
  idleTimeout: number | null;
}

/** To a child: the time of a request is up. */
export interface ExpireMessage {
  type: "expire";
  id: number;
  error: Failure;
}

/** To a child: the seconds that a connection may be idle which the child has itself. */
export interface LimitIdleMessage {
  type: "limitIdle";
  idleTimeout: number | null;
}

/** The limits that a child looks after itself. */
export const CHILD_LIMITS = ["idleTimeout", "lineLimit"] as const;

/** A limit that a child looks after itself. */
export type ChildLimit = typeof CHILD_LIMITS[number];

/** From a child: a request is over a limit. */
export interface LimitMessage {
  type: "limit";
  id: number;
  limit: ChildLimit;
}

/** To a child: a request. */
export interface RequestMessage {
  type: "request";
  id: number;
  client: Address;
  /**
   * The kind of request: a connection passed with the message, a connection whose bytes the server relays, or a
   * datagram.
   */
  kind: "handle" | "relay" | "datagram";
  /** The address of the server's side; undefined for a TCP connection that is passed. */
  local?: TransportAddr;
  /** The address of the client's side; undefined for a TCP connection that is passed. */
  remote?: TransportAddr;
  /** The facts about the TLS session of a relayed connection. */
  tls?: SessionFacts;
  /** The bytes of the connection's PROXY header. */
  proxy?: Uint8Array;
  /** The bytes of a connection that is passed that the server has read already. */
  early?: Uint8Array;
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

/** To a child: the server shuts down. */
export interface DrainMessage {
  type: "drain";
}

/** To a child: the waits of handlers between two messages end, because the server shuts down. */
export interface EndIdleMessage {
  type: "endIdle";
}

/** To a child: asks it to answer once it has read all messages before this one. From a child: the answer. */
export interface SyncMessage {
  type: "sync";
}

/** To a child: tells it to exit. Deno does not always notice that the channel is closed. */
export interface LeaveMessage {
  type: "leave";
}

/** A message to a child. */
export type ToChild =
  | ToAccepting
  | InitMessage
  | RequestMessage
  | ResultMessage
  | ExpireMessage
  | LimitIdleMessage
  | DrainMessage
  | EndIdleMessage
  | LeaveMessage
  | SyncMessage;

/** From a child: its module is loaded, or could not be. */
export interface ReadyMessage {
  type: "ready";
  error?: Failure;
}

/** From a child: a request without a connection has come, and has not ended at once. */
export interface AcknowledgeMessage {
  type: "acknowledge";
  id: number;
}

/** From a child: requests that have ended. */
export interface DoneMessage {
  type: "done";
  ids: number[];
  /** The milliseconds that the last of them took. */
  ms: number;
  /** The bytes received and sent by each, two numbers for each id; undefined if none has moved bytes itself. */
  bytes?: number[];
  /** The ids among them whose wait between two messages the drain has ended; undefined if there are none. */
  idle?: number[];
}

/** From a child: the number of requests that wait between two messages has changed. */
export interface IdleMessage {
  type: "idle";
  count: number;
}

/** From a child: a request has ended with an error. */
export interface ErrorMessage {
  type: "error";
  id: number;
  error: Failure;
  /** The bytes received and sent, if the request had its connection itself. */
  bytes?: number[];
}

/** The operations on a request's connection or socket that a child asks the server for. */
export const OPERATIONS = [
  "read",
  "write",
  "closeWrite",
  "close",
  "abort",
  "setNoDelay",
  "setKeepAlive",
  "sendto",
] as const;

/** An operation on a request's connection or socket. */
export type Operation = typeof OPERATIONS[number];

/** From a child: calls an operation of a request. The server answers with the result. */
export interface CallMessage {
  type: "call";
  id: number;
  call: number;
  operation: Operation;
  /** The count of bytes to read, the bytes to write or send, or whether an option is on. */
  argument?: number | boolean | Uint8Array;
  /** The destination of a datagram. */
  address?: AddressLike;
  /** The seconds that sending may take; without it the timeout of the server's socket. */
  timeout?: number;
}

/** From a child: stops the server's loop. The server answers with the result of the call. */
export interface ShutdownMessage {
  type: "shutdown";
  call: number;
}

/** A message from the module's own code in a child. */
export type ChildMessage =
  | FromAccepting
  | ReadyMessage
  | AcknowledgeMessage
  | DoneMessage
  | IdleMessage
  | ErrorMessage
  | CallMessage
  | LimitMessage
  | ShutdownMessage
  | SyncMessage;

/** A message from a child, as the server gets it. */
export type FromChild = ChildMessage & { token: string };
