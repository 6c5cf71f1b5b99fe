/**
 * Answers each line with its scrypt hash, in workers, which use all processors.
 *
 *     deno run --allow-net --allow-read examples/threaded_hash.ts [port] [host] [parent|workers]
 *
 * Then talk to it with `nc localhost 9999`. Workers load this file, which needs --allow-read. With
 * `workers` each worker accepts connections by itself.
 */
import { scryptSync } from "node:crypto";
import {
  AF_INET,
  AF_INET6,
  serve,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "@socketserver/socketserver";

export class HashHandler extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    while (await this.waitForRequest()) {
      const line = await this.rfile.readline();
      const hash = scryptSync(line, "salt", 32, { N: 1 << 14 });
      await this.wfile.write(`${hash.toString("hex")}\n`);
    }
  }
}

if (import.meta.main) {
  const [port = "9999", host = "localhost", place = "parent"] = Deno.args;
  const address: [string, number] = [host, Number(port)];
  const server = new ThreadingTCPServer(address, HashHandler, {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
    acceptIn: place === "workers" ? "workers" : "parent",
  });
  console.log(
    `Listening on port ${
      server.serverAddress[1]
    } with up to ${server.maxWorkers} workers`,
  );
  await serve(server, { timeout: 1 }); // until Ctrl-C
}
