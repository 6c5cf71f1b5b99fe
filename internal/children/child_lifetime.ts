/**
 * The lifetime of a child process: whether it keeps the server's process alive, and how it ends.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { ChildExitReason } from "../stages/event_types.ts";

/**
 * The milliseconds that a child may take to exit once it was told to, or has lost its channel; then it is killed.
 * Arbitrary: a hundred times as long as an idle child takes.
 */
const EXIT_MS = 1000;

/** The end of a child process. */
export interface ChildEnd {
  /** Why the process has ended. */
  readonly reason: ChildExitReason;
  /** The exit code; null if a signal has ended the process. */
  readonly code: number | null;
  /** The signal that has ended the process; otherwise null. */
  readonly signal: string | null;
  /** The number of requests that failed with the process. */
  readonly requests: number;
}

/** Fails a request whose child process ended, or was killed, before the request was done. */
export class ChildProcessError extends Error {
  override readonly name = "ChildProcessError";
}

/** As {@linkcode ChildProcessError}, for a request that the process had not got: another one can take it. */
export class NotPassedError extends ChildProcessError {}

/** Owns the process of a child, and ends it. */
export class ChildLifetime {
  readonly #process: ChildProcess;
  readonly #ended = Promise.withResolvers<string>();
  #killer: ReturnType<typeof setTimeout> | undefined;
  #reason: string | undefined;
  #gone = false;
  /** Whether the process has ended, or ends soon: it gets no further request. */
  leaving = false;
  /** Why the server ends the process; undefined while it does not. */
  why: ChildExitReason | undefined;
  /** The exit code; null before the process has ended, and if a signal has ended it. */
  #code: number | null = null;
  /** The signal that has ended the process. */
  #signal: string | null = null;
  /** Whether something else killed the process, such as a system that is short of memory. */
  killedExternally = false;

  /** @param process The process, which has just been started. */
  constructor(process: ChildProcess) {
    this.#process = process;
    process.on("exit", (code, signal) => {
      this.killedExternally = signal === "SIGKILL" &&
        this.#reason === undefined;
      this.#code = code;
      this.#signal = signal;
      this.#finish(
        signal === null ? `exit code ${code}` : `killed by ${signal}`,
      );
    });
  }

  /** Resolves when the process has ended, to a text for its exit code or signal. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Sets whether the child keeps the server's process alive. */
  keepAlive(on: boolean): void {
    const { channel, pid } = this.#process;
    if (pid === undefined) return; // the process could not be started
    try {
      if (on) this.#process.ref();
      else this.#process.unref();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // it has ended, and Deno (2.9.6) has not told yet
    }
    if (on) channel?.ref();
    else channel?.unref();
  }

  /**
   * Returns how the process has ended.
   *
   * @param requests The number of requests that failed with the process.
   * @param ready Whether it had loaded the module of the handler.
   */
  describeEnd(requests: number, ready: boolean): ChildEnd {
    const reason = this.#exitReason;
    return {
      reason: reason === "exited" && !ready ? "load" : reason,
      code: this.#code,
      signal: this.#signal,
      requests,
    };
  }

  get #exitReason(): ChildExitReason {
    if (this.#reason !== undefined) return this.why ?? "killed";
    if (this.#signal !== null) return "signal";
    return this.#code === 0 && this.why || "exited";
  }

  /** Waits for the process to exit, and kills it if it does not. */
  awaitExit(): void {
    this.leaving = true;
    if (this.#gone || this.#killer !== undefined) return;
    this.keepAlive(true); // closing the server waits for the exit
    const kill = () => this.kill("it did not exit when it was told to");
    this.#killer = setTimeout(kill, EXIT_MS);
  }

  /** Kills the process. */
  kill(reason: string, why: ChildExitReason = "killed"): void {
    this.leaving = true;
    if (this.#gone) return;
    if (this.#reason === undefined) this.why = why;
    this.#reason ??= reason;
    if (this.#process.pid === undefined) return this.#finish("never started");
    this.keepAlive(true);
    this.#process.kill("SIGKILL");
  }

  #finish(how: string): void {
    this.#gone = true;
    this.leaving = true;
    clearTimeout(this.#killer);
    if (this.#process.connected) this.#process.disconnect(); // not noticed if the channel was reset
    const because = this.#reason === undefined ? "" : `: ${this.#reason}`;
    this.#ended.resolve(how + because);
  }
}
