/**
 * A request whose connection a child has accepted.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type { Job } from "./child_job.ts";

/**
 * Returns the job of a request whose connection a child has accepted.
 *
 * @param request A closed socket, which stands for the connection in this process.
 * @param client The address of the client.
 */
export function acceptedJob(request: Socket, client: Address): Job {
  return {
    request,
    message: { type: "request", kind: "handle", client },
    count: (counts) => stateOf(request).closedCounts = counts,
  };
}
