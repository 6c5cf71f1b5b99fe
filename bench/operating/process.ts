/**
 * The processes of the measurements in this directory.
 *
 * @module
 */

import { Lines } from "../lines.ts";

/** The directory of the project. */
export const root = new URL("../../", import.meta.url);

/** Returns the first three parts of addresses of this machine that no other run is likely to have. */
export function loopbackNetwork(): string {
  const part = () => 16 + Math.floor(Math.random() * 200);
  return `127.${part()}.${part()}.`;
}

/** A process that is killed if it is left. */
export class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** What it prints. */
  readonly lines: Lines;

  /**
   * Starts it.
   *
   * @param command The program.
   * @param args Its arguments.
   */
  constructor(command: string, args: string[]) {
    this.#child = new Deno.Command(command, {
      args,
      cwd: root,
      stdin: "null",
      stdout: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.lines = new Lines(this.#child.stdout);
  }

  /** Starts deploy/server.ts, and waits until it listens. */
  static async serve(permission: string, args: string[]): Promise<Process> {
    const server = new Process(Deno.execPath(), [
      ...["run", "--no-prompt", "--no-check", permission, "deploy/server.ts"],
      ...args,
    ]);
    const line = await server.lines.next();
    if (line.startsWith("Listening")) return server;
    await server[Symbol.asyncDispose]();
    throw new Error(`Cannot start the server with ${args.join(" ")}`);
  }

  /** Sends SIGTERM. Resolves with the last line and the exit code. */
  async stop(): Promise<[line: string, code: number]> {
    this.#child.kill("SIGTERM");
    const line = await this.lines.next();
    return [line, (await this.#child.status).code];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
    await this.lines[Symbol.asyncDispose]();
  }
}
