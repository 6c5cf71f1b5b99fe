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
   * @param processors Those that it may use, by number; all where this says nothing.
   * @throws {Missing} Where the program is not there.
   */
  static async start(
    command: Command,
    processors?: number[],
  ): Promise<ServerProcess> {
    const [path, ...args] = [
      ...processors ? await pinned(...processors) : [],
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

  /** The memory of the server and its children, in KiB. What several of them share counts once. */
  get proportionalKiB(): number {
    return sum(treeOf(this.#child.pid).map(proportionalKiB));
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

  /** Processor time of its first thread, to a hundredth. */
  get mainSeconds(): number {
    const { pid } = this.#child;
    return sum(ticks(`/proc/${pid}/task/${pid}/stat`).slice(0, 2)) / 100;
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
  return sum([
    ...ticks(`/proc/${pid}/stat`),
    ...childrenOf(pid).map(processorTicks),
  ]);
}

/** Returns utime, stime, cutime and cstime of a stat file; see proc(5). */
function ticks(path: string): number[] {
  const stat = read(path);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 15)
    .map(Number);
}

/** A process and all below it. */
function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** Memory of a process; pages of several processes count in parts. */
function proportionalKiB(pid: number): number {
  const [, kib = "0"] = /^Pss: +(\d+) kB/m.exec(
    read(`/proc/${pid}/smaps_rollup`),
  ) ?? [];
  return Number(kib);
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
