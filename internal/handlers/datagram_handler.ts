/**
 * The handler of datagrams.
 *
 * @module
 */

import { joinBytes } from "../base/memory.ts";
import { BufferedReader } from "../files/buffered_reader.ts";
import { BufferedWriter } from "../files/buffered_writer.ts";
import type { Writer } from "../files/file_writer.ts";
import type { ByteSink, ByteSource } from "../files/raw_streams.ts";
import { handlerKinds, ownHandlers } from "../server/handler_class.ts";
import type { DatagramRequest } from "../stages/stages.ts";
import type {
  AnyHandlerServer,
  HandlerServer,
} from "../stages/handler_types.ts";
import type { Socket } from "../socket/socket_object.ts";
import { BaseRequestHandler } from "./base_handler.ts";
import { setBySetup } from "./handler_setup.ts";

/**
 * Handles a datagram through two files: `rfile` reads the datagram, and `wfile` collects the answer, one datagram, which
 * is sent when `handle` has ended. Nothing is sent if nothing was written, or if `handle` threw.
 *
 * @category Handlers
 * @typeParam S The server, if the handler needs more of the server than {@linkcode HandlerServer} has.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { AF_INET, AsyncUDPServer, DatagramRequestHandler, SOCK_DGRAM, Socket } from "@socketserver/socketserver";
 *
 * class Upper extends DatagramRequestHandler {
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * await using server = new AsyncUDPServer(["127.0.0.1", 0], Upper);
 * server.serveForever();
 *
 * using client = new Socket(AF_INET, SOCK_DGRAM);
 * await client.sendto(new TextEncoder().encode("hello"), server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO");
 * ```
 */
export class DatagramRequestHandler<
  S extends AnyHandlerServer = HandlerServer,
> extends BaseRequestHandler<DatagramRequest, S> {
  readonly #answer = new BytesSink();
  static {
    ownHandlers.add(this.prototype);
    setBySetup(this.prototype, ["packet", "socket"]);
    handlerKinds.set(this.prototype, {
      name: "DatagramRequestHandler",
      datagrams: true,
      instead: "StreamRequestHandler, or DualRequestHandler for both",
    });
  }

  #rfile: BufferedReader | undefined;
  #wfile: Writer | undefined;

  /** Sets `packet` and `socket`. May be extended; call super. */
  override setup(): void | Promise<void> {
    if (!Array.isArray(this.request)) {
      throw new TypeError(
        `Cannot handle a connection with ${this.constructor.name}: extend StreamRequestHandler, or DualRequestHandler for both`,
      );
    }
    [this.packet, this.socket] = this.request;
  }

  /** The datagram. */
  declare packet: Uint8Array<ArrayBuffer>;

  /** The server's socket. */
  declare socket: Socket;

  /** Reads the datagram. Created at first use, because the file costs more than the rest of the handler. */
  get rfile(): BufferedReader {
    return this.#rfile ??= new BufferedReader(new BytesSource(this.request[0]));
  }

  set rfile(file: BufferedReader) {
    this.#rfile = file;
  }

  /** Collects the answer. Created at first use. */
  get wfile(): Writer {
    return this.#wfile ??= new BufferedWriter(this.#answer);
  }

  set wfile(file: Writer) {
    this.#wfile = file;
  }

  /** Sends the answer, if `handle` wrote one. May be extended; call super. */
  override finish(): void | Promise<void> {
    const wfile = this.#wfile;
    if (wfile === undefined || this.failure !== undefined) return;
    return this.#send(wfile);
  }

  /** Sends the answer without a copy, or collected if the handler has called `flush`. */
  async #send(wfile: Writer): Promise<void> {
    const send = async (data: Uint8Array) => {
      await this.socket.sendto(data, this.clientAddress);
    };
    this.#answer.last = send;
    await wfile.flush();
    this.#answer.last = undefined;
    const answer = this.#answer.take();
    if (answer.length > 0) await send(answer);
  }
}

/** A source of bytes in memory. */
class BytesSource implements ByteSource {
  #rest: Uint8Array<ArrayBuffer>;

  /** @param bytes The bytes to read. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#rest = bytes;
  }

  recv(n: number): Promise<Uint8Array<ArrayBuffer>> {
    const part = this.#rest.slice(0, n);
    this.#rest = this.#rest.subarray(n);
    return Promise.resolve(part);
  }

  recvInto(buffer: Uint8Array): Promise<number> {
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return Promise.resolve(part.length);
  }
}

/** A sink that collects bytes in memory. */
class BytesSink implements ByteSink {
  #parts: Uint8Array[] = [];
  /**
   * Set when at most one write will follow. A write that is the only one goes to this function: collecting it in an
   * array costs 850 ns.
   */
  last: ((data: Uint8Array) => Promise<void>) | undefined;

  sendall(data: Uint8Array): Promise<void> {
    const { last } = this;
    if (last !== undefined && this.#parts.length === 0) {
      this.last = undefined;
      return last(data);
    }
    this.#parts.push(data.slice()); // the caller may reuse its memory
    return Promise.resolve();
  }

  /** Takes all bytes written since the last call, in one array. */
  take(): Uint8Array {
    const parts = this.#parts;
    this.#parts = [];
    return parts.length === 1 ? parts[0] : joinBytes(parts);
  }
}
