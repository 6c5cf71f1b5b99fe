/**
 * The child's side of the channel to the server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type Failure, fromFailure, toFailure } from "../handoff/failure.ts";
import { osError } from "../base/translate_error.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import { type ByteCounts, NO_BYTES } from "../socket/stream.ts";
import type { EndedMessage } from "./accept_messages.ts";
import type {
  CallMessage,
  ChildLimit,
  ChildMessage,
  FromChild,
  ResultMessage,
} from "./messages.ts";

/** A call of a request to the server. */
export type ServerCall = Pick<
  CallMessage,
  "operation" | "argument" | "address" | "timeout"
>;

type Send = (message: FromChild, sent?: () => void) => void;

/** The milliseconds for which changes of the number of idle handlers are reported together. Arbitrary. */
const IDLE_MS = 100;

/** Whether the server knows that a request has come. */
type Acknowledgement = "acknowledged" | "unacknowledged";

/** Reports the requests of a child to the server, and makes the calls that only the server can execute. */
export class ParentLink {
  readonly #send: Send;
  readonly #requests = new Map<number, Acknowledgement>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #shutdown: Promise<void> | undefined;
  #token = "";
  #lastCall = 0;
  #done: number[] = [];
  #ms = 0;
  #bytes: number[] = [];
  #idle: number[] = [];
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #sending = false;

  /** @param send Sends a message. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Sends `token` with each message from now on. */
  identify(token: string): void {
    this.#token = token;
  }

  /** Reports that the module is loaded, or why it cannot be. */
  ready(error?: Failure): void {
    this.#post({ type: "ready", error });
  }

  /** Reports that all messages so far are read. */
  synced(): void {
    this.#post({ type: "sync" });
  }

  /** Notes a request that has come, and acknowledges it, unless it ends or makes a call at once. */
  begin(id: number): void {
    this.#requests.set(id, "unacknowledged");
    setImmediate(() => this.#acknowledge(id));
  }

  #acknowledge(id: number): void {
    if (this.#requests.get(id) !== "unacknowledged") return;
    this.#requests.set(id, "acknowledged");
    this.#post({ type: "acknowledge", id });
  }

  /** Reports the number of handlers that wait between two messages, soon. */
  idle(count: () => number): void {
    this.#idleTimer ??= setUnrefTimeout(() => {
      this.#idleTimer = undefined;
      this.#post({ type: "idle", count: count() });
    }, IDLE_MS);
  }

  /**
   * Reports that a request has ended. Requests that end while a message is being written share the next one.
   *
   * @param idle Whether the drain has ended the wait of its handler.
   */
  done(id: number, ms: number, counts = NO_BYTES, idle = false): void {
    this.#requests.delete(id);
    this.#done.push(id);
    if (idle) this.#idle.push(id);
    this.#bytes.push(counts.bytesIn, counts.bytesOut);
    this.#ms = ms;
    this.#flush();
  }

  /** Reports that a request has ended with an error. */
  failed(id: number, error: unknown, counts?: ByteCounts): void {
    this.#requests.delete(id);
    const bytes = counts && [counts.bytesIn, counts.bytesOut];
    this.#post({ type: "error", id, error: toFailure(error), bytes });
  }

  /** Reports that a request is over a limit. */
  limit(id: number, limit: ChildLimit): void {
    this.#post({ type: "limit", id, limit });
  }

  /** Makes a call to the server for a request. Rejects with EBADF if the request has ended. */
  call(id: number, call: ServerCall): Promise<unknown> {
    if (!this.#requests.has(id)) {
      const reason = "the request has ended";
      return Promise.reject(
        osError("EBADF", { syscall: call.operation, reason }),
      );
    }
    this.#requests.set(id, "acknowledged");
    const number = ++this.#lastCall;
    const result = Promise.withResolvers<unknown>();
    this.#calls.set(number, result);
    this.#post({ type: "call", id, call: number, ...call });
    return result.promise;
  }

  /** Stops the loop of the server. Calls that are made before the result has come share it. */
  shutdown(): Promise<void> {
    return this.#shutdown ??= this.#callShutdown();
  }

  async #callShutdown(): Promise<void> {
    const call = ++this.#lastCall;
    const result = Promise.withResolvers<unknown>();
    this.#calls.set(call, result);
    this.#post({ type: "shutdown", call });
    try {
      await result.promise;
    } finally {
      this.#shutdown = undefined;
    }
  }

  /** Settles a call with its result. */
  settle({ call, value, error }: ResultMessage): void {
    const result = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) result?.resolve(value);
    else result?.reject(fromFailure(error));
  }

  /** Reports requests that this process has accepted itself. */
  accepted(ids: number[], clients: Address[], written?: () => void): void {
    for (const id of ids) this.begin(id);
    this.#post({ type: "accepted", ids, clients }, written);
  }

  /** Reports requests that have ended before they were reported. */
  ended(report: Omit<EndedMessage, "type">): void {
    this.#post({ type: "ended", ...report });
  }

  /** Sends a message that has no contents but its type. */
  tell(type: "full" | "paused" | "alive" | "sorted"): void {
    this.#post({ type });
  }

  /** Reports whether this process accepts the next connection. */
  listening(on: boolean): void {
    this.#post({ type: "listening", on });
  }

  /** Reports that this process has given up credit. */
  gave(credit: number): void {
    this.#post({ type: "gave", credit });
  }

  /** The secret by which the server recognizes this process. */
  get token(): string {
    return this.#token;
  }

  #flush(): void {
    if (this.#sending || this.#done.length === 0) return;
    this.#sending = true;
    const ids = this.#done.splice(0);
    const bytes = this.#bytes.splice(0);
    const moved = bytes.some((count) => count > 0) && { bytes };
    const idle = this.#idle.splice(0);
    const ended = { ids, ms: this.#ms, ...moved, ...idle.length && { idle } };
    this.#post({ type: "done", ...ended }, () => {
      this.#sending = false;
      this.#flush();
    });
  }

  #post(message: ChildMessage, sent?: () => void): void {
    this.#send({ ...message, token: this.#token }, sent);
  }
}
