/** jobFor(): the parts of a request that a child gets. */

import type { Socket as NetSocket } from "node:net";
import { jobFor } from "../../internal/children/child_job.ts";
import { openNodeListener } from "../../internal/runtime/opening/open_node_listener.ts";
import { type Address, AF_INET, type InetAddress, Socket } from "../../mod.ts";
import { assertEquals, assertStrictEquals } from "../deps.ts";
import { dial } from "../helpers/clients.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];

Deno.test("jobFor() detaches the connection from its server, which would write to the child past the message queue", async () => {
  const options = { family: AF_INET, address: LOCAL, backlog: 1 };
  using listener = Socket.from(openNodeListener(options));
  const [socket] = await acceptFrom(listener);
  const job = jobFor(socket, ["127.0.0.1", 1], {});
  const { server, _server } = job.socket as NetSocket & Record<string, unknown>;
  assertEquals({ server, _server }, { server: null, _server: null });
  assertStrictEquals(socket.fileno(), -1);
  job.socket!.destroy();
});

async function acceptFrom(listener: Socket): Promise<[Socket, Address]> {
  const [accepted, client] = await Promise.all([
    listener.accept(),
    dial(listener.getsockname()),
  ]);
  client.close();
  return accepted;
}
