/** The settings that a DualRequestHandler passes to the handler of a connection or of a datagram. */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  DualRequestHandler,
  IPPROTO_TCP,
  type Socket,
  TCP_NODELAY,
} from "../../mod.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { udp } from "../helpers/sockets.ts";
import { Running } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";

Deno.test("DualRequestHandler has the settings and the socket of a connection", async () => {
  class Handler extends DualRequestHandler {
    override rbufsize = 0;
    override wbufsize = -1;
    override timeout = 7;
    override disableNagleAlgorithm = true;
    override async handle() {
      await this.wfile.write("held");
      await assertRejects(() => this.rfile.peek(), TypeError, "unbuffered");
      throw new Error(JSON.stringify([
        this.socket === this.request,
        this.socket.gettimeout(),
        this.socket.getsockopt(IPPROTO_TCP, TCP_NODELAY),
        this.wfile.pending,
        this.packet ?? "no packet",
      ]));
    }
  }
  await using running = new Running(
    new AsyncTCPServer(["127.0.0.1", 0], Handler),
  );
  using _client = await running.connect();
  const { error } = await running.reports.next();
  assertEquals(JSON.parse(error.message), [true, 7, 1, 4, "no packet"]);
});

Deno.test("DualRequestHandler answers a datagram, unless handle() threw after a write", async () => {
  const sockets: Socket[] = [];
  class Handler extends DualRequestHandler {
    override async handle() {
      sockets.push(this.socket);
      await this.wfile.write(this.packet!);
      if (text(this.packet!) === "bad") throw new Error("after the answer");
    }
  }
  await using running = new Running(
    new AsyncUDPServer(["127.0.0.1", 0], Handler),
  );
  using client = udp();
  await client.sendto(bytes("bad"), running.server.serverAddress);
  assertEquals(
    (await running.reports.next()).error.message,
    "after the answer",
  );
  await client.sendto(bytes("good"), running.server.serverAddress);
  assertEquals(text(await within(client.recv(99))), "good");
  assertEquals(sockets.map((socket) => socket === running.server.socket), [
    true,
    true,
  ]);
});
