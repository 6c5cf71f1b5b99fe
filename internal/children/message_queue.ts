/**
 * The messages to a child process, in their order.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import { osError } from "../base/errors.ts";
import { withoutStack } from "../runtime/scarce.ts";
import type { ToChild } from "./messages.ts";

/** A connection on its way to a child. */
export interface PassedConnection {
  readonly socket: NetSocket;
  /** Called once the child has the connection, or with the reason why it does not. */
  readonly onPassed: (error?: unknown) => void;
}

/** What the outbox waits for before it sends more: an answer to what it asked, or a connection to be taken. */
type Awaited = "answer" | "connection";

/** A message in the queue. */
interface QueuedMessage {
  readonly message: ToChild;
  readonly connection?: PassedConnection;
  /** Called once the message is written. */
  readonly written?: () => void;
}

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
export class MessageQueue {
  readonly #process: ChildProcess;
  readonly #onLost: () => void;
  readonly #queue: QueuedMessage[] = [];
  #unread = false;
  #awaited: Awaited | undefined;

  /**
   * @param process The child.
   * @param onLost Called when the channel cannot be used any more.
   */
  constructor(process: ChildProcess, onLost: () => void) {
    this.#process = process;
    this.#onLost = onLost;
  }

  /** Sends the first message, which the child answers in its own way: then call {@linkcode MessageQueue.synced}. */
  sendFirst(message: ToChild): void {
    this.#awaited = "answer";
    this.#post({ message });
  }

  /** Sends a message; a connection goes along. */
  send(message: ToChild, connection?: PassedConnection): void {
    this.#queue.push({ message, connection });
    this.#flush();
  }

  /** Sends a message, and calls `written` once it is in the channel. */
  sendWatched(message: ToChild, written: () => void): void {
    this.#queue.push({ message, written });
    this.#flush();
  }

  /**
   * Notes that the child has read everything sent so far.
   *
   * @throws {TypeError} when nobody asked it.
   */
  synced(): void {
    if (this.#awaited !== "answer") throw new TypeError("nobody asked it");
    this.#unread = false;
    this.#proceed();
  }

  #proceed(): void {
    this.#awaited = undefined;
    this.#flush();
  }

  #flush(): void {
    while (this.#awaited === undefined && this.#queue.length > 0) {
      const connection = this.#queue[0].connection;
      if (connection !== undefined && this.#unread) {
        this.#awaited = "answer";
        return this.#post({ message: { type: "sync" } });
      }
      const queued = this.#queue.shift()!;
      if (connection === undefined) this.#unread = true;
      if (connection === undefined) this.#post(queued);
      else this.#passConnection(queued.message, connection);
    }
  }

  #post({ message, written }: QueuedMessage): void {
    if (!this.#process.connected) return this.#onLost();
    this.#process.send(message, undefined, (error) => {
      if (error !== null) this.#onLost();
      else written?.();
    });
  }

  /**
   * Sends a message with its connection. That fails where there is no descriptor left for the copy, or the system
   * refuses: then the child is as it was, and gets the next message.
   */
  #passConnection(message: ToChild, connection: PassedConnection): void {
    const { socket, onPassed } = connection;
    if (!this.#process.connected) return this.#onLost();
    if (socket.destroyed) return this.#sendWithoutConnection(message, onPassed);
    const taken = () => {
      onPassed();
      this.#proceed();
    };
    this.#awaited = "connection";
    socket.once("close", taken);
    try {
      withoutStack(() =>
        this.#process.send(message, socket, (error) => {
          if (error !== null) this.#onSendError(connection, error);
        })
      );
    } catch (error) {
      socket.off("close", taken);
      this.#awaited = undefined;
      onPassed(passingError(error));
    }
  }

  /** The client was gone before its turn came; the handler hears of it as of any other. */
  #sendWithoutConnection(message: ToChild, onPassed: () => void): void {
    this.#unread = true;
    this.#post({ message });
    onPassed();
  }

  /** The message was not written; Deno has closed the connection, which looked as if it were taken. */
  #onSendError(
    { onPassed }: PassedConnection,
    error: Error & { code?: string },
  ): void {
    onPassed(error);
    if (!SHORTAGES.has(error.code ?? "")) this.#onLost();
  }
}

/** Errors of sendmsg(2) and unix(7) that say nothing about the channel: the next message may go through. */
const SHORTAGES = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "ETOOMANYREFS",
]);

/** Names what Deno 2.9.6 calls an invalid type of handle: there is no descriptor left for the copy. */
function passingError(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  return code === "ERR_INVALID_HANDLE_TYPE"
    ? osError("EMFILE", { syscall: "dup", cause: error })
    : error;
}
