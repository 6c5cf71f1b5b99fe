/**
 * The end of a request of which a stage has failed.
 *
 * @module
 */

import { requestsOf } from "./requests.ts";
import type { Task } from "./task.ts";

/** Reports a failure, unless the server has given the request up, and shuts the request down in any case. */
export async function endFailed<R>(
  { server, request, clientAddress }: Task<R>,
  error: unknown,
): Promise<void> {
  try {
    if (requestsOf(server).reports(request)) {
      await server.handleError(request, clientAddress, error);
    }
  } finally {
    await server.shutdownRequest(request);
  }
}
