/**
 * Collects the reports of servers: the calls of `handleError`, and the lines on stderr.
 *
 * @module
 */

import type { Address } from "../../mod.ts";
import { within } from "./within.ts";

/** The arguments of a call of `handleError`. */
export interface Report {
  address: Address;
  error: Error & { code?: string; errno?: number };
}

/** Collects the calls of `handleError`. */
export class Reports {
  readonly #all: Report[] = [];
  readonly #waiting: ((report: Report) => void)[] = [];

  add(address: Address, error: unknown): void {
    const report = { address, error: error as Report["error"] };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#all.push(report);
    else waiting(report);
  }

  /** The number of reports that nobody has taken. */
  get left(): number {
    return this.#all.length;
  }

  /** Resolves to the next report; rejects with a TimeoutError if none comes. */
  next(): Promise<Report> {
    const report = this.#all.shift();
    if (report !== undefined) return Promise.resolve(report);
    return within(new Promise((resolve) => this.#waiting.push(resolve)));
  }
}

/** Collects what `console.error` would print, until it is disposed of. */
export class Stderr implements Disposable {
  /** The text of each call. */
  readonly texts: string[] = [];
  readonly #original = console.error;

  constructor() {
    console.error = (...args: unknown[]) => {
      this.texts.push(args.map(String).join(" "));
    };
  }

  [Symbol.dispose](): void {
    console.error = this.#original;
  }
}
