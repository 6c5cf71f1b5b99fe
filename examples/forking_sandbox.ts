/**
 * Runs each request in a process of its own that has no permissions at all: it counts the words of a
 * line, and shows that it could not read the disk if it tried.
 *
 *     deno run --allow-net --allow-run --allow-env=NODE_V8_COVERAGE examples/forking_sandbox.ts [port]
 *
 * Then say something with `nc localhost 9999`.
 */
import {
  ForkingTCPServer,
  formatAddress,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";

export class WordCount extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const line = new TextDecoder().decode(await this.rfile.readline());
    const words = line.split(/\s+/).filter(Boolean).length;
    await this.wfile.write(`${words} words, counted by process ${Deno.pid}\n`);
    const secret = await Deno.readTextFile("/etc/passwd").catch(String);
    await this.wfile.write(`${secret}\n`);
  }
}

if (import.meta.main) { // a child imports this module too
  const port = Number(Deno.args[0] ?? 9999);
  const options = { requestsPerChild: 1, childTimeout: 10 };
  const server = new ForkingTCPServer(["localhost", port], WordCount, options);
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 1 }); // until Ctrl-C
}
