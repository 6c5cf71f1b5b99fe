// deno-lint-ignore-file no-unused-vars
/**
 * The types, as a user meets them: natural code is to pass the type check, wrong code is not. What is
 * marked `@ts-expect-error` is checked as well: without an error there, the check fails.
 */

import {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixStreamServer,
  BaseRequestHandler,
  DatagramRequestHandler,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixStreamServer,
  inheritedSocket,
  StreamRequestHandler,
  TCPServer,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../mod.ts";
import type {
  Address,
  BaseServer,
  DatagramRequest,
  HandlerServer,
  InetAddress,
  RequestHandlerConstructor,
  ServerCloseReport,
  ServerConstructor,
  ServerOptions,
  Socket,
} from "../../mod.ts";
import { PROTOCOL_TLS_SERVER, SSLContext } from "../../ssl.ts";
import { assertEquals } from "../deps.ts";
import { ask } from "../helpers/clients.ts";
import { LOOPBACK, serving } from "../helpers/servers.ts";

/** Accepts an address of TCP or UDP only. */
function isInet(_address: InetAddress): void {}

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
  override async getRequest(): Promise<[Socket, InetAddress]> {
    const [request, clientAddress] = await super.getRequest();
    return [request, clientAddress];
  }
  override verifyRequest(request: Socket, clientAddress: InetAddress): boolean {
    return clientAddress[0] === "127.0.0.1" && request.fileno() > 0;
  }
  override async processRequest(request: Socket, clientAddress: InetAddress) {
    await super.processRequest(request, clientAddress);
  }
  override async finishRequest(request: Socket, clientAddress: InetAddress) {
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
  override handleError(request: Socket, from: InetAddress, error: unknown) {
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
  override async processRequestTask(request: Socket, from: InetAddress) {
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
  const path = new UnixStreamServer("/tmp/socket", Raw);
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

/** The addresses of TCP and UDP, in the server, its hooks and its handlers. */
class Inet extends AsyncMixIn(TCPServer) {
  override serverBind() {
    super.serverBind();
    const [host, port] = this.serverAddress;
    isInet([host, port]);
    isInet(this.socket.getsockname());
  }
  override async getRequest() {
    const [request, clientAddress] = await this.socket.accept();
    isInet(clientAddress);
    return super.getRequest() ?? [request, clientAddress];
  }
  override verifyRequest(_request: Socket, [host, port]: InetAddress) {
    isInet([host, port]);
    return true;
  }
  override processRequest(request: Socket, clientAddress: InetAddress) {
    return super.processRequest(request, clientAddress);
  }
  override finishRequest(request: Socket, clientAddress: InetAddress) {
    return super.finishRequest(request, clientAddress);
  }
  override handleError(_request: Socket, [host]: InetAddress, _error: unknown) {
    isInet([host, 0]);
  }
}

class InetDatagrams extends UDPServer {
  override verifyRequest(_: DatagramRequest, [host, port]: InetAddress) {
    isInet([host, port]);
    return true;
  }
}

class Unix extends UnixStreamServer {
  override verifyRequest(_request: Socket, clientAddress: string) {
    return clientAddress.startsWith("/") && this.serverAddress.startsWith("/");
  }
}

/** A handler that names nothing: what all four ways have. */
class Portable extends StreamRequestHandler {
  override async handle() {
    const { server, request } = this;
    isInet(this.clientAddress);
    isInet(server.serverAddress);
    const signal: AbortSignal = server.requestSignal(request);
    const shared: unknown = server.shared;
    const greeting: unknown = server.options.greeting;
    await server.shutdown();
    await server.shutdownRequest(request);
    await server.closeRequest(request);
    // @ts-expect-error a stand-in has no socket
    server.socket;
    // @ts-expect-error nor does it close the server
    server.serverClose();
    // @ts-expect-error nor has it a status
    server.status;
  }
}

class PortableDatagram extends DatagramRequestHandler {
  override handle() {
    isInet(this.clientAddress);
    // @ts-expect-error a stand-in has no socket
    this.server.socket;
  }
}

class OnUnix extends StreamRequestHandler<UnixStreamServer> {
  override handle() {
    const path: string = this.clientAddress;
    const own: string = this.server.serverAddress;
    // @ts-expect-error a path is no pair
    const [host, port]: [string, number] = this.clientAddress;
  }
}

class OnUnixAnywhere extends StreamRequestHandler<HandlerServer<string>> {
  override handle() {
    const path: string = this.clientAddress;
  }
}

class OnBoth extends StreamRequestHandler<HandlerServer<Address>> {
  override handle() {
    const from: Address = this.clientAddress;
    // @ts-expect-error it may be a path
    isInet(this.clientAddress);
  }
}

/** Options of one's own, and memory, named by the handler. */
class Greets extends StreamRequestHandler<
  HandlerServer<InetAddress, Int32Array, { greeting: string }>
> {
  override handle() {
    const greeting: string = this.server.options.greeting;
    this.server.shared[0]++;
    // @ts-expect-error no such option
    this.server.options.greetign;
  }
}

/** A server with options of its own. */
interface ChatOptions extends ServerOptions {
  motd?: string;
}
class Chat extends AsyncTCPServer {
  declare readonly options: Readonly<ChatOptions>;
  readonly rooms = new Map<string, Set<string>>();

  constructor(
    address: InetAddress,
    Handler: RequestHandlerConstructor<Socket, InetAddress, Chat>,
    options?: ChatOptions,
  ) {
    super(address, Handler, options);
  }
}
class ChatHandler extends StreamRequestHandler<Chat> {
  override handle() {
    const motd: string | undefined = this.server.options.motd;
    this.server.rooms.clear();
  }
}
class LoudChat extends AsyncMixIn(Chat) {}

/** A mix-in over a generic base names the type argument. */
class Timed<T> extends TCPServer {
  times: T[] = [];
}
class TimedNumbers extends AsyncMixIn(Timed<number>) {}

/** A mix-in of one's own keeps the parameters and the members of its base. */
function CountingMixIn<B extends ServerConstructor>(Base: B) {
  return class extends Base {
    count = 0;
  };
}
class CountingServer extends CountingMixIn(AsyncTCPServer) {}

/** The connection over TLS takes the place of the plain one. */
class OverTLS extends StreamRequestHandler {
  override async setup() {
    const context = new SSLContext(PROTOCOL_TLS_SERVER);
    this.request = await context.wrapSocket(this.request, { serverSide: true });
    await super.setup();
  }
}

/** Never runs: only its types count. */
function addresses(): void {
  const shared = new Int32Array(1);
  new TCPServer(LOOPBACK, Portable);
  new AsyncTCPServer(LOOPBACK, Portable);
  new ThreadingTCPServer(LOOPBACK, Portable);
  new ForkingTCPServer(LOOPBACK, Portable);
  new UDPServer(LOOPBACK, PortableDatagram);
  new AsyncUDPServer(LOOPBACK, PortableDatagram);
  new UnixStreamServer("/tmp/socket", Portable);
  new UnixStreamServer("/tmp/socket", OnUnix);
  new AsyncUnixStreamServer("/tmp/socket", OnUnix);
  new ThreadingUnixStreamServer("/tmp/socket", OnUnixAnywhere);
  new ForkingUnixStreamServer("/tmp/socket", OnUnixAnywhere);
  for (const Server of [TCPServer, AsyncTCPServer]) {
    new Server(LOOPBACK, OnBoth);
  }
  new UnixStreamServer("/tmp/socket", OnBoth);
  new AsyncTCPServer(LOOPBACK, Greets, { shared, greeting: "hi" });
  new ThreadingTCPServer(LOOPBACK, Greets, { shared, greeting: "hi" });
  new Chat(LOOPBACK, ChatHandler, { motd: "hi", requestQueueSize: 5 });
  new LoudChat(LOOPBACK, ChatHandler, { motd: "hi", maxConnections: 5 });
  new TimedNumbers(LOOPBACK, Raw, { maxConnections: 1 }).times.push(1);
  new CountingServer(LOOPBACK, Portable, { maxConnections: 1 }).count++;
  const given = inheritedSocket();
  new TCPServer(given ?? ["localhost", 80], Portable);
  new AsyncTCPServer(given ?? LOOPBACK, Greets, { shared, greeting: "hi" });
  new ThreadingUnixStreamServer(given ?? "/tmp/socket", OnUnixAnywhere);
  new ForkingUDPServer(given ?? LOOPBACK, PortableDatagram);

  // @ts-expect-error a program may have got no socket
  new TCPServer(given, Portable);
  // @ts-expect-error the options are checked on a given socket too
  new AsyncTCPServer(given ?? LOOPBACK, Greets, { shared, greeting: 1 });
  // @ts-expect-error and so are the handlers
  new ThreadingTCPServer(given ?? LOOPBACK, CountingHandler);
  // @ts-expect-error a path is no address of TCP
  new TCPServer("/tmp/socket", Raw);
  // @ts-expect-error nor of a mixed-in class
  new AsyncTCPServer("/tmp/socket", Raw);
  // @ts-expect-error nor of UDP
  new UDPServer("/tmp/socket", RawDatagram);
  // @ts-expect-error nor in a worker
  new ThreadingTCPServer("/tmp/socket", Raw);
  // @ts-expect-error nor in a child
  new ForkingUDPServer("/tmp/socket", PortableDatagram);
  // @ts-expect-error a pair is no path
  new UnixStreamServer(["localhost", 80], Raw);
  // @ts-expect-error nor for a mixed-in class
  new AsyncUnixStreamServer(["localhost", 80], Raw);
  // @ts-expect-error nor for datagrams
  new UnixDatagramServer(["localhost", 80], PortableDatagram);
  // @ts-expect-error a handler of Unix sockets has paths
  new TCPServer(LOOPBACK, OnUnix);
  // @ts-expect-error also with a mix-in
  new AsyncTCPServer(LOOPBACK, OnUnix);
  // @ts-expect-error the handler needs a Counter
  new TCPServer(LOOPBACK, CountingHandler);
  // @ts-expect-error a mix-in makes it none
  new AsyncTCPServer(LOOPBACK, CountingHandler);
  // @ts-expect-error nor does another class
  new UnixStreamServer("/tmp/socket", CountingHandler);
  // @ts-expect-error the handler needs a Chat
  new AsyncTCPServer(LOOPBACK, ChatHandler);
  // @ts-expect-error and a Chat needs handlers of a Chat or of all servers
  new Chat(LOOPBACK, CountingHandler);
  // @ts-expect-error also with another mix-in
  new LoudChat(LOOPBACK, CountingHandler);
  // @ts-expect-error a worker has a stand-in, and no Counter
  new ThreadingTCPServer(LOOPBACK, CountingHandler);
  // @ts-expect-error nor has a child
  new ForkingTCPServer(LOOPBACK, CountingHandler);
  // @ts-expect-error also of a class of one's own: its members stay in the main thread
  new OwnThreading(LOOPBACK, OfOwnThreading);
  // @ts-expect-error the type argument of a generic base holds
  new TimedNumbers(LOOPBACK, Raw).times.push("1");
  // @ts-expect-error a mix-in of one's own keeps the address
  new CountingServer("/tmp/socket", Portable);
  // @ts-expect-error an option of one's own has a type
  new AsyncTCPServer(LOOPBACK, Greets, { shared, greeting: 1 });
  // @ts-expect-error and so has the memory
  new AsyncTCPServer(LOOPBACK, Greets, { shared: "memory", greeting: "hi" });
  // @ts-expect-error nor may one be missing
  new TCPServer(LOOPBACK, Greets, { shared });
  // @ts-expect-error a class of one's own says which options it takes
  new Chat(LOOPBACK, ChatHandler, { mtod: "hi" });
}

class OwnThreading extends ThreadingTCPServer {
  count = 0;
}
class OfOwnThreading extends StreamRequestHandler<OwnThreading> {}

/** The settings that the constructor uses are no fields of an instance, which would be set after it. */
class LateQueue extends TCPServer {
  // @ts-expect-error set as the constructor has bound
  override requestQueueSize = 5;
}
class LateFamily extends AsyncTCPServer {
  // @ts-expect-error also with a mix-in
  override addressFamily = 10;
}
class LateReuse extends AsyncMixIn(TCPServer) {
  // @ts-expect-error of any kind
  override allowReuseAddress = true;
}
class LateMode extends UnixStreamServer {
  // @ts-expect-error for a path too
  override pathMode = 0o600;
}
class LateType extends UDPServer {
  // @ts-expect-error and for datagrams
  override socketType = 1;
}

class WrongAddresses extends TCPServer {
  // @ts-expect-error an address of TCP is no path
  override verifyRequest(_request: Socket, clientAddress: string) {
    return clientAddress === "";
  }
  // @ts-expect-error a path is none either
  override getRequest(): Promise<[Socket, string]> {
    return Promise.reject();
  }
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

Deno.test("the options of a server are those given, or else the static fields of its class", async () => {
  class Own extends AsyncTCPServer {
    static greeting = "hello";
    static farewell = "bye";
    static override maxConnections = 7;
  }
  const options: object = { farewell: "adieu", timeout: undefined, shared: 1 };
  await using server = new Own(LOOPBACK, Raw, options);
  const { greeting, farewell, maxConnections, timeout, shared } =
    server.options;
  assertEquals(greeting, "hello", "greeting");
  assertEquals(farewell, "adieu", "farewell");
  assertEquals(maxConnections, 7, "maxConnections");
  assertEquals(timeout, null, "timeout");
  assertEquals(shared, undefined, "shared");
  assertEquals(server.shared, 1);
});
