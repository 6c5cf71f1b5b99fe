/**
 * A server whose second worker finds as many free descriptors as the first argument says. Prints what three clients
 * get. Run by `threading_start_test.ts` in a process that may have few of them.
 */

import "./early_signals.ts";
import {
  type Address,
  createConnection,
  ThreadingTCPServer,
} from "../../mod.ts";
import { LoadsOnce } from "./loads_once.ts";

const free = Number(Deno.args[0]);
const held: Deno.FsFile[] = [];

/** Takes all descriptors but those. */
function fill(): void {
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    for (let i = 0; i < free; i++) held.pop()!.close();
  }
}

class Server extends ThreadingTCPServer {
  #count = 0;
  override verifyRequest(): boolean {
    if (++this.#count === 2) fill();
    return true;
  }
  override handleError(_request: unknown, _address: Address, error: unknown) {
    console.log(`reported ${(error as Error).name}`);
  }
}

const server = new Server(["127.0.0.1", 0], LoadsOnce, { maxWorkers: 2 });
const served = server.serveForever();

async function ask() {
  const client = await createConnection(
    server.serverAddress as [string, number],
  );
  await client.sendall(new TextEncoder().encode("hello\n"));
  console.log(new TextDecoder().decode(await client.recv(6)).trimEnd());
  return client;
}

const clients = [await ask(), await ask()];
for (const file of held) file.close();
clients.push(await ask());
for (const client of clients) client.close();
console.log(JSON.stringify(await server.serverClose({ timeout: 5 })));
await served;
