/** A module that makes a server of each class of TCP and UDP as it is loaded, with a handler that makes them as well. */

import {
  AsyncTCPServer,
  ForkingTCPServer,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
  UDPServer,
} from "../../mod.ts";
import { Echo } from "./handlers.ts";

const SERVERS = [
  TCPServer,
  UDPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
];

/** Makes and closes a server of each class. Returns what each throws, or its address. */
function makeAll(): string[] {
  return SERVERS.map((Server) => {
    try {
      const server = new Server(["127.0.0.1", 0], Echo as never);
      server.serverClose();
      return server.serverAddress[0];
    } catch (error) {
      return (error as Error).message;
    }
  });
}

const atLoad = makeAll();

/** Tells what came of the servers that were made with the module, and of those that it makes. */
export class Making extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write(JSON.stringify([atLoad, makeAll()]));
  }
}
