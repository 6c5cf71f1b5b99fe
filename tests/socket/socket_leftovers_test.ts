/** A call leaves nothing behind: no memory, no timers that keep the process alive, no connections. */

import { select, SHUT_WR, Socket, TimeoutError } from "../../socket.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { heapUsed } from "../helpers/heap_used.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { turn } from "../helpers/turns.ts";
import { boundedCommand, within } from "../helpers/within.ts";

/** Calls on an idle socket that end without a result. */
const VAIN: Record<string, (socket: Socket) => Promise<unknown>> = {
  "time out": (socket) => socket.recv(1),
  "are aborted": (socket) => {
    const aborting = new AbortController();
    const call = socket.recv(1, { signal: aborting.signal });
    aborting.abort();
    return call;
  },
  "only select()": (socket) => select([socket], [], [], 0.001),
};

for (const [how, call] of Object.entries(VAIN)) {
  Deno.test(`An idle socket keeps nothing of calls that ${how}`, async () => {
    using socket = Socket.from(new FakeStream());
    socket.settimeout(0.001);
    const make = async (count: number) => {
      const calls = Array.from({ length: count }, () => call(socket));
      await within(Promise.allSettled(calls));
      await turn();
    };
    await make(500); // all code is compiled, and timers are set
    const before = heapUsed();
    for (let round = 0; round < 6; round++) await make(500);
    const kept = (heapUsed() - before) / 3000;
    assert(kept < 150, `${kept} bytes of each call`);
  });
}

Deno.test({
  name: "Socket.settimeout() does not keep the process alive",
  ignore: !granted("run", "net"),
  async fn() {
    const program = `
      import { socketpair } from ${
      JSON.stringify(import.meta.resolve("../../mod.ts"))
    };
      const [one, other] = await socketpair();
      for (const socket of [one, other]) socket.settimeout(600);
      await one.sendall(new Uint8Array(9));
      await other.recv(9);
      console.log("done");
    `;
    const child = boundedCommand(Deno.execPath(), {
      args: ["eval", "--no-check", program],
      stderr: "null",
    });
    const { code, stdout } = await within(child.output());
    assertEquals(code, 0, "code");
    assertEquals(new TextDecoder().decode(stdout), "done\n", "stdout");
  },
});

Deno.test("Socket.listen() opens with the backlog that it is given, on the same port", () => {
  const { listen } = Deno;
  const seen: [unknown, unknown][] = [];
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    seen.push([options.tcpBacklog, listener.addr.port]);
    return listener;
  }) as typeof Deno.listen;
  try {
    using socket = new Socket();
    socket.bind(["127.0.0.1", 0]);
    const port = socket.getsockname()[1];
    socket.listen(3);
    assertEquals(seen, [[undefined, port], [3, port]]);
    assertEquals(socket.getsockname()[1], port);
    using other = new Socket();
    other.listen(7);
    assertEquals(seen[2][0], 7);
  } finally {
    Deno.listen = listen;
  }
});

Deno.test({
  name:
    "Socket.shutdown() after a sendfile() that timed out says so, and does not wait",
  ignore: !granted("read", "write"),
  async fn() {
    const [client, server] = await tcpPair();
    using _server = server; // which does not read
    const path = await Deno.makeTempFile();
    try {
      await Deno.truncate(path, 32 * 1024 * 1024);
      client.settimeout(0.2);
      await within(assertRejects(() => client.sendfile(path), TimeoutError));
      client.settimeout(null);
      await within(assertRejects(
        () => client.shutdown(SHUT_WR),
        TimeoutError,
        "Cannot shutdown: a send was given up before (ETIMEDOUT)",
      ));
    } finally {
      client.abort();
      await Deno.remove(path);
    }
  },
});
