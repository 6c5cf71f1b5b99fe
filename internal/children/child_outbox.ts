/**
 * The messages of a child process to its server.
 *
 * @module
 */

import { Queue } from "../base/queue.ts";
import type { FromChild } from "./messages.ts";

/** Sends a message over the channel, perhaps with a handle. */
type Send = (
  message: FromChild,
  handle?: object,
  sent?: () => void,
) => void;

/** A message that waits. */
interface OutgoingMessage {
  readonly message: FromChild;
  readonly sent?: () => void;
}

/** A connection to return. */
interface OutgoingConnection {
  readonly handle: { close(): void };
  readonly credit: number;
  readonly returned: () => void;
}

/**
 * Sends the messages of a child in order, and returns connections. Deno 2.9.6 loses a connection if the server reads its
 * message together with an earlier one, so the child first makes an `offer`, and sends nothing more until the server, which has
 * read everything then, has answered it and has the connection.
 */
export class ChildOutbox {
  readonly #send: Send;
  readonly #queue = new Queue<OutgoingMessage>();
  readonly #handles: OutgoingConnection[] = [];
  #current: OutgoingConnection[] = [];
  #token = "";
  #offering = false;

  /** @param send Sends a message over the channel. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Sends a message, and calls `sent` when it is written. */
  post(message: FromChild, sent?: () => void): void {
    const returning = this.#offering || this.#handles.length > 0;
    const waits = returning && message.type !== "sync"; // the server waits for that first
    if (waits) this.#queue.push({ message, sent });
    else this.#send(message, undefined, sent);
  }

  /**
   * Returns a connection to the server. Closes the handle here. Resolves when the server has it.
   *
   * @param handle The connection.
   * @param credit The credit that the server gets with it: 1, or 0.
   * @param token The secret by which the server recognizes this process.
   */
  returnConnection(
    handle: { close(): void },
    credit: number,
    token: string,
  ): Promise<void> {
    this.#token = token;
    const { promise, resolve: returned } = Promise.withResolvers<void>();
    this.#handles.push({ handle, credit, returned });
    if (!this.#offering && this.#handles.length === 1) {
      queueMicrotask(() => this.#offer()); // with the others of this turn
    }
    return promise;
  }

  #offer(): void {
    this.#offering = true;
    const count = this.#handles.length;
    this.#current = this.#handles.splice(0);
    this.#send({ type: "offer", count, token: this.#token });
  }

  /** Sends the connections that were offered: the server waits for them. Deno sends each once the one before has come. */
  take(): void {
    for (const { handle, credit } of this.#current) {
      this.#send({ type: "returned", credit, token: this.#token }, handle);
      handle.close(); // the message has a copy
    }
  }

  /** Goes on: the server has the connections. */
  taken(): void {
    this.#offering = false;
    for (const { returned } of this.#current) returned();
    for (let next; (next = this.#queue.shift()) !== undefined;) {
      this.#send(next.message, undefined, next.sent);
    }
    if (this.#handles.length > 0) this.#offer();
  }
}
