/**
 * Clients for the servers of tests: they connect, send and read the answer, within a time.
 *
 * @module
 */

import {
  type Address,
  ConnectionResetError,
  MSG_WAITALL,
  SHUT_WR,
} from "../../mod.ts";
import { AF_INET, AF_UNIX, OSError, SOCK_DGRAM, Socket } from "../../socket.ts";
import { assertInstanceOf, assertStrictEquals } from "../deps.ts";
import { bytes, text } from "./bytes.ts";
import { newPath, recvToEnd } from "./sockets.ts";

/** Returns a socket that is connected to a server. */
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

/** Returns a socket that is connected to an address, and whose calls time out after a minute. */
export async function dial(address: Address): Promise<Socket> {
  const socket = new Socket(typeof address === "string" ? AF_UNIX : AF_INET);
  socket.settimeout(60);
  await socket.connect(address);
  return socket;
}

/** Sends a line or a datagram, and returns the answer: all of the stream, or a datagram. */
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

/** Sends a line or a datagram, and ignores the answer and errors. */
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

/** Receives text until the stream ends. */
export async function readAll(client: Socket): Promise<string> {
  return text(await recvToEnd(client));
}

/** Receives `length` bytes of text. */
export async function readText(
  client: Socket,
  length: number,
): Promise<string> {
  return text(await client.recv(length, MSG_WAITALL));
}

/** Fails unless the stream ends or is reset. */
export async function assertEnd(socket: Socket): Promise<void> {
  try {
    assertStrictEquals((await socket.recv(100)).length, 0);
  } catch (error) {
    assertInstanceOf(error, ConnectionResetError);
  }
}

/** A client of a protocol of lines. */
export class LineClient implements Disposable {
  readonly socket: Socket;
  readonly #rfile;
  readonly #wfile;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#rfile = socket.makefile("rb");
    this.#wfile = socket.makefile("wb", { buffering: 0 });
  }

  static async connect(address: Address): Promise<LineClient> {
    return new LineClient(await dial(address));
  }

  /** Sends a line. */
  async send(line: string): Promise<void> {
    await this.#wfile.write(bytes(`${line}\n`));
  }

  /** Receives a line; returns "" at the end of the stream. */
  async line(): Promise<string> {
    return text(await this.#rfile.readline()).trimEnd();
  }

  /** Sends a line, and returns the line of the answer. */
  async ask(line: string): Promise<string> {
    await this.send(line);
    return await this.line();
  }

  close(): void {
    this.#rfile.close();
    this.#wfile.close().catch(() => {}); // the server may be gone
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
