/**
 * Facts of a server and openings of connections, for the tests of a worker's parts.
 *
 * @module
 */

import type { Opening } from "../../internal/channel/frames.ts";
import type { ServerFacts } from "../../internal/handoff/server_stub.ts";

/** The facts of a server that has nothing special. */
export const FACTS: Readonly<ServerFacts> = {
  serverAddress: "",
  options: {},
  shared: undefined,
};

const ADDRESS = { transport: "tcp", hostname: "::1", port: 1 } as const;

/** The opening of a connection. */
export const OPENING: Readonly<Opening> = {
  clientAddress: "",
  localAddr: ADDRESS,
  remoteAddr: ADDRESS,
  timeout: null,
};
