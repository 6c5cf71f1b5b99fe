/**
 * Python's `socketserver` module, the handlers: one object for each request.
 *
 * @module
 */

import "./internal/runtime/deno_version.ts"; // first, so that an older Deno meets nothing else

import { handlerKinds } from "./internal/server/handler_kinds.ts";
import { BytesSink, BytesSource } from "./internal/files/memory_files.ts";
import { BufferedReader } from "./internal/files/buffered_reader.ts";
import {
  BufferedWriter,
  type Writer,
} from "./internal/files/buffered_writer.ts";
import type {
  DatagramRequest,
  HandlerServer,
  ServerStages,
  WorkerServer,
} from "./internal/server/stages.ts";
import {
  type Address,
  IPPROTO_TCP,
  OSError,
  Socket,
  TCP_NODELAY,
} from "./socket.ts";
import type { BlockingReader } from "./internal/blocking/blocking_reader.ts";
import type { BlockingSocket } from "./internal/blocking/blocking_socket.ts";
import type { BlockingWriter } from "./internal/blocking/blocking_writer.ts";

export type {
  DatagramRequest,
  HandlerServer,
  ServerStages,
  WorkerServer,
} from "./internal/server/stages.ts";
export { BufferedReader } from "./internal/files/buffered_reader.ts";
export type { Writer } from "./internal/files/buffered_writer.ts";

/** Returns what `setup` sets, or throws what to do where an override of it has not called `super.setup()`. */
function fromSetup<T>(value: T | undefined, of: object, name: string): T {
  if (value !== undefined) return value;
  throw new TypeError(
    `Cannot use ${name} of ${of.constructor.name}: its setup() must call super.setup() first, and await it`,
  );
}

/** Throws what to extend where the request of a handler for connections is a datagram. */
function checkConnection(handler: { request: unknown }, cure: string): void {
  if (!Array.isArray(handler.request)) return;
  throw new TypeError(
    `Cannot handle a datagram with ${handler.constructor.name}: extend ${cure}`,
  );
}

/**
 * Handles a request: `setup`, then `handle`, then `finish`, which is called whether `handle` threw or
 * not, but not when `setup` threw. A subclass overrides `handle`. Where the handler is run says the
 * server: one at a time, as a task, in a worker, in a process.
 *
 * @typeParam R What a request is: a connected socket, for TCP.
 * @typeParam S The server's class.
 *
 * @example
 * ```ts
 * import { BaseRequestHandler } from "@socketserver/socketserver";
 *
 * class Echo extends BaseRequestHandler {
 *   override async handle() {
 *     const data = await this.request.recv(1024);
 *     await this.request.sendall(data);
 *   }
 * }
 * ```
 */
export class BaseRequestHandler<
  R = Socket,
  S extends HandlerServer = ServerStages,
> {
  /** The request: a connected socket, or a datagram and the socket to answer on. */
  readonly request: R;
  /** The client's address. */
  readonly clientAddress: Address;
  /** The server. */
  readonly server: S;
  /** What `handle` threw; for a `finish` to know. */
  failure: unknown = undefined;

  /**
   * Keeps what it is given; the work begins with `setup`.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @param server The server.
   */
  constructor(request: R, clientAddress: Address, server: S) {
    this.request = request;
    this.clientAddress = clientAddress;
    this.server = server;
  }

  /** Aborts when the server drains: time to end. */
  get signal(): AbortSignal {
    return this.server.requestSignal(this.request);
  }

  /** Called before `handle`. May be extended; call super. */
  setup(): void | Promise<void> {}

  /** The work on the request. May be overridden. */
  handle(): void | Promise<void> {}

  /** Called after `handle`. May be extended; call super. */
  finish(): void | Promise<void> {}
}

/**
 * Handles a connection as two files: `rfile` to read, `wfile` to write.
 *
 * @typeParam S The server's class.
 *
 * @example
 * ```ts
 * import { StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class EchoLines extends StreamRequestHandler {
 *   override timeout = 30;
 *
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 * ```
 */
