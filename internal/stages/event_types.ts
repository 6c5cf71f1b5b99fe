/**
 * The events of a server, as its channels of `node:diagnostics_channel` publish them.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ServerCloseReport } from "./server_options.ts";
import type { ServerStages } from "./stages.ts";
import type { LimitName, RejectReason } from "./server_status.ts";

/**
 * Any server of this package.
 *
 * @category Events
 */
// deno-lint-ignore no-explicit-any
export type AnyServer = ServerStages<any, any>;

/**
 * The members of every event.
 *
 * @category Events
 */
export interface ServerEvent {
  /** The server. */
  readonly server: AnyServer;
}

/**
 * A server listens: its socket is bound and activated.
 *
 * @category Events
 */
export interface ListenerStartEvent extends ServerEvent {
  /** The address of the server. */
  readonly address: Address;
}

/**
 * A server has closed: its open requests have ended or were cut off.
 *
 * @category Events
 */
export interface ListenerStopEvent extends ServerEvent {
  /** The address of the server. */
  readonly address: Address;
  /** The requests that were open at the close. */
  readonly report: ServerCloseReport;
}

/**
 * A call of `getRequest` has failed.
 *
 * @category Events
 */
export interface AcceptErrorEvent extends ServerEvent {
  /** The error. */
  readonly error: unknown;
  /**
   * The verdict: the server goes on at once (`"transient"`), after a pause because descriptors or memory have run out
   * (`"resource"`), after a pause because the socket seems to be invalid (`"invalid"`), or its loop ends (`"fatal"`).
   */
  readonly verdict: "transient" | "resource" | "invalid" | "fatal";
}

/**
 * A server has got a request: a connection or a datagram.
 *
 * @category Events
 */
export interface RequestStartEvent extends ServerEvent {
  /** The number of the request, the same in its other events. Each request of the process has another number. */
  readonly id: number;
  /** The request, as `getRequest` has returned it. */
  readonly request: unknown;
  /** The client's address. */
  readonly clientAddress: Address;
}

/**
 * The reason why a request has ended.
 *
 * - `"finished"`: the handler has returned.
 * - `"idle"`: the handler was between two messages as the server shut down.
 * - `"failed"`: the handler or a stage of the server has thrown.
 * - `"rejected"`: the server has turned the client away.
 * - `"handshake"`: the TLS handshake has failed.
 * - `"proxy"`: the connection has no valid PROXY header.
 * - `"forced"`: the server has cut the request off, because it closes.
 *
 * @category Events
 */
export type RequestEndReason =
  | "finished"
  | "idle"
  | "failed"
  | "rejected"
  | "handshake"
  | "proxy"
  | "forced";

/**
 * A request has ended, and its connection is closed. A request whose start had no subscriber, because the first one came
 * later, has no such event.
 *
 * @category Events
 */
export interface RequestStopEvent extends RequestStartEvent {
  /** The seconds since the server has got the request; handshake and PROXY header count. */
  readonly duration: number;
  /** The number of bytes received from the client. */
  readonly bytesIn: number;
  /** The number of bytes sent to the client; null for a datagram, whose answers only `status.bytesOut` counts. */
  readonly bytesOut: number | null;
  /** How the request has ended. */
  readonly reason: RequestEndReason;
  /** Why the client was turned away; undefined if it was not. */
  readonly rejected: RejectReason | undefined;
  /** The error of a request that has failed, of its handshake or of its PROXY header; otherwise undefined. */
  readonly error: unknown;
}

/**
 * A TLS handshake of a server with `ssl` has ended.
 *
 * @category Events
 */
export interface HandshakeEvent extends ServerEvent {
  /** The client's address. */
  readonly clientAddress: Address;
  /** The seconds that the handshake took. */
  readonly duration: number;
  /** The error of a handshake that has failed; otherwise undefined. */
  readonly error: unknown;
}

/**
 * A limit was reached.
 *
 * @category Events
 */
export interface LimitEvent extends ServerEvent {
  /** The name of the limit's setting. */
  readonly limit: LimitName;
  /** The client that is over the limit; null if the limit holds for all clients together. */
  readonly clientAddress: Address | null;
}

/**
 * A handler, or a stage of its request, has thrown. Published before `handleError` is called.
 *
 * @category Events
 */
