/**
 * The end of a request of which a stage has failed.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import { requestsOf } from "./requests.ts";

/** The stages that end a request. */
export interface Ending<R> {
  handleError(
    request: R,
    clientAddress: Address,
    error: unknown,
  ): void | Promise<void>;
  shutdownRequest(request: R): void | Promise<void>;
}

/** What failed. */
export interface Failure<R> {
  /** The request. */
  request: R;
  /** The client's address. */
  clientAddress: Address;
  /** What a stage threw. */
  error: unknown;
}

/** Reports a failure, unless the server has given the request up, and shuts the request down in any case. */
export async function endFailed<R>(
  server: Ending<R>,
  { request, clientAddress, error }: Failure<R>,
): Promise<void> {
  try {
    if (requestsOf(server).reports(request)) {
      await server.handleError(request, clientAddress, error);
    }
  } finally {
    await server.shutdownRequest(request);
  }
}
