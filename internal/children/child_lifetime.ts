/**
 * The life of a child process: whether it keeps the server's process alive, and how it ends.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";

/**
 * How long a child may take to exit once it was told to, or has lost its channel, in ms: arbitrary, a
 * hundred times what an idle one takes. Then it is killed.
 */
const EXIT_MS = 1000;

/** A child process ended, or was ended, while it had a request. */
export class ChildProcessError extends Error {
  override readonly name = "ChildProcessError";
}

/** Owns a process, and ends it. */
export class ChildLifetime {
  readonly #process: ChildProcess;
  readonly #ended = Promise.withResolvers<string>();
  #killer: ReturnType<typeof setTimeout> | undefined;
  #reason: string | undefined;
  #gone = false;
  /** Whether it was killed from outside, as by a system that is short of memory. */
  killedExternally = false;

  /** @param process The process, just started. */
  constructor(process: ChildProcess) {
    this.#process = process;
    process.on("exit", (code, signal) => {
      this.killedExternally = signal === "SIGKILL" &&
        this.#reason === undefined;
      this.#finish(
        signal === null ? `exit code ${code}` : `killed by ${signal}`,
      );
    });
  }

  /** Resolves when the process has ended, to how. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Says whether the child keeps the server's process alive. */
  keepAlive(on: boolean): void {
    const { channel, pid } = this.#process;
    if (pid === undefined) return; // it could not be started
    if (on) {
      this.#process.ref();
      channel?.ref();
    } else {
      this.#process.unref();
      channel?.unref();
    }
  }

  /** It has been told to exit, or is about to: waits for that, and kills it where it does not come. */
  awaitExit(): void {
    if (this.#gone || this.#killer !== undefined) return;
    this.keepAlive(true); // whoever closes the server waits for the exit
    const kill = () => this.kill("it did not exit when it was told to");
    this.#killer = setTimeout(kill, EXIT_MS);
  }

  /** Ends it at once. */
  kill(reason: string): void {
    if (this.#gone) return;
    this.#reason ??= reason;
    if (this.#process.pid === undefined) return this.#finish("never started");
    this.keepAlive(true);
    this.#process.kill("SIGKILL");
  }

  #finish(how: string): void {
    this.#gone = true;
    clearTimeout(this.#killer);
    if (this.#process.connected) this.#process.disconnect(); // not noticed after a reset
    const because = this.#reason === undefined ? "" : `: ${this.#reason}`;
    this.#ended.resolve(how + because);
  }
}
