/** A program whose server waits for a request that does not end, and says how far it is. */

import { StreamRequestHandler } from "../../handlers.ts";
import { AsyncTCPServer, serve } from "../../mod.ts";
import { createConnection } from "../../socket.ts";

class Stuck extends StreamRequestHandler {
  override async handle() {
    this.signal.addEventListener("abort", () => console.log("draining"));
    console.log("serving");
    await new Promise(() => {});
  }
}

const server = new AsyncTCPServer(["127.0.0.1", 0], Stuck);
const served = serve(server, { timeout: null });
using _client = await createConnection(server.serverAddress);
await served;
