/** The listener over `node:net`, without a system under it. */

import { EventEmitter } from "node:events";
import type { Server, Socket as NetSocket } from "node:net";
import type { ListenHandle } from "../../../internal/runtime/node/node_handles.ts";
import { NodeListener } from "../../../internal/runtime/node/node_listener.ts";
import { assert, assertEquals } from "../../deps.ts";
import { until } from "../../helpers/within.ts";

/** A server of `node:net` without a system under it. */
function fakeServer() {
  const server = Object.assign(new EventEmitter(), {
    ref() {},
    unref() {},
    close() {},
  });
  let listens = 0;
  const handle: ListenHandle = {
    listen: () => (listens++, 0),
    onconnection() {},
    close() {},
    fdForIpc: () => -1,
  };
  return { server, handle, listens: () => listens };
}

Deno.test("NodeListener.close() closes the Unix connections that nobody took", () => {
  const { server, handle } = fakeServer();
  const addr = { transport: "unix", path: "/s" };
  const listener = new NodeListener(
    server as unknown as Server,
    handle,
    addr,
    2,
  );
  const destroyed: number[] = [];
  const connect = (number: number) => {
    const destroy = () => destroyed.push(number);
    server.emit("connection", { destroy } as unknown as NetSocket);
  };
  const most = 4096; // as many are kept, whatever the backlog
  for (let number = 1; number <= most + 1; number++) connect(number);
  assertEquals(destroyed, [most + 1]);
  listener.close();
  assertEquals(destroyed.length, most + 1);
  connect(0);
  assertEquals(destroyed.at(-1), 0);
});

Deno.test("NodeListener listens again while an accept waits, which a shortage of descriptors has stopped", async () => {
  const { server, handle, listens } = fakeServer();
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  const listener = new NodeListener(
    server as unknown as Server,
    handle,
    addr,
    2,
  );
  const accepted = listener.accept().catch(({ name }) => name);
  const first = listens();
  await until(() => listens() >= first + 2);
  listener.close();
  assertEquals(await accepted, "BadResource");
  assert(first > 0);
});
