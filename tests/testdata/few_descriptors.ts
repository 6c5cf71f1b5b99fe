/**
 * A server for a process with few descriptors: prints its port, and its status for each line on stdin.
 * Run by `server_errors_test.ts`, with `--allow-net`.
 */

import "./early_signals.ts";
import { AsyncTCPServer, StreamRequestHandler } from "../../mod.ts";

class Echo extends StreamRequestHandler {
  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

await using server = new AsyncTCPServer(["127.0.0.1", 0], Echo);
const served = server.serveForever();
console.log(JSON.stringify(server.serverAddress));

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const _ of lines) console.log(JSON.stringify(server.status));

await server.shutdown();
await served;
