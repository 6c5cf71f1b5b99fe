/**
 * The messages between a server and its child processes about the connections that the children accept.
 *
 * @module
 */

import type { Address } from "../base/address.ts";

/** To a child, with the listening socket: accepts connections on it. */
export interface ListenMessage {
  type: "listen";
  backlog: number;
  /** The number of connections after which the child exits. */
  requests: number;
}

/** To a child: changes its credit, the number of requests that it has accepted and may have open. */
export interface CreditMessage {
  type: "credit";
  /** The credits that it gets; negative for those that it is asked to give up. */
  credit: number;
}

/** To a child that was not heard for a while: asks whether its event loop turns. */
export interface ProbeMessage {
  type: "probe";
}

/** To a child: stops accepting, or goes on. The child answers once all that it has accepted is reported. */
export interface PauseMessage {
  type: "pause";
  paused: boolean;
  /** Whether to report each request by itself. */
  each: boolean;
}

/** To a child: the server has read the offer of a connection, and waits for it. */
export interface TakeMessage {
  type: "take";
}

/** To a child: the server has the connection. */
export interface TakenMessage {
  type: "taken";
}

/** A message to a child about its accepts. */
export type ToAccepting =
  | ListenMessage
  | CreditMessage
  | ProbeMessage
  | PauseMessage
  | TakeMessage
  | TakenMessage;

/** From a child: requests that it has accepted itself, with negative ids. */
export interface AcceptedMessage {
  type: "accepted";
  ids: number[];
  clients: Address[];
}

/** From a child: requests that it has accepted itself, and that have ended before they were reported. */
export interface EndedMessage {
  type: "ended";
  /** The number of requests. */
  count: number;
  /** The number of clients that were gone before they were accepted. */
  gone: number;
  /** The milliseconds that the last of them took. */
  ms: number;
  bytesIn: number;
  bytesOut: number;
}

/** From a child: it has used all of its credit. */
export interface FullMessage {
  type: "full";
}

/** From a child: whether it accepts the next connection. It does not if its handlers may compute, or no credit is left. */
export interface ListeningMessage {
  type: "listening";
  on: boolean;
}

/** From a child: it has given up some of its credit. */
export interface GaveMessage {
  type: "gave";
  credit: number;
}

/** From a child: it has paused or resumed accepting, and has reported all requests that it accepted before. */
export interface PausedMessage {
  type: "paused";
}

/** From a child: its event loop turns. */
export interface AliveMessage {
  type: "alive";
}

/** From a child: the connections that it returns, and the requests that it has accepted at the same time, are sent. */
export interface SortedMessage {
  type: "sorted";
}

/** From a child: it is about to return connections, and sends nothing more until the server answers `take`. */
export interface OfferMessage {
  type: "offer";
  /** The number of connections. */
  count: number;
}

/** From a child, with the connection that it returns. */
export interface ReturnedMessage {
  type: "returned";
  /** The credit that it gives up with the connection: 1, or 0. */
  credit: number;
}

/** A message from a child about its accepts. */
export type FromAccepting =
  | AcceptedMessage
  | EndedMessage
  | FullMessage
  | ListeningMessage
  | GaveMessage
  | PausedMessage
  | AliveMessage
  | SortedMessage
  | OfferMessage
  | ReturnedMessage;