export interface HandlerErrorEvent extends ServerEvent {
  /** The request. */
  readonly request: unknown;
  /** The client's address. */
  readonly clientAddress: Address;
  /** The thrown value. */
  readonly error: unknown;
}

/**
 * A worker of a `ThreadingMixIn` has started.
 *
 * @category Events
 */
export interface WorkerStartEvent extends ServerEvent {
  /** The number of the worker. Each worker of the process has another number. */
  readonly worker: number;
}

/**
 * The reason why the worker has ended.
 *
 * - `"closed"`: the server was closed.
 * - `"memory"`: it has exceeded its `resourceLimits`.
 * - `"timeout"`: it did not return to its event loop for `workerTimeout`.
 * - `"load"`: the handler could not be loaded.
 * - `"crashed"`: code outside of a handler has thrown.
 * - `"exited"`: it has ended itself.
 *
 * @category Events
 */
export type WorkerExitReason =
  | "closed"
  | "memory"
  | "timeout"
  | "load"
  | "crashed"
  | "exited";

/**
 * A worker of a `ThreadingMixIn` has ended.
 *
 * @category Events
 */
export interface WorkerExitEvent extends WorkerStartEvent {
  /** Why the worker has ended. */
  readonly reason: WorkerExitReason;
  /** The number of requests that failed with the worker. */
  readonly requests: number;
  /** The error that ended the worker; otherwise undefined. */
  readonly error: unknown;
}

/**
 * A child process of a `ForkingMixIn` has started.
 *
 * @category Events
 */
export interface ChildStartEvent extends ServerEvent {
  /** The process id. */
  readonly pid: number;
}

/**
 * The reason why a child process has ended.
 *
 * - `"closed"`: the server was closed.
 * - `"retired"`: the child has handled `requestsPerChild` requests, or is one more than `maxChildren`.
 * - `"timeout"`: a request took longer than `childTimeout`.
 * - `"load"`: the handler could not be loaded.
 * - `"killed"`: the server has killed it for another reason.
 * - `"signal"`: a signal of another program, or of a system that is short of memory, has killed it.
 * - `"exited"`: it has ended itself, also by an error outside of a handler.
 *
 * @category Events
 */
export type ChildExitReason =
  | "closed"
  | "retired"
  | "timeout"
  | "load"
  | "killed"
  | "signal"
  | "exited";

/**
 * A child process of a `ForkingMixIn` has ended.
 *
 * @category Events
 */
export interface ChildExitEvent extends ChildStartEvent {
  /** The reason why the child has ended. */
  readonly reason: ChildExitReason;
  /** The exit code; null if a signal has ended the child. */
  readonly code: number | null;
  /** The signal that has ended the child, such as `"SIGKILL"`; otherwise null. */
  readonly signal: string | null;
  /**
   * The number of requests of the child that failed with it. A request that waits while a child starts is none of its
   * requests: so this is 0 for a child that could not load the handler.
   */
  readonly requests: number;
}

/**
 * The events by the names of their channels.
 *
 * @category Events
 */
export interface ServerEvents {
  /** A server listens. */
  "socketserver.listener.start": ListenerStartEvent;
  /** A server has closed. */
  "socketserver.listener.stop": ListenerStopEvent;
  /** A call of `getRequest` has failed. */
  "socketserver.accept.error": AcceptErrorEvent;
  /** A server has got a request. */
  "socketserver.request.start": RequestStartEvent;
  /** A request has ended. */
  "socketserver.request.stop": RequestStopEvent;
  /** A TLS handshake has ended. */
  "socketserver.handshake": HandshakeEvent;
  /** A limit was reached. */
  "socketserver.limit": LimitEvent;
  /** A handler has thrown. */
  "socketserver.handler.error": HandlerErrorEvent;
  /** A worker has started. */
  "socketserver.worker.start": WorkerStartEvent;
  /** A worker has ended. */
  "socketserver.worker.exit": WorkerExitEvent;
  /** A child process has started. */
  "socketserver.child.start": ChildStartEvent;
  /** A child process has ended. */
  "socketserver.child.exit": ChildExitEvent;
}

/**
 * The name of a channel.
 *
 * @category Events
 */
export type EventName = keyof ServerEvents;
