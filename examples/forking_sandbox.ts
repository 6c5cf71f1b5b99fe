/**
 * Runs each request in a process of its own that has no permissions: the handler counts the words of a line, and shows
 * that it cannot read the disk.
 *
 *     deno run --allow-net --allow-run --allow-env=NODE_V8_COVERAGE examples/forking_sandbox.ts [port] [host] [parent|children]
 *
 * Then type a line into `nc localhost 9999`. With `children` the processes accept connections by themselves, and each
 * serves a hundred requests.
 */
import {
  AF_INET,
  AF_INET6,
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
  const [port = "9999", host = "localhost", place = "parent"] = Deno.args;
  const accepts = place === "children";
  const address: [string, number] = [host, Number(port)];
  const server = new ForkingTCPServer(address, WordCount, {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
    acceptIn: accepts ? "children" : "parent",
    requestsPerChild: accepts ? 100 : 1,
    childTimeout: 10,
  });
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 1 }); // until Ctrl-C
}
