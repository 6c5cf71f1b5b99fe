/**
 * The server's side of the channel to a child process.
 *
 * @module
 */

import { Queue } from "../base/queue.ts";
import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import { osError } from "../base/translate_error.ts";
import { withoutStack } from "../runtime/system/free_descriptors.ts";
import type { FromChild, InitMessage, ToChild } from "./messages.ts";

/** The calls of a {@linkcode ChildLink}. */
export interface ChildLinkHooks {
  /**
   * Handles a message.
   *
   * @param handle The connection that came with the message.
   * @returns Whether the connection is taken. It is closed if not.
   * @throws {TypeError} if the module's own code in the child cannot have sent the message.
   */
  onMessage(message: FromChild, handle?: object): boolean;
  /** Called with the reason if a message is not from the module's own code. */
  onMisuse(error: unknown): void;
  /** Called when the channel is closed or broken. */
  onLost(): void;
}

/** A connection to pass to a child. */
export interface PassedConnection {
  readonly socket: NetSocket;
  /** Called with the error if the child cannot have the connection. */
  readonly onLost: (error: unknown) => void;
  /** Called when the child may have the connection from now on. */
  readonly onPass: () => void;
}

/**
 * The event that the link waits for before it sends more: the answer to `sync` or to a listening socket, a connection that
 * has arrived, or one that the child returns.
 */
type Awaited = "answer" | "connection" | "returned";

/** A message in the queue. */
interface QueuedMessage {
  readonly message: ToChild;
  readonly connection?: PassedConnection;
  /** A listening socket to pass. It stays open in this process. */
  readonly listener?: object;
  /** Called once the message is written. */
  readonly written?: () => void;
}

/**
 * Hears the messages of a child, and sends messages in order, some of them with a connection. Avoids two faults of Deno
 * 2.9.6:
 *
 * - Deno loses a connection, and waits for its acknowledgement for ever, if the child reads the message together with an
 *   earlier one. Therefore a connection is sent only after the child has answered a `sync` and so has read all messages
 *   before it, unless only connections were sent since the last one.
 * - Deno copies the descriptor at once, even if the message has to wait for an earlier connection, and never closes the
 *   copy if the child ends before its turn. Therefore the next message waits until the connection is closed in this
 *   process. Deno closes it when the child has acknowledged it, and also when the child has died, so the child also
 *   sends an `acknowledge` message of its own.
 */
export class ChildLink {
  readonly #process: ChildProcess;
  readonly #hooks: ChildLinkHooks;
  readonly #token = crypto.randomUUID();
  readonly #queue = new Queue<QueuedMessage>();
  #unread = false;
  #awaited: Awaited | undefined;

  /**
   * @param process The child.
   * @param hooks The calls for its messages.
   */
  constructor(process: ChildProcess, hooks: ChildLinkHooks) {
    this.#process = process;
    this.#hooks = hooks;
    const onMessage = (message: unknown, handle: unknown) =>
      this.#onMessage(message as FromChild, handle as object | undefined);
    process.on("message", onMessage);
    process.on("internalMessage", onMessage);
    process.on("disconnect", () => hooks.onLost());
  }

