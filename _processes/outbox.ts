/**
 * The messages to a child process, in their order.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import type { ToChild } from "./messages.ts";

/**
 * Sends messages, some of them with a connection. Two faults of Deno 2.9.6 are kept away from:
 *
 * - It loses a connection, and then waits for ever for it to be acknowledged, when the child reads its
 *   message together with an earlier one. So before a connection goes out, the child must have
 *   read all before it: it is asked (`sync`) and answers, unless only connections were sent since.
 * - It makes a copy of the descriptor at once, also where the message has to wait for an earlier
 *   connection to be acknowledged, and never closes the copy when the child is gone by then. So the
 *   next message waits here, until the connection is closed on this side: that is the acknowledgement.
 */
export class Outbox {
  readonly #process: ChildProcess;
  readonly #lost: () => void;
  readonly #queue: [ToChild, NetSocket | undefined][] = [];
  #unread = false;
  #waiting = false;

  /**
   * @param process The child.
   * @param lost Called when a message cannot be sent.
   */
  constructor(process: ChildProcess, lost: () => void) {
    this.#process = process;
    this.#lost = lost;
  }

  /** Sends a first message, which the child answers in its own way: then call {@linkcode Outbox.synced}. */
  first(message: ToChild): void {
    this.#waiting = true;
    this.#post(message);
  }

  /** Sends a message. */
  send(message: ToChild, socket?: NetSocket): void {
    this.#queue.push([message, socket]);
    this.#flush();
  }

  /** The child has read all that was sent. */
  readonly synced = (): void => {
    this.#waiting = this.#unread = false;
    this.#flush();
  };

  #flush(): void {
    while (!this.#waiting && this.#queue.length > 0) {
      const [message, socket] = this.#queue[0];
      this.#waiting = socket !== undefined;
      if (socket !== undefined && this.#unread) {
        return this.#post({ type: "sync" });
      }
      this.#queue.shift();
      if (socket === undefined) this.#unread = true;
      else socket.once("close", this.synced);
      this.#post(message, socket);
    }
  }

  #post(message: ToChild, socket?: NetSocket): void {
    if (!this.#process.connected) return this.#lost();
    this.#process.send(message, socket, (error) => {
      if (error !== null) this.#lost();
    });
  }
}
