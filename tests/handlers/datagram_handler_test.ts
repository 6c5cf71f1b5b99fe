/** The handler of datagrams: its fields, and its answers. */

import { Buffer } from "node:buffer";
import {
  BaseRequestHandler,
  BufferedReader,
  DatagramRequestHandler,
  DualRequestHandler,
} from "../../handlers.ts";
import { type DatagramRequest, UDPServer } from "../../server.ts";
import {
  type Address,
  type Bytes,
  type OSError,
  Socket,
} from "../../socket.ts";
import { assertEquals, assertInstanceOf, assertStrictEquals } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { FakeSource } from "../helpers/fakes.ts";
import { LOOPBACK, serving } from "../helpers/servers.ts";

Deno.test("BaseRequestHandler.request of a UDPServer is the packet and the server's socket", async () => {
  class Handler extends BaseRequestHandler<DatagramRequest> {
    override async handle() {
      const [packet, socket] = this.request;
      await socket.sendto(
        bytes(text(packet).toUpperCase()),
        this.clientAddress,
      );
    }
  }
  await serving(new UDPServer(LOOPBACK, Handler), async (server) => {
    assertEquals(await ask(server, "hello"), "HELLO");
  });
});

/** Serves datagrams, and returns the errors of `handleError`. */
async function datagrams(
  handle: (handler: DatagramRequestHandler) => Promise<unknown>,
  use: (server: UDPServer) => Promise<void>,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  class Server extends UDPServer {
    override handleError(_request: unknown, _from: Address, error: unknown) {
      errors.push(error);
    }
  }
  class Handler extends DatagramRequestHandler {
    override async handle() {
      await handle(this);
    }
  }
  await serving(new Server(LOOPBACK, Handler), use);
  return errors;
}

Deno.test("DatagramRequestHandler answers with one datagram of all writes", async () => {
  const errors = await datagrams(async ({ packet, socket, rfile, wfile }) => {
    assertEquals(text(packet), "one\ntwo");
    assertInstanceOf(socket, Socket);
    await wfile.write(await rfile.readline());
    wfile.write("and ");
    await wfile.writelines([await rfile.read(), "!"]);
    await wfile.flush();
  }, async (server) => {
    assertEquals(await ask(server, "one\ntwo"), "one\nand two!");
  });
  assertEquals(errors, []);
});

Deno.test("DatagramRequestHandler sends nothing if nothing was written, or handle() threw", async () => {
  const errors = await datagrams(async ({ packet, wfile }) => {
    const said = text(packet);
    if (said === "silent") return;
    await wfile.write(`answer to ${said}`);
    if (said === "throw") throw new Error("a bug");
  }, async (server) => {
    using client = await connectTo(server);
    for (const said of ["silent", "throw", "", "speak"]) {
      await client.sendall(bytes(said));
    }
    assertEquals(text(await client.recv(100)), "answer to "); // to the empty packet
    assertEquals(text(await client.recv(100)), "answer to speak");
  });
  assertEquals(String(errors), "Error: a bug");
});

Deno.test("DatagramRequestHandler reports an answer that is too large", async () => {
  const errors = await datagrams(async ({ packet, wfile }) => {
    if (packet.length > 0) await wfile.write("fits");
    else await wfile.write(new Uint8Array(70_000));
  }, async (server) => {
    using client = await connectTo(server);
    await client.sendall(bytes(""));
    await client.sendall(bytes("more"));
    assertEquals(text(await client.recv(100)), "fits");
  });
  assertEquals(errors.map((error) => (error as OSError).code), ["EMSGSIZE"]);
});

Deno.test("DatagramRequestHandler reads the received packet and sends its own wfile, even if a subclass replaces the fields", async () => {
  const errors = await datagrams(async (handler) => {
    handler.packet = bytes("decoded") as Bytes;
    const { rfile } = handler;
    assertStrictEquals(handler.rfile, rfile);
    await handler.wfile.write(await rfile.read());
    handler.rfile = new BufferedReader(new FakeSource("own"));
    assertEquals(text(await handler.rfile.read()), "own");
    const { wfile } = handler;
    handler.wfile = wfile;
    await handler.wfile.write("!");
  }, async (server) => {
    assertEquals(await ask(server, "raw"), "raw!");
  });
  assertEquals(errors, []);
});

Deno.test("DatagramRequestHandler keeps a flushed answer apart from later writes", async () => {
  for (const memory of [bytes("......"), Buffer.alloc(6)]) {
    const errors = await datagrams(async ({ wfile }) => {
      memory.set(bytes("FIRST,"));
      await wfile.write(memory);
      await wfile.flush();
      memory.set(bytes("second"));
      await wfile.write(memory);
      await wfile.flush();
      memory.fill(0);
      await wfile.write("!");
    }, async (server) => {
      assertEquals(await ask(server, "x"), "FIRST,second!");
    });
    assertEquals(errors, []);
  }
});

Deno.test("DualRequestHandler that throws after it wrote sends no answer to a datagram", async () => {
  const errors: unknown[] = [];
  class Server extends UDPServer {
    override handleError(_request: unknown, _from: Address, error: unknown) {
      errors.push(error);
    }
  }
  class Handler extends DualRequestHandler {
    override async handle() {
      const said = text(this.packet!);
      await this.wfile.write(`answer to ${said}`);
      if (said === "flush") await this.wfile.flush();
      if (said !== "speak") throw new Error(said);
    }
  }
  await serving(new Server(LOOPBACK, Handler), async (server) => {
    using client = await connectTo(server);
    for (const said of ["throw", "flush", "speak"]) {
      await client.sendall(bytes(said));
    }
    assertEquals(text(await client.recv(100)), "answer to speak");
  });
  assertEquals(errors.map(String), ["Error: throw", "Error: flush"]);
});
