/**
 * What a child process does with requests.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { endRequest, Socket, stateOf } from "../socket/socket_object.ts";
import { OSError } from "../base/errors.ts";
import { runHandler } from "../server/steps.ts";
import { requestsOf } from "../server/request_registry.ts";
import { RelayDatagram, RelayStream } from "./child_transports.ts";
import { loadModule } from "../handoff/loading.ts";
import { toFailure } from "../handoff/failure.ts";
import { type HandlerClass, handlerIn } from "../handoff/handler_reference.ts";
import type { InitMessage, RequestMessage, ToChild } from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";
import { TakenStream } from "./received_stream.ts";

/** What handlers in a child process see as `this.server`. */
class ServerStandIn {
  /** The address of the server. */
  readonly serverAddress: Address;
  /** Those of the server's options that `childOptions` names. */
  readonly options: Readonly<Record<string, unknown>>;

  constructor({ serverAddress, options }: InitMessage) {
    this.serverAddress = serverAddress;
    this.options = options;
  }

  /** A signal for the handler of a request, which aborts when the server drains. */
  requestSignal(request: unknown): AbortSignal {
    return requestsOf(this).signal(request);
  }
}

/** What a child is once the server has told it what it needs. */
interface Post {
  readonly server: ServerStandIn;
  readonly Handler: HandlerClass;
}

/** Imports the module of the handler. */
export type Load = () => Promise<Record<string, unknown>>;

/** Takes requests from the server and runs the handler on them. */
export class ChildServer {
  readonly #link: ParentLink;
  readonly #load: Load;
  #post: Promise<Post> | undefined;

  /**
   * @param link The channel.
   * @param load Imports the module of the handler.
   */
  constructor(link: ParentLink, load: Load) {
    this.#link = link;
    this.#load = load;
  }

  /** Does what a message says. */
  hear(message: ToChild, socket?: NetSocket): void {
    switch (message.type) {
      case "init":
        return this.#init(message);
      case "request":
        return void this.#take(message, socket);
      case "result":
        return this.#link.settle(message);
      case "sync":
        return this.#link.synced();
      case "leave":
        return Deno.exit();
      case "drain":
        this.#post?.then(({ server }) => requestsOf(server).drain(), () => {});
    }
  }

  #init(message: InitMessage): void {
    this.#link.identify(message.token);
    const server = new ServerStandIn(message);
    const loaded = loadModule("in another process", this.#load);
    this.#post = loaded.then((module) => ({
      server,
      Handler: handlerIn(module, message.exportName, "in another process"),
    }));
    this.#post.then(
      () => this.#link.ready(),
      (error) => this.#link.ready(toFailure(error)),
    );
  }

  async #take(message: RequestMessage, socket?: NetSocket): Promise<void> {
    this.#link.begin(message.id, message.kind === "handle");
    const base = message.kind === "handle"
      ? takenSocket(message, socket)
      : this.#relayed(message);
    try {
      const post = await this.#post!;
      const begun = performance.now();
      await this.#run(post, message, base);
      this.#link.done(message.id, performance.now() - begun);
    } catch (error) {
      this.#link.failed(message.id, error);
    }
  }

  #relayed(message: RequestMessage): Socket {
    return Socket.from(
      message.kind === "relay"
        ? new RelayStream(this.#link, message)
        : new RelayDatagram(this.#link, message),
    );
  }

  /** Runs the handler; a connection is closed in the end, as the server would do it. */
  async #run(
    { server, Handler }: Post,
    message: RequestMessage,
    socket: Socket,
  ): Promise<void> {
    const { kind, client, packet } = message;
    const request = kind === "datagram" ? [packet, socket] : socket;
    const requests = requestsOf(server);
    const active = requests.begin(request, client);
    try {
      await runHandler(new Handler(request, client, server));
    } finally {
      if (kind !== "datagram") await endStream(socket);
      requests.end(active);
    }
  }
}

function takenSocket(message: RequestMessage, socket?: NetSocket): Socket {
  if (socket === undefined) return new Socket(); // the client was gone
  const { local, remote } = message;
  return Socket.from(new TakenStream(socket, local, remote));
}

async function endStream(socket: Socket): Promise<void> {
  if (!endsByClosing(socket)) await endWrite(socket);
  stateOf(socket).close(false);
}

/**
 * Whether closing ends the stream for the client as well as shutting it down first: all that was sent has left,
 * and nothing of the client's is unread, which would make it a reset. One system call less, and some of
 * `node:net`'s work: 3 % of the rate of connections that echo 64 bytes.
 */
function endsByClosing(socket: Socket): boolean {
  const stream = stateOf(socket).stream;
  return stream?.transport instanceof TakenStream && stream.transport.ended &&
    stream.writer.ready;
}

async function endWrite(socket: Socket): Promise<void> {
  try {
    await endRequest(socket);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
  }
}
