/**
 * What the tests of servers share: the kinds of server, clients for them, and a way to serve that ends.
 *
 * @module
 */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
} from "../../mixins.ts";
import {
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  type BaseServer,
  type RequestHandlerConstructor,
  type ServeForeverOptions,
  type ServerOptions,
  type SocketServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import {
  type Address,
  AF_INET6,
  AF_UNIX,
  hasDualstackIPv6,
  type InetAddress,
  OSError,
  SHUT_WR,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import { delay } from "../deps.ts";
import { haveUnix, unstableNet } from "./allowed.ts";
import { within } from "./within.ts";

/** Whether there is an IPv6 loopback. */
export const haveIPv6: boolean = hasDualstackIPv6();

/** A handler's answer, or a client's question, as text. */
export const text = (bytes: Uint8Array): string =>
  new TextDecoder().decode(bytes);
/** Text as bytes. */
export const bytes = (text: string): Uint8Array =>
  new TextEncoder().encode(text);

const directory = haveUnix
  ? Deno.makeTempDirSync({ prefix: "server_test" })
  : "";
if (haveUnix) {
  globalThis.addEventListener(
    "unload",
    () => Deno.removeSync(directory, { recursive: true }),
  );
}
let paths = 0;
/** A path that nothing has. */
export const newPath = (): string => `${directory}/${++paths}`;

/** What `getRequest` gives. */
export type Got = [request: unknown, clientAddress: Address];

/** Any server over a socket; concrete, so that a test can extend it. */
// deno-lint-ignore no-explicit-any
export type AnyServer = SocketServer<any> & {
  getRequest(): Got | Promise<Got>;
};
/** Its class. */
export type AnyServerClass = new (
  // deno-lint-ignore no-explicit-any
  address: any,
  handler: RequestHandlerConstructor,
  options?: ServerOptions,
) => AnyServer;

/** Answers with what it gets: a line, or a datagram. */
export class EchoLine extends StreamRequestHandler {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** Answers with what it gets: a datagram. */
export class EchoDatagram extends DatagramRequestHandler {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** A kind of server, and how to talk with it. */
export interface Kind {
  /** For the name of the test. */
  name: string;
  /** The class. */
  Server: AnyServerClass;
  /** A handler that echoes. */
  Echo: RequestHandlerConstructor;
  /** The base of its handlers. */
  Handler: RequestHandlerConstructor;
  /** An address to bind to. */
  address: () => Address;
  /** Options for the constructor. */
  options: ServerOptions;
  /** Whether it cannot run here. */
  ignore: boolean;
}

/** Binds to a free port of the loopback. */
export const LOOPBACK: InetAddress = ["127.0.0.1", 0];

const stream = { Echo: EchoLine, Handler: StreamRequestHandler };
const datagram = { Echo: EchoDatagram, Handler: DatagramRequestHandler };
const inet = { address: () => LOOPBACK, options: {}, ignore: false };
const inet6 = {
  address: (): Address => ["::1", 0],
  options: { addressFamily: AF_INET6 },
  ignore: !haveIPv6,
};
const unix = { address: newPath, options: {}, ignore: !haveUnix };
const unixpacket = { ...unix, ignore: !haveUnix || !unstableNet };

/** Every ready-made server, over every family that it has. */
export const KINDS: Kind[] = [
  { name: "TCPServer", Server: TCPServer, ...stream, ...inet },
  { name: "TCPServer (IPv6)", Server: TCPServer, ...stream, ...inet6 },
  { name: "AsyncTCPServer", Server: AsyncTCPServer, ...stream, ...inet },
  { name: "UDPServer", Server: UDPServer, ...datagram, ...inet },
  { name: "UDPServer (IPv6)", Server: UDPServer, ...datagram, ...inet6 },
  { name: "AsyncUDPServer", Server: AsyncUDPServer, ...datagram, ...inet },
  { name: "UnixStreamServer", Server: UnixStreamServer, ...stream, ...unix },
  {
    name: "AsyncUnixStreamServer",
    Server: AsyncUnixStreamServer,
    ...stream,
    ...unix,
  },
  {
    name: "UnixDatagramServer",
    Server: UnixDatagramServer,
    ...datagram,
    ...unixpacket,
  },
  {
    name: "AsyncUnixDatagramServer",
    Server: AsyncUnixDatagramServer,
    ...datagram,
    ...unixpacket,
  },
];

/** A socket that is connected to a server, or points at it. */
export async function connectTo(
  server: { serverAddress: Address; addressFamily: number; socketType: number },
): Promise<Socket> {
  const { serverAddress, addressFamily, socketType } = server;
  const socket = new Socket(addressFamily, socketType);
  socket.settimeout(50); // the first worker of a run has its types checked, on a busy machine
  if (addressFamily === AF_UNIX && socketType === SOCK_DGRAM) {
    socket.bind(newPath());
  }
  try {
    await socket.connect(serverAddress);
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

/** Sends a line, or a datagram, and resolves to the answer: all of the stream, or a datagram. */
export async function ask(
  server: Parameters<typeof connectTo>[0],
  question: string,
): Promise<string> {
  using socket = await connectTo(server);
  await socket.sendall(bytes(question));
  if (socket.type === SOCK_DGRAM) return text(await socket.recv(65536));
  await socket.shutdown(SHUT_WR);
  using file = socket.makefile("rb");
  return text(await file.read());
}

/** Sends a line, or a datagram, and does not care for an answer, nor whether the server wanted it. */
export async function tell(
  server: Parameters<typeof connectTo>[0],
  news: string,
): Promise<void> {
  using socket = await connectTo(server);
  try {
    await socket.sendall(bytes(news));
    if (socket.type === SOCK_DGRAM) return;
    await socket.shutdown(SHUT_WR);
    await socket.recv(1); // waits for the server's end
  } catch (error) {
    if (!(error instanceof OSError)) throw error;
  }
}

/** Serves while `use` runs, then ends the server, and fails with what `serveForever` ended with. */
// deno-lint-ignore no-explicit-any
export async function serving<S extends BaseServer<any>>(
  server: S,
  use: (server: S) => Promise<void>,
  options?: ServeForeverOptions,
): Promise<void> {
  const served = server.serveForever(options);
  served.catch(() => {}); // awaited below
  try {
    await within(use(server), 60_000); // which has waits of its own
    await within(server.shutdown());
  } finally {
    await within(server.serverClose({ timeout: 5 }));
  }
  await within(served);
}

/** A promise, and the means to settle it: what a test waits for. */
export class Event<T = void> {
  readonly #settled = Promise.withResolvers<T>();
  /** Whether it came. */
  isSet = false;

  /** It comes. */
  set(value: T): void {
    this.isSet = true;
    this.#settled.resolve(value);
  }

  /** Resolves when it comes; fails when it takes too long. */
  wait(): Promise<T> {
    return within(this.#settled.promise);
  }
}

/** The turns of the event loop in which {@linkcode until} looks each time; enough for what is in memory. Arbitrary. */
const QUICK_TURNS = 100;

/** Waits until something holds: looks turn by turn of the event loop at first, and then each few milliseconds. */
export async function until(holds: () => boolean, ms = 30_000): Promise<void> {
  const due = performance.now() + ms;
  for (let turns = 0; !holds(); turns++) {
    if (performance.now() > due) throw new Error(`not after ${ms} ms`);
    await delay(turns < QUICK_TURNS ? 0 : 5);
  }
}

/** Collects what is printed to stderr, instead of printing it, until it is disposed of. */
export class Stderr implements Disposable {
  /** What was printed, a text for each call. */
  readonly texts: string[] = [];
  readonly #original = console.error;

  constructor() {
    console.error = (...args: unknown[]) => {
      this.texts.push(args.map(String).join(" "));
    };
  }

  [Symbol.dispose](): void {
    console.error = this.#original;
  }
}