  /**
   * Handles a message of the child. Messages are not trusted: a handler can send anything, and pass a descriptor, which
   * would stay open here.
   */
  #onMessage(message: FromChild, handle?: object): void {
    let taken = false;
    try {
      if (message.token !== this.#token) {
        throw new TypeError(`not from this module: ${Deno.inspect(message)}`);
      }
      taken = this.#hooks.onMessage(message, handle);
    } catch (error) {
      this.#hooks.onMisuse(error);
    } finally {
      if (handle !== undefined && !taken) discard(handle);
    }
  }

  /** Sends the first message, with the token. Call {@linkcode ChildLink.synced} once the child has answered it. */
  sendFirst(message: Omit<InitMessage, "token">): void {
    this.#awaited = "answer";
    this.#post({ message: { ...message, token: this.#token } });
  }

  /** Sends a message, and calls `written` once it is written to the channel. */
  send(message: ToChild, written?: () => void): void {
    this.#queue.push({ message, written });
    this.#flush();
  }

  /** Sends a message, and passes a connection with it. */
  pass(message: ToChild, connection: PassedConnection): void {
    this.#queue.push({ message, connection });
    this.#flush();
  }

  /** Passes a listening socket. Call {@linkcode ChildLink.synced} once the child has answered. */
  sendListener(message: ToChild, listener: object): void {
    this.#queue.push({ message, listener });
    this.#flush();
  }

  /**
   * Asks for the connection that the child has offered, and sends nothing more until it has come: the child would lose
   * its message behind the acknowledgement of another connection.
   */
  take(): void {
    this.send({ type: "take" });
  }

  /**
   * Notes that the connection has come that the child has offered.
   *
   * @throws {TypeError} if the link has not asked for one.
   */
  returned(): void {
    if (this.#awaited !== "returned") {
      throw new TypeError("it returned a connection that it had not offered");
    }
    this.#unread = true;
    this.#post({ message: { type: "taken" } });
    this.#proceed();
  }

  /**
   * Notes that the child has read everything sent so far.
   *
   * @throws {TypeError} if the link has not asked for that.
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
    while (this.#awaited === undefined && this.#queue.first !== undefined) {
      const { connection, listener } = this.#queue.first;
      if ((connection ?? listener) !== undefined && this.#unread) {
        this.#awaited = "answer";
        return this.#post({ message: { type: "sync" } });
      }
      const queued = this.#queue.shift()!;
      if (connection === undefined) this.#unread = true;
      if (listener !== undefined) this.#awaited = "answer";
      if (queued.message.type === "take") this.#awaited = "returned";
      if (connection === undefined) this.#post(queued);
      else this.#passConnection(queued.message, connection);
    }
  }

  #post({ message, written, listener }: QueuedMessage): void {
    if (!this.#process.connected) return this.#hooks.onLost();
    this.#process.send(message, listener as NetSocket | undefined, (error) => {
      if (error !== null) this.#hooks.onLost();
      else written?.();
    });
  }

  /**
   * Sends a message with its connection. If no descriptor is left for the copy, or the system refuses, the request fails
   * and the next message is sent.
   */
  #passConnection(message: ToChild, connection: PassedConnection): void {
    const { socket, onLost } = connection;
    if (!this.#process.connected) return this.#hooks.onLost();
    connection.onPass();
    if (socket.destroyed) return this.#sendWithoutConnection(message);
    const taken = () => this.#proceed();
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
      onLost(passingError(error));
    }
  }

  /** Sends a message whose client is gone already. The handler runs, and finds the connection closed. */
  #sendWithoutConnection(message: ToChild): void {
    this.#unread = true;
    this.#post({ message });
  }

  /**
   * Reports a message that was not written. Deno has closed its connection, which looked like an acknowledgement. If the
   * channel is broken, the request fails with the other ones of the child when that has ended, and with the same error.
   */
  #onSendError(
    { onLost }: PassedConnection,
    error: Error & { code?: string },
  ): void {
    if (SHORTAGES.has(error.code ?? "")) onLost(error);
    else this.#hooks.onLost();
  }
}

/** The errors of sendmsg(2) and unix(7) that do not mean that the channel is broken. */
const SHORTAGES = new Set([
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "ETOOMANYREFS",
]);

/** Translates the error that Deno 2.9.6 throws if no descriptor is left for the copy: an invalid type of handle. */
function passingError(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  return code === "ERR_INVALID_HANDLE_TYPE"
    ? osError("EMFILE", { syscall: "dup", cause: error })
    : error;
}

/** Closes a handle that a child has passed: a connection, a listening socket or a datagram socket. */
function discard(handle: { destroy?(): void; close?(): void }): void {
  if (handle.destroy === undefined) handle.close?.();
  else handle.destroy();
}
