/**
 * Servers whose second worker finds as many free descriptors as an argument says. Prints what three clients of each
 * get. Run by `threading_start_test.ts` in a process that may have few of them.
 */

import "./early_signals.ts";
import {
  type Address,
  createConnection,
  ThreadingTCPServer,
} from "../../mod.ts";
import { LoadsOnce } from "./loads_once.ts";

/** Takes all descriptors but `free` of them. */
function fill(held: Deno.FsFile[], free: number): void {
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    for (let i = 0; i < free; i++) held.pop()!.close();
  }
}

class Server extends ThreadingTCPServer {
  readonly held: Deno.FsFile[] = [];
  free = 0;
  #count = 0;
  override verifyRequest(): boolean {
    if (++this.#count === 2) fill(this.held, this.free);
    return true;
  }
  override handleError(_request: unknown, _address: Address, error: unknown) {
    console.log(`reported ${(error as Error).name}`);
  }
}

async function ask(server: Server) {
  const client = await createConnection(
    server.serverAddress as [string, number],
  );
  await client.sendall(new TextEncoder().encode("hello\n"));
  console.log(new TextDecoder().decode(await client.recv(6)).trimEnd());
  return client;
}

for (const free of Deno.args.map(Number)) {
  const server = new Server(["127.0.0.1", 0], LoadsOnce, { maxWorkers: 2 });
  server.free = free;
  const served = server.serveForever();
  const clients = [await ask(server), await ask(server)];
  for (const file of server.held) file.close();
  clients.push(await ask(server));
  for (const client of clients) client.close();
  console.log(JSON.stringify(await server.serverClose({ timeout: 5 })));
  await served;
}