export class StreamRequestHandler<S extends HandlerServer = ServerStages>
  extends BaseRequestHandler<Socket, S> {
  /** Bytes of the read buffer: -1 is the default size, 0 no buffer. */
  rbufsize: number = -1;
  /** The longest line that `rfile` reads, in bytes; a longer one is a `LimitOverrunError`. */
  lineLimit = 65536;
  /**
   * Bytes of the write buffer: -1 is the default size, 0 no buffer. What is in it is sent when it is full, when
   * `rfile` has to wait, at `flush`, and at the end.
   *
   * Without a buffer a write is sent at once, unless `rfile` has more already: then small writes, up to 8 KiB,
   * are held until `rfile` has no more, or the handler waits for anything else, or for 5 ms, so that the answers
   * to requests that came together leave together. Whatever else is sent on `connection` is sent after them.
   * That a write which was held has failed is thrown by the next, or by `flush`.
   */
  wbufsize = 0;
  /** Seconds that each read and write may take; null is no limit. */
  timeout: number | null = null;
  /** Whether to send small packets at once (TCP_NODELAY). */
  disableNagleAlgorithm = false;

  static {
    handlerKinds.set(this.prototype, {
      name: "StreamRequestHandler",
      datagrams: false,
      instead: "DatagramRequestHandler, or DualRequestHandler for both",
    });
  }

  #connection: Socket | undefined;
  #rfile: BufferedReader | undefined;
  #wfile: Writer | undefined;

  /** The connection: the request. */
  get connection(): Socket {
    return fromSetup(this.#connection, this, "connection");
  }

  set connection(connection: Socket) {
    this.#connection = connection;
  }

  /** Reads from the client. */
  get rfile(): BufferedReader {
    return fromSetup(this.#rfile, this, "rfile");
  }

  set rfile(file: BufferedReader) {
    this.#rfile = file;
  }

  /** Writes to the client, as `wbufsize` says. A write that nobody awaits still arrives, in order. */
  get wfile(): Writer {
    return fromSetup(this.#wfile, this, "wfile");
  }

  set wfile(file: Writer) {
    this.#wfile = file;
  }

  /** Sets timeout and options, and opens the files. May be extended; call super. */
  override setup(): void | Promise<void> {
    checkConnection(
      this,
      "DatagramRequestHandler, or DualRequestHandler for both",
    );
    const connection = this.connection = this.request;
    if (this.timeout !== null) connection.settimeout(this.timeout);
    if (this.disableNagleAlgorithm) {
      connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
    }
    this.wfile = connection.makefile("wb", { buffering: this.wbufsize });
    this.rfile = connection.makefile("rb", {
      buffering: this.rbufsize,
      lineLimit: this.lineLimit,
      tie: this.wfile,
    });
  }

  /** Flushes and closes the files. May be extended; call super. */
  override async finish(): Promise<void> {
    if (this.#wfile === undefined && this.failure !== undefined) return; // setup was not called, as `handle` knows
    try {
      await this.wfile.close();
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone; who awaited the write knows
    } finally {
      this.#rfile?.close();
    }
  }
}

/**
 * Handles a datagram as two files: `rfile` reads it, and what is written to `wfile` is the answer, one
 * datagram, sent when `handle` has ended. Nothing is sent when nothing was written, or
 * when `handle` threw.
 *
 * @typeParam S The server's class.
 */
export class DatagramRequestHandler<S extends HandlerServer = ServerStages>
  extends BaseRequestHandler<DatagramRequest, S> {
  readonly #answer = new BytesSink();
  static {
    handlerKinds.set(this.prototype, {
      name: "DatagramRequestHandler",
      datagrams: true,
      instead: "StreamRequestHandler, or DualRequestHandler for both",
    });
  }

  #packet: Uint8Array<ArrayBuffer> | undefined;
  #socket: Socket | undefined;
  #rfile: BufferedReader | undefined;
  #wfile: Writer | undefined;

  /** Takes the request apart. May be extended; call super. */
  override setup(): void | Promise<void> {
    if (!Array.isArray(this.request)) {
      throw new TypeError(
        `Cannot handle a connection with ${this.constructor.name}: extend StreamRequestHandler, or DualRequestHandler for both`,
      );
    }
    [this.packet, this.socket] = this.request;
  }

  /** The datagram. */
  get packet(): Uint8Array<ArrayBuffer> {
    return fromSetup(this.#packet, this, "packet");
  }

  set packet(packet: Uint8Array<ArrayBuffer>) {
    this.#packet = packet;
  }

  /** The server's socket. */
  get socket(): Socket {
    return fromSetup(this.#socket, this, "socket");
  }

  set socket(socket: Socket) {
    this.#socket = socket;
  }

  /** Reads the datagram. Made when it is used first, for it would cost more than all else here. */
  get rfile(): BufferedReader {
    return this.#rfile ??= new BufferedReader(new BytesSource(this.request[0]));
  }

  set rfile(file: BufferedReader) {
    this.#rfile = file;
  }

  /** Collects the answer. Made when it is used first. */
  get wfile(): Writer {
    return this.#wfile ??= new BufferedWriter(this.#answer);
  }

  set wfile(file: Writer) {
    this.#wfile = file;
  }

  /** Sends the answer, if there is one. May be extended; call super. */
  override finish(): void | Promise<void> {
    const wfile = this.#wfile;
    if (wfile === undefined || this.failure !== undefined) return;
    return this.#send(wfile);
  }

  /** Sends what is in the buffer from where it is, or, where the handler has flushed before, all together. */
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

/**
 * Handles a connection or a datagram, whichever its server has: for protocols that are spoken over both.
 * It is {@linkcode StreamRequestHandler} on a connection and {@linkcode DatagramRequestHandler} on a
 * datagram; `packet` tells which.
 *
 * @typeParam S The server's class.
 *
 * @example
 * ```ts
 * import { AsyncTCPServer, AsyncUDPServer, DualRequestHandler } from "@socketserver/socketserver";
 *
 * class Echo extends DualRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * await using tcp = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * await using udp = new AsyncUDPServer(tcp.serverAddress, Echo);
 * ```
 */
export class DualRequestHandler<S extends HandlerServer = ServerStages>
  extends BaseRequestHandler<Socket | DatagramRequest, S> {
  /** Bytes of the read buffer of a connection: -1 is the default size, 0 no buffer. */
  rbufsize: number = -1;
  /** The longest line that `rfile` reads of a connection, in bytes; a longer one is a `LimitOverrunError`. */
  lineLimit = 65536;
  /** Bytes of the write buffer of a connection, as {@linkcode StreamRequestHandler.wbufsize}. */
  wbufsize = 0;
  /** Seconds that each read and write of a connection may take; null is no limit. */
  timeout: number | null = null;
  /** Whether a connection sends small packets at once (TCP_NODELAY). */
  disableNagleAlgorithm = false;

  /** The datagram; undefined on a connection. */
  packet: Uint8Array<ArrayBuffer> | undefined;
  #files: StreamRequestHandler<S> | DatagramRequestHandler<S> | undefined;
  #socket: Socket | undefined;
  #rfile: BufferedReader | undefined;
  #wfile: Writer | undefined;

  /** The connection, or the server's socket. */
  get socket(): Socket {
    return fromSetup(this.#socket, this, "socket");
  }

  set socket(socket: Socket) {
    this.#socket = socket;
  }

  /** Reads from the client: all that it sends, or the datagram. */
  get rfile(): BufferedReader {
    return fromSetup(this.#rfile, this, "rfile");
  }

  set rfile(file: BufferedReader) {
    this.#rfile = file;
  }

  /** Writes to the client; collects the answer to a datagram. */
  get wfile(): Writer {
    return fromSetup(this.#wfile, this, "wfile");
  }

  set wfile(file: Writer) {
    this.#wfile = file;
  }

  /** Opens the files. May be extended; call super. */
  override async setup(): Promise<void> {
    const files = this.#files = this.#open();
    await files.setup();
    if (files instanceof DatagramRequestHandler) {
      this.packet = files.packet;
      this.socket = files.socket;
    } else this.socket = files.connection;
    this.rfile = files.rfile;
    this.wfile = files.wfile;
  }

  #open(): StreamRequestHandler<S> | DatagramRequestHandler<S> {
    const { request, clientAddress, server } = this;
    if (Array.isArray(request)) {
      return new DatagramRequestHandler(request, clientAddress, server);
    }
    const { rbufsize, lineLimit, wbufsize } = this;
    const { timeout, disableNagleAlgorithm } = this;
    return Object.assign(
      new StreamRequestHandler(request, clientAddress, server),
      { rbufsize, lineLimit, wbufsize, timeout, disableNagleAlgorithm },
    );
  }

  /** Ends the files, as the handlers for the one and the other do. May be extended; call super. */
  override async finish(): Promise<void> {
    if (this.#files === undefined && this.failure !== undefined) return; // setup was not called, as `handle` knows
    const files = fromSetup(this.#files, this, "the files");
    files.failure = this.failure;
    await files.finish();
  }
}

/**
 * Handles a request in a worker of its own, which it may block: `handle` needs no `await`, and the methods
 * of `this.request` return values. For {@linkcode ThreadingMixIn} only.
 *
 * @typeParam R What a request is: a {@linkcode BlockingSocket}, or for datagrams
 *   `[packet: Uint8Array, socket: BlockingSocket]`.
 * @typeParam S The server's class, as the worker knows it.
 *
 * @example
 * ```ts
 * import { BlockingRequestHandler } from "@socketserver/socketserver";
 *
 * export class Echo extends BlockingRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     const data = this.request.recv(1024);
 *     this.request.sendall(data);
 *   }
 * }
 * ```
 */
export class BlockingRequestHandler<
  R = BlockingSocket,
  S extends HandlerServer = WorkerServer,
> extends BaseRequestHandler<R, S> {
  /** Asks for a worker that may be blocked. */
  static readonly blocking: boolean = true;

  /** Called before `handle`. May be extended; call super. */
  override setup(): void {
    const request: unknown = this.request;
    if (!((Array.isArray(request) ? request[1] : request) instanceof Socket)) {
      return;
    }
    throw new TypeError(
      `Cannot run ${this.constructor.name}: a blocking handler needs a server with ThreadingMixIn`,
    );
  }

  /** The work on the request. May be overridden. */
  override handle(): void {}

  /** Called after `handle`. May be extended; call super. */
  override finish(): void {}
}

/**
 * {@linkcode StreamRequestHandler} for a worker that may be blocked: the methods of `rfile` and `wfile` return
 * values. For {@linkcode ThreadingMixIn} only.
 *
 * @typeParam S The server's class, as the worker knows it.
 *
 * @example
 * ```ts
 * import { BlockingStreamRequestHandler } from "@socketserver/socketserver";
 *
 * export class EchoLines extends BlockingStreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     for (const line of this.rfile) this.wfile.write(line);
 *   }
 * }
 * ```
 */
export class BlockingStreamRequestHandler<
  S extends HandlerServer = WorkerServer,
> extends BlockingRequestHandler<BlockingSocket, S> {
  /** Bytes of the read buffer: -1 is the default size, 0 no buffer. */
  rbufsize: number = -1;
  /** The longest line that `rfile` reads, in bytes; a longer one is a `LimitOverrunError`. */
  lineLimit = 65536;
  /**
   * Bytes of the write buffer: 0 writes at once, -1 is the default size. It is sent when it is full, when `rfile`
   * has to wait, at `flush`, and at the end. Without a buffer nothing is held, unlike in
   * {@linkcode StreamRequestHandler}: while a thread blocks, nobody could send it.
   */
  wbufsize = 0;
  /** Seconds that each read and write may take; null is no limit. */
  timeout: number | null = null;
  /** Whether to send small packets at once (TCP_NODELAY). */
  disableNagleAlgorithm = false;

  static {
    handlerKinds.set(this.prototype, {
      name: "BlockingStreamRequestHandler",
      datagrams: false,
      instead: "BlockingRequestHandler",
    });
  }

  #connection: BlockingSocket | undefined;
  #rfile: BlockingReader | undefined;
  #wfile: BlockingWriter | undefined;

  /** The connection: the request. */
  get connection(): BlockingSocket {
    return fromSetup(this.#connection, this, "connection");
  }

  set connection(connection: BlockingSocket) {
    this.#connection = connection;
  }

  /** Reads from the client. */
  get rfile(): BlockingReader {
    return fromSetup(this.#rfile, this, "rfile");
  }

  set rfile(file: BlockingReader) {
    this.#rfile = file;
  }

  /** Writes to the client. */
  get wfile(): BlockingWriter {
    return fromSetup(this.#wfile, this, "wfile");
  }

  set wfile(file: BlockingWriter) {
    this.#wfile = file;
  }

  /** Sets timeout and options, and opens the files. May be extended; call super. */
  override setup(): void {
    super.setup();
    checkConnection(this, "BlockingRequestHandler");
    const connection = this.connection = this.request;
    if (this.timeout !== null) connection.settimeout(this.timeout);
    if (this.disableNagleAlgorithm) {
      connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
    }
    this.wfile = connection.makefile("wb", { buffering: this.wbufsize });
    this.rfile = connection.makefile("rb", {
      buffering: this.rbufsize,
      lineLimit: this.lineLimit,
      tie: this.wfile,
    });
  }

  /** Flushes and closes the files. May be extended; call super. */
  override finish(): void {
    if (this.#wfile === undefined && this.failure !== undefined) return; // setup was not called, as `handle` knows
    try {
      this.wfile.close();
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone
    } finally {
      this.#rfile?.close();
    }
  }
}

// The types that the signatures here name, so that this module can be used by itself.
export type {
  Address,
  AddressLike,
  BufferedRWPair,
  Bytes,
  BytesLike,
  DatagramOption,
  DatagramTransport,
  FileForMode,
  FileLike,
  InetAddress,
  ListenerTransport,
  MakefileModes,
  MakefileOptions,
  Newline,
  OpenFile,
  OptionValue,
  OSError,
  PathOptions,
  ReadUntilOptions,
  Socket,
  SocketFile,
  StreamTransport,
  TextErrors,
  TextReader,
  TextRWPair,
  TextWriter,
  Tied,
  Transport,
  TransportAddr,
  WriteData,
} from "./socket.ts";
export type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "./internal/server/server_options.ts";
export type {
  RequestHandler,
  RequestHandlerConstructor,
  ServerStatus,
} from "./internal/server/stages.ts";
export type {
  BlockingFileForMode,
  BlockingFileOf,
} from "./internal/blocking/blocking_makefile.ts";
export type { BlockingReader } from "./internal/blocking/blocking_reader.ts";
export type {
  BlockingRWPair,
  BlockingTextRWPair,
} from "./internal/blocking/blocking_rw_pair.ts";
export type {
  BlockingFileLike,
  BlockingOpenFile,
} from "./internal/blocking/blocking_sendfile.ts";
export type { BlockingSocket } from "./internal/blocking/blocking_socket.ts";
export type { BlockingTextReader } from "./internal/blocking/blocking_text_reader.ts";
export type { BlockingTextWriter } from "./internal/blocking/blocking_text_writer.ts";
export type { Blocking } from "./internal/blocking/blocking_types.ts";
export type { BlockingWriter } from "./internal/blocking/blocking_writer.ts";
