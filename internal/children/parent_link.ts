/**
 * A child process's side of the channel to the server.
 *
 * @module
 */

import { type Failure, fromFailure, toFailure } from "../handoff/failure.ts";
import { osError } from "../base/errors.ts";
import type {
  CallMessage,
  ChildMessage,
  FromChild,
  ResultMessage,
} from "./messages.ts";

/** What a call asks for, besides the request that it is for. */
export type ServerCall = Pick<
  CallMessage,
  "operation" | "argument" | "address" | "timeout"
>;

type Send = (message: FromChild, sent: () => void) => void;

/** What the server knows of a request: that it has come here, or not yet. */
type Acknowledgement = "acknowledged" | "unacknowledged";

/** Tells the server what happens, and has it do what only it can. */
export class ParentLink {
  readonly #send: Send;
  readonly #requests = new Map<number, Acknowledgement>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #token = "";
  #lastCall = 0;
  #done: number[] = [];
  #ms = 0;
  #sending = false;

  /** @param send Sends a message. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Shows `token` with every message from now on. */
  identify(token: string): void {
    this.#token = token;
  }

  /** The module is loaded, or cannot be. */
  ready(error?: Failure): void {
    this.#post({ type: "ready", error });
  }

  /** All messages so far are read. */
  synced(): void {
    this.#post({ type: "sync" });
  }

  /**
   * A request has come. The server knows by itself where a connection came along; of others it is told, unless they
   * end, or ask for something, at once.
   */
  begin(id: number, withConnection: boolean): void {
    this.#requests.set(id, withConnection ? "acknowledged" : "unacknowledged");
    if (!withConnection) setImmediate(() => this.#acknowledge(id));
  }

  #acknowledge(id: number): void {
    if (this.#requests.get(id) !== "unacknowledged") return;
    this.#requests.set(id, "acknowledged");
    this.#post({ type: "acknowledge", id });
  }

  /** A request has ended. What ends while a message is on its way goes with the next, as one. */
  done(id: number, ms: number): void {
    this.#requests.delete(id);
    this.#done.push(id);
    this.#ms = ms;
    this.#flush();
  }

  /** A request has ended with an error. */
  failed(id: number, error: unknown): void {
    this.#requests.delete(id);
    this.#post({ type: "error", id, error: toFailure(error) });
  }

  /** Has the server do something for a request; rejects when that has ended. */
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

  /** The result of a call is here. */
  settle({ call, value, error }: ResultMessage): void {
    const result = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) result?.resolve(value);
    else result?.reject(fromFailure(error));
  }

  #flush(): void {
    if (this.#sending || this.#done.length === 0) return;
    this.#sending = true;
    const ids = this.#done.splice(0);
    this.#post({ type: "done", ids, ms: this.#ms }, () => {
      this.#sending = false;
      this.#flush();
    });
  }

  #post(message: ChildMessage, sent: () => void = ignore): void {
    this.#send({ ...message, token: this.#token }, sent);
  }
}

/** A channel that is closed ends this process anyway. */
function ignore(): void {}
