/**
 * A server that loses the permission to read before its first worker starts. Prints what is reported, or "served".
 * Run by `threading_test.ts`.
 */

import {
  type Address,
  createConnection,
  ThreadingTCPServer,
} from "../../mod.ts";
import { LoadsOnce } from "./loads_once.ts";

const reported = Promise.withResolvers<string>();

class Server extends ThreadingTCPServer {
  override handleError(_request: unknown, _address: Address, error: unknown) {
    const { name, code, message } = error as Error & { code: string };
    const advice = message.includes("run again with --allow-read");
    reported.resolve(`${name} ${code} ${advice}`);
  }
}

const server = new Server(["127.0.0.1", 0], LoadsOnce, { maxWorkers: 1 });
const served = server.serveForever();
Deno.permissions.revokeSync({ name: "read" });
const address = server.serverAddress as [string, number];
using client = await createConnection(address);
await client.sendall(new TextEncoder().encode("x\n"));
const answer = client.recv(2).then((data) => data.length > 0 ? "served" : "");
console.log(
  await Promise.race([reported.promise, answer]) || await reported.promise,
);
await server.serverClose({ timeout: 5 });
await served;
