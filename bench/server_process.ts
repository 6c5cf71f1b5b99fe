/**
 * A server that is measured: a process that prints its port.
 *
 * @module
 */

import { Lines } from "./lines.ts";
import { pinned, program } from "./tools.ts";

/** A command: a program as `program()` knows it, and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** A server that runs. */
export class ServerProcess implements AsyncDisposable {
  /** Its port. */
  readonly port: number;
  /** Its memory when it had started, in KiB. */
  readonly startKiB: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.startKiB = this.#status("VmRSS");
  }

  /**
   * Starts a server and waits for its port.
   *
   * @param command The command.
   * @param pin Whether it has the first processor only.
   * @throws {Missing} Where the program is not there.
   */
  static async start(command: Command, pin: boolean): Promise<ServerProcess> {
    const [path, ...args] = [
      ...pin ? await pinned(0) : [],
      await program(command[0]),
      ...command.slice(1),
    ];
    const child = new Deno.Command(path, {
      args,
      cwd: import.meta.dirname,
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const port = Number(await new Lines(child.stdout).next());
    if (port > 0) return new ServerProcess(child, port);
    child.kill();
    throw new Error(`Cannot start ${command.join(" ")}: it printed no port`);
  }

  /** The memory in use, in KiB. */
  get memoryKiB(): number {
    return this.#status("VmRSS");
  }

  /** By how much the memory grew at its peak, in MiB. */
  get grownMiB(): number {
    return (this.#status("VmHWM") - this.startKiB) / 1024;
  }

  #status(field: string): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(status.match(new RegExp(`^${field}:\\s+(\\d+)`, "m"))![1]);
  }

  /** Waits until the server has done what was left to do, such as closing; at most 5 seconds. */
  async quiet(): Promise<void> {
    for (let i = 0, before = -1; i < 100; i++) {
      const ticks = this.#ticks();
      if (ticks === before) return;
      before = ticks;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Processor time, in hundredths of a second; see proc(5). */
  #ticks(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.#child.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
