/**
 * Servers that stay up from one benchmark to the next.
 *
 * @module
 */

import { type Command, ServerProcess } from "./server_process.ts";

/** How many stay up: more than a comparison has contenders. Each takes some 50 MB. */
const UP = 24;

/** The servers that were started last, by their commands. */
export class ServerPool implements AsyncDisposable {
  readonly #servers = new Map<string, ServerProcess>();

  /** Returns the server of a command, which is started if it is not up. */
  async take(command: Command, processors: number[]): Promise<ServerProcess> {
    const key = command.join(" ");
    const server = this.#servers.get(key) ??
      await ServerProcess.start(command, processors);
    this.#servers.delete(key);
    this.#servers.set(key, server); // the last one now
    const [[oldest, unused]] = this.#servers;
    if (this.#servers.size > UP) {
      this.#servers.delete(oldest);
      await unused[Symbol.asyncDispose]();
    }
    return server;
  }

  /** Ends them all. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) {
      await server[Symbol.asyncDispose]();
    }
    this.#servers.clear();
  }
}

/**
 * Starts a server that ends with its owner; with a pool, takes the one that is up.
 *
 * @param command The command.
 * @param processors Those that it may use, if it is started.
 * @param owner What ends it.
 * @param pool Where it stays up.
 */
export async function startServer(
  command: Command,
  processors: number[],
  owner: AsyncDisposableStack,
  pool?: ServerPool,
): Promise<ServerProcess> {
  if (pool) return await pool.take(command, processors);
  return owner.use(await ServerProcess.start(command, processors));
}
