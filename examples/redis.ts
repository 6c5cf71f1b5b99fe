/**
 * A key-value server that speaks RESP, the protocol of Redis.
 *
 *     deno run --allow-net examples/redis.ts [host] [port]
 *
 * Then try `redis-cli -p 6399`, or `redis-benchmark -p 6399 -t set,get -P 16`. The values are in memory only.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import { encode, ProtocolError, readCommand, simple } from "./redis/resp.ts";
import { Session } from "./redis/session.ts";
import { Store } from "./redis/store.ts";

const store = new Store();

class RedisHandler extends StreamRequestHandler {
  override wbufsize = 65536; // the answers to what came together leave together
  override disableNagleAlgorithm = true;

  override async handle() {
    using session = new Session(store);
    try {
      while (await this.waitForRequest()) {
        const args = await readCommand(this.rfile);
        if (args === undefined) return;
        if (args.length === 0) continue;
        const reply = session.execute(args);
        if (session.isHttp) return this.request.abort();
        for (const piece of encode(reply, session.version)) {
          await this.wfile.write(piece);
        }
        if (session.ended) return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const { line } = simple(`-ERR Protocol error: ${error.message}`);
      await this.wfile.write(line);
      await this.wfile.flush();
      await this.request.lingeringClose();
    }
  }
}

class RedisServer extends AsyncTCPServer {
  /** Deletes expired keys twice a second. */
  override serviceActions() {
    store.sweep();
  }
}

const [host = "localhost", port = "6399"] = Deno.args;
const options = {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
};
const server = new RedisServer([host, Number(port)], RedisHandler, options);
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 1 }); // until Ctrl-C
