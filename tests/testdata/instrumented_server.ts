/**
 * A program whose servers are instrumented. Prints `{ "enabled": ... }`, asks its servers itself, and ends. Its first
 * argument is the port of a server that the handler asks over HTTP.
 */
import {
  AsyncTCPServer,
  createConnection,
  type InetAddress,
  SHUT_WR,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "../../mod.ts";
import { instrument } from "../../telemetry.ts";

/** Asks over HTTP, fails, or answers. */
export class Answers extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const line = new TextDecoder().decode(await this.rfile.readline());
    if (line === "fail\n") throw new RangeError("as asked");
    if (line === "fetch\n") {
      await (await fetch(`http://127.0.0.1:${Deno.args[0]}/inner`)).text();
    }
    await this.wfile.write(line);
  }
}

/** As many requests as there may be spans in far less than a second. */
export class Many extends Answers {}

async function ask(address: InetAddress, question: string): Promise<void> {
  using client = await createConnection(address);
  await client.sendall(new TextEncoder().encode(question));
  await client.shutdown(SHUT_WR);
  while ((await client.recv(100)).length > 0);
}

/** Serves a few questions, one after the other. */
async function play(
  server: AsyncTCPServer,
  options: object,
  questions: string[],
): Promise<void> {
  using telemetry = instrument(server, options);
  console.log(JSON.stringify({ enabled: telemetry.enabled }));
  const served = server.serveForever();
  for (const question of questions) await ask(server.serverAddress, question);
  await server.serverClose();
  await served;
}

if (import.meta.main) {
  const local: InetAddress = ["127.0.0.1", 0];
  const silent = { reportLostClients: false };
  const quiet = class extends AsyncTCPServer {
    override handleError() {}
  };
  await play(new quiet(local, Answers, silent), {}, [
    "hello\n",
    "fetch\n",
    "fail\n",
  ]);
  const many = new Array(20).fill("x\n");
  await play(new AsyncTCPServer(local, Many), { spansPerSecond: 1 }, many);
  const threading = new ThreadingTCPServer(local, Answers, { maxWorkers: 1 });
  await play(threading as unknown as AsyncTCPServer, {}, ["hello\n"]);
}
