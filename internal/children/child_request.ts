/**
 * The server's side of a request that a child process handles.
 *
 * @module
 */

import { type SharedTimer, Timeout } from "../waiting/timeouts.ts";
import type { Job } from "./child_job.ts";
import { NotPassedError } from "./child_lifetime.ts";
import { toFailure } from "../handoff/failure.ts";
import {
  type CallMessage,
  type Operation,
  OPERATIONS,
  type ResultMessage,
} from "./messages.ts";

/**
 * The most results of one request that may wait to be written. A child waits for the result of a call before it makes the
 * same call again, so there is one per operation, and another one while its write has not been reported yet.
 */
const UNWRITTEN_MAX = 2 * OPERATIONS.length;

/** The most bytes in a millisecond that a child is believed to have moved: 100 GB a second, more than memory allows. */
const BYTES_PER_MS_MAX = 1e8;

/** How a job has ended without an error. */
export interface JobEnd {
  /** The milliseconds that it took. */
  readonly ms: number;
  /** Whether the drain has ended the wait of the handler between two messages. */
  readonly idle: boolean;
}

/** A request in a child: its end, its time limit, and the calls that the child makes for it. */
export class ChildRequest {
  readonly job: Job;
  readonly #end = Promise.withResolvers<JobEnd>();
  readonly #given = performance.now();
  readonly #asked = new Set<Operation>();
  #unwritten = 0;
  #timeout: Timeout | undefined;
  /** Whether the child has acknowledged the request. */
  acknowledged = false;
  /** Whether the connection of the request is still in this process, and will be passed to the child. */
  holdsConnection: boolean;

  /** @param job The job that the child gets. */
  constructor(job: Job) {
    this.job = job;
    this.holdsConnection = job.socket !== undefined;
  }

  /** Resolves when the handler has ended. Rejects with the error of the handler. */
  get ended(): Promise<JobEnd> {
    return this.#end.promise;
  }

  /** Calls `late` if the request takes longer than `seconds`. */
  limit(timer: SharedTimer, seconds: number, late: () => void): void {
    this.#timeout = new Timeout(timer, seconds, "handle");
    this.#timeout.start(late);
  }

  /**
   * Executes a call of the child. Allows one call of each kind at a time, and a bounded number of unwritten results, so
   * that a child cannot fill the memory of the server.
   *
   * @param message The call.
   * @param send Sends the result, and calls `written` once it is written to the channel.
   * @throws {TypeError} if the module's own code in the child cannot have made the call.
   */
  execute(
    message: CallMessage,
    send: (result: ResultMessage, written: () => void) => void,
  ): void {
    const { execute } = this.job;
    if (execute === undefined) throw new TypeError("it has the connection");
    const { call, operation } = message;
    this.#checkCall(operation);
    this.#asked.add(operation);
    const answer = (result: Partial<ResultMessage>) => {
      this.#asked.delete(operation);
      this.#unwritten++;
      send({ type: "result", call, ...result }, () => this.#unwritten--);
    };
    execute(message).then(
      (value) => answer({ value }),
      (error) => answer({ error: toFailure(error) }),
    );
  }

  #checkCall(operation: Operation): void {
    if (this.#asked.has(operation)) {
      throw new TypeError(`a second ${operation} came before the result`);
    }
    if (this.#unwritten === UNWRITTEN_MAX) {
      throw new TypeError("it does not read the results of its calls");
    }
  }

  /** Ends the request. The child says how many milliseconds it took; more than have passed are not believed. */
  resolve(ms: number, idle: boolean): void {
    this.#end.resolve({ ms: Math.min(ms, this.#passed), idle });
  }

  get #passed(): number {
    return performance.now() - this.#given;
  }

  /**
   * Notes the bytes that the child says it has received and sent on a connection of its own. More than a machine can move
   * in the time are not believed.
   *
   * @throws {TypeError} if these are no numbers of bytes.
   */
  count(bytesIn: unknown, bytesOut: unknown): void {
    const most = Math.ceil(this.#passed + 1) * BYTES_PER_MS_MAX;
    const counts = {
      bytesIn: checkBytes(bytesIn, most),
      bytesOut: checkBytes(bytesOut, most),
    };
    this.job.count?.(counts);
  }

  /** Fails the request, and closes a connection that has not arrived in the child, unless another child can take it. */
  reject(error: unknown): void {
    if (!(error instanceof NotPassedError)) this.job.socket?.destroy();
    this.#end.reject(error);
  }

  /** Ends the time limit. */
  cancelTimeout(): void {
    this.#timeout?.cancel();
  }
}

function checkBytes(count: unknown, most: number): number {
  if (Number.isSafeInteger(count) && count as number >= 0) {
    return Math.min(count as number, most);
  }
  throw new TypeError(`it counted ${Deno.inspect(count)} bytes`);
}
