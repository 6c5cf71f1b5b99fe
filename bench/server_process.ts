/**
 * A server that is measured: a process that prints its port.
 *
 * @module
 */

import { Lines } from "./lines.ts";
import { sum } from "./statistics.ts";
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
  readonly #output: Lines;

  private constructor(child: Deno.ChildProcess, output: Lines, port: number) {
    this.#child = child;
    this.#output = output;
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
    const output = new Lines(child.stdout);
    const port = Number(await output.next());
    if (port > 0) return new ServerProcess(child, output, port);
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
      const now = this.processorSeconds;
      if (now === before) return;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Processor time that it and its children have had, to a hundredth. */
  get processorSeconds(): number {
    return processorTicks(this.#child.pid) / 100;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#output[Symbol.asyncDispose]();
  }
}

/** The processor time of a process and of its children, also of those that have ended; see proc(5). */
function processorTicks(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const own = fields.slice(11, 15).map(Number);
  return sum([...own, ...childrenOf(pid).map(processorTicks)]);
}

/** The children of a process's first thread, which is the one to start them in all that is measured. */
function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(" ").filter(Boolean).map(Number);
}

/** What a file of a process says; nothing where that has ended. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    const opened = !(error instanceof Deno.errors.NotFound);
    if (opened && !String(error).includes("(os error 3)")) throw error; // ESRCH: it ended meanwhile
    return "";
  }
}
