/**
 * What the tests of servers share that run handlers elsewhere, in workers and in processes.
 *
 * @module
 */

import { type Address, AF_INET, AF_UNIX, Socket } from "../../mod.ts";
import { within } from "./within.ts";

/** What `handleError` was called with. */
export interface Report {
  address: Address;
  error: Error & { code?: string; errno?: number };
}

/** Collects what `handleError` is called with. */
export class Reports {
  readonly #all: Report[] = [];
  readonly #waiting: ((report: Report) => void)[] = [];

  add(address: Address, error: unknown): void {
    const report = { address, error: error as Report["error"] };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#all.push(report);
    else waiting(report);
  }

  /** How many nobody has taken. */
  get left(): number {
    return this.#all.length;
  }

  /** The next one; a test that would hang ends with a TimeoutError. */
  next(): Promise<Report> {
    const report = this.#all.shift();
    if (report !== undefined) return Promise.resolve(report);
    return within(new Promise((resolve) => this.#waiting.push(resolve)));
  }
}

/** Connects to a server; a test that would hang ends with a TimeoutError. */
export async function dial(address: Address): Promise<Socket> {
  const socket = new Socket(typeof address === "string" ? AF_UNIX : AF_INET);
  socket.settimeout(60);
  await socket.connect(address);
  return socket;
}
