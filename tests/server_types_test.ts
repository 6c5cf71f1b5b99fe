// deno-lint-ignore-file no-unused-vars
/**
 * The types, as a user meets them: natural code is to pass the type check, wrong code is not. What is
 * marked `@ts-expect-error` is checked as well: without an error there, the check fails.
 */

import {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  BaseRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
  TCPServer,
  UDPServer,
  UnixStreamServer,
} from "../mod.ts";
import type {
  Address,
  BaseServer,
  DatagramRequest,
  ServerCloseReport,
  ServerOptions,
  Socket,
} from "../mod.ts";
import { assertEquals } from "./deps.ts";
import { ask, LOOPBACK, serving } from "./server_helpers.ts";

/** A server with state, and a handler that sees it. */
class Counter extends TCPServer {
  static override requestQueueSize = 64;
  static override allowReuseAddress = true;
  count = 0;
}

class CountingHandler extends StreamRequestHandler<Counter> {
  override timeout = 30;
  override wbufsize = -1;

  override async setup() {
    await super.setup();
    this.connection.settimeout(5);
  }

  override async handle() {
    this.server.count++;
    // @ts-expect-error the server's class has no such attribute
    this.server.cuont++;
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Every hook, overridden as an editor would complete it. */
class Everything extends TCPServer {
  override serverBind(): void {
    super.serverBind();
  }
  override serverActivate(): void {
    super.serverActivate();
  }
  override async getRequest(): Promise<[Socket, Address]> {
    const [request, clientAddress] = await super.getRequest();
    return [request, clientAddress];
  }
  override verifyRequest(request: Socket, clientAddress: Address): boolean {
    return clientAddress[0] === "127.0.0.1" && request.fileno() > 0;
  }
  override async processRequest(request: Socket, clientAddress: Address) {
    await super.processRequest(request, clientAddress);
  }
  override async finishRequest(request: Socket, clientAddress: Address) {
    await super.finishRequest(request, clientAddress);
  }
  override async shutdownRequest(request: Socket) {
    await super.shutdownRequest(request);
  }
  override closeRequest(request: Socket) {
    super.closeRequest(request);
  }
  override serviceActions() {}
  override handleTimeout() {}
  override handleError(request: Socket, from: Address, error: unknown) {
    super.handleError(request, from, error);
  }
  override async serverClose(
    options?: { timeout?: number },
  ): Promise<ServerCloseReport> {
    return await super.serverClose(options);
  }
}

/** A constructor of one's own, as in `class MyServer(TCPServer): def __init__(self, port)`. */
class OnPort extends TCPServer {
  constructor(port: number, options: ServerOptions = {}) {
    super(["127.0.0.1", port], CountingHandler, options);
  }
}

class Datagrams extends UDPServer {
  override verifyRequest([packet, socket]: DatagramRequest): boolean {
    return packet.length > 0 && socket.fileno() > 0;
  }
}

class Limited extends AsyncMixIn(TCPServer) {
  static override maxConnections = 2;
  static override requestQueueSize = 5;
  greeting = "hello";
  override async processRequestTask(request: Socket, from: Address) {
    await super.processRequestTask(request, from);
  }
}

class LimitedHandler extends StreamRequestHandler<Limited> {
  override async handle() {
    await this.wfile.write(
      `${this.server.greeting} ${this.server.maxConnections}`,
    );
    if (this.signal.aborted) return;
  }
}

class Ready extends AsyncTCPServer {
  override maxConnections = 3;
}

class Async extends AsyncMixIn(Counter) {}
class AsyncOnPort extends AsyncMixIn(OnPort) {}

class Fixed extends TCPServer {
  constructor(port: number) {
    super(["127.0.0.1", port], Raw);
  }
}
class AsyncFixed extends AsyncMixIn(Fixed) {}

class Raw extends BaseRequestHandler {
  override async handle() {
    await this.request.sendall(await this.request.recv(1024));
  }
}

class RawDatagram extends BaseRequestHandler<DatagramRequest, UDPServer> {
  override async handle() {
    const [packet, socket] = this.request;
    await socket.sendto(packet, this.clientAddress);
    const size: number = this.server.maxPacketSize;
  }
}

/** Never runs: only its types count. */
async function wrong(server: Counter, limited: Limited): Promise<void> {
  const any: BaseServer = server; // any server can be passed as a BaseServer
  const also: BaseServer = limited;
  const ready: AsyncTCPServer = new AsyncTCPServer(LOOPBACK, Raw);
  const plain: TCPServer = ready;
  const literal = new TCPServer(["localhost", 0] as const, Raw);
  const path = new UnixStreamServer("/tmp/socket", CountingHandler);
  const report: ServerCloseReport = await limited.serverClose({ timeout: 1 });
  new Async(LOOPBACK, Raw, { maxConnections: 9, requestQueueSize: 1 });

  // @ts-expect-error a handler of streams is none of datagrams
  new UDPServer(LOOPBACK, StreamRequestHandler);
  // @ts-expect-error nor the other way round
  new TCPServer(LOOPBACK, DatagramRequestHandler);
  // @ts-expect-error also with a mix-in
  new AsyncUDPServer(LOOPBACK, Raw);
  // @ts-expect-error a function is no class
  new TCPServer(LOOPBACK, () => {});
  // @ts-expect-error nor is an instance
  new TCPServer(LOOPBACK, {});
  // @ts-expect-error the port is missing
  new TCPServer(["localhost"], Raw);
  // @ts-expect-error the port is a number
  new TCPServer(["localhost", "80"], Raw);
  // @ts-expect-error there is no such option
  new TCPServer(LOOPBACK, Raw, { maxConnections: 3 });
  // @ts-expect-error nor such a policy
  new AsyncTCPServer(LOOPBACK, Raw, { maxConnectionsPolicy: "drop" });
  // @ts-expect-error a constructor of one's own keeps its parameters
  new AsyncFixed(LOOPBACK, Raw);
  // @ts-expect-error options of the base are checked through the mix-in
  new AsyncTCPServer(LOOPBACK, Raw, { requestQueueSize: "5" });
}

class WrongHooks extends TCPServer {
  // @ts-expect-error the error is the third
  override handleError(error: Error) {}
  // @ts-expect-error `override` is needed, so that a typo in a hook's name shows
  verifyRequest() {
    return true;
  }
  // @ts-expect-error and there is no such hook
  override verifyReqest() {
    return true;
  }
}

// @ts-expect-error a static field has a type
class WrongQueue extends TCPServer {
  static override requestQueueSize = "5";
}

// @ts-expect-error also one of the mix-in
class WrongLimits extends AsyncTCPServer {
  static override maxConnections = "2";
}

Deno.test("a server with state is typed in its handler", async () => {
  await serving(new Counter(LOOPBACK, Counting), async (server) => {
    assertEquals(await ask(server, "one\n"), "one\n");
    assertEquals(server.count, 1);
  });
});

class Counting extends StreamRequestHandler<Counter> {
  override async handle() {
    this.server.count++;
    await this.wfile.write(await this.rfile.readline());
  }
}

Deno.test("a server with a mix-in is typed in its handler", async () => {
  await serving(new Limited(LOOPBACK, LimitedHandler), async (server) => {
    assertEquals(await ask(server, ""), "hello 2");
  });
});

Deno.test("a mix-in over a constructor of one's own passes its arguments on", async () => {
  await using server = new AsyncOnPort(0, { requestQueueSize: 3 });
  assertEquals(server.requestQueueSize, 3);
  assertEquals(server.maxConnections, 1024);
  await using fixed = new AsyncFixed(0);
  assertEquals(fixed.maxConnections, 1024);
});
