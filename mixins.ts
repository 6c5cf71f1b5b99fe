/**
 * Python's `socketserver` module, the mix-ins: how requests are run.
 *
 * @module
 */

import {
  concurrent,
  type ConcurrentServer,
  type MixInOptions,
  type ServerConstructor,
} from "./_server/concurrent.ts";
import {
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";

export type {
  ConcurrentServer,
  MixInOptions,
  MixInStatics,
  ServerConstructor,
} from "./_server/concurrent.ts";
export type { MaxConnectionsPolicy } from "./_server/requests.ts";

/**
 * A server's class with a mix-in: its statics, and a constructor that takes the options of both. A class
 * whose constructor has other parameters keeps them.
 *
 * @typeParam B The server's class.
 * @typeParam M What the mix-in adds.
 * @typeParam O The options that it adds, each of which is a static field too.
 */
export type MixedIn<
  B extends ServerConstructor,
  M,
  O extends MixInOptions = MixInOptions,
> =
  & Pick<B, keyof B>
  & Required<O>
  & {
    new (
      ...args: ConstructorParameters<B> extends [infer A, infer H, (infer P)?]
        ? [
          serverAddress: A,
          RequestHandlerClass: H,
          options?: P & O,
        ]
        : ConstructorParameters<B>
    ): InstanceType<B> & M;
  };

/** What {@linkcode AsyncMixIn} adds to a server. */
export interface AsyncMixIn extends ConcurrentServer {}

/**
 * Runs requests as tasks on the event loop, many at a time: the everyday choice.
 *
 * @typeParam B The server's class.
 * @param Base The server's class.
 * @returns A subclass of it.
 *
 * @example
 * ```ts
 * import { AsyncMixIn, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * class MyServer extends AsyncMixIn(TCPServer) {}
 *
 * await using server = new MyServer(["127.0.0.1", 0], Hello, { maxConnections: 100 });
 * ```
 */
export function AsyncMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, AsyncMixIn> {
  return concurrent(Base) as unknown as MixedIn<B, AsyncMixIn>;
}

/** {@linkcode TCPServer} that runs requests as tasks. */
export const AsyncTCPServer: MixedIn<typeof TCPServer, AsyncMixIn> = AsyncMixIn(
  TCPServer,
);
/** {@linkcode TCPServer} that runs requests as tasks. */
export type AsyncTCPServer = InstanceType<typeof AsyncTCPServer>;

/** {@linkcode UDPServer} that runs requests as tasks. */
export const AsyncUDPServer: MixedIn<typeof UDPServer, AsyncMixIn> = AsyncMixIn(
  UDPServer,
);
/** {@linkcode UDPServer} that runs requests as tasks. */
export type AsyncUDPServer = InstanceType<typeof AsyncUDPServer>;

/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export const AsyncUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixStreamServer,
);
/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export type AsyncUnixStreamServer = InstanceType<typeof AsyncUnixStreamServer>;

/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export const AsyncUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixDatagramServer,
);
/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export type AsyncUnixDatagramServer = InstanceType<
  typeof AsyncUnixDatagramServer
>;
