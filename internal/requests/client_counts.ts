/**
 * The number of open requests of each client.
 *
 * @module
 */

import type { Address } from "../base/address.ts";

/** Returns the key of a client: its host or path; undefined for an unnamed Unix socket. */
export function clientOf(address: Address | undefined): string | undefined {
  return (typeof address === "string" ? address : address?.[0]) || undefined;
}

/** Counts the requests of each client. A client without a name is not counted. */
export class ClientCounts {
  readonly #counts = new Map<string, number>();

  /** @param requests The requests that are open already. */
  constructor(requests: Iterable<{ readonly client: string | undefined }>) {
    for (const { client } of requests) this.change(client, 1);
  }

  /** Returns the number of requests of a client. */
  of(client: string): number {
    return this.#counts.get(client) ?? 0;
  }

  /** Counts a request that begins, 1, or ends, -1. */
  change(client: string | undefined, change: 1 | -1): void {
    if (client === undefined) return;
    const now = this.of(client) + change;
    if (now > 0) this.#counts.set(client, now);
    else this.#counts.delete(client);
  }
}
