/** A program that makes its server without `if (import.meta.main)` around it. */

import { StreamRequestHandler } from "../../handlers.ts";
import {
  AsyncTCPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
} from "../../mixins.ts";
import { TCPServer } from "../../server.ts";
import { createConnection } from "../../socket.ts";

const SERVERS = {
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
};

/** Never runs. */
export class Handler extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
}

/** The first server of the program is the one that hands requests over; another one stands in its module. */
const [way, other] = import.meta.main
  ? Deno.args as (keyof typeof SERVERS)[]
  : [undefined, undefined];
export const another = new SERVERS[other ?? "AsyncTCPServer"](
  ["127.0.0.1", 0],
  Handler,
);
if (way !== undefined) {
  const server = new SERVERS[way](["127.0.0.1", 0], Handler);
  const served = server.serveForever();
  using client = await createConnection(server.serverAddress, { timeout: 30 });
  await client.recv(1);
  await Promise.all([server.serverClose(), another.serverClose()]);
  await served;
}
