/**
 * HTTP/1.1 for handlers, in the spirit of Python's `http.server`: a method for each command.
 *
 * @module
 */

import {
  OSError,
  StreamRequestHandler,
  TimeoutError,
} from "@socketserver/socketserver";
import { Body } from "./body.ts";
import { HttpError, REASONS } from "./errors.ts";
import { type Head, readHead } from "./head.ts";

/** The content of a response. A stream is sent in chunks, as it comes. */
export type Content =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { size: number; send(handler: BaseHTTPRequestHandler): Promise<unknown> };

/** The most bytes of an unread body that are dropped to keep the connection. */
const DISCARD_MAX = 65536;

/** Errors after which the connection goes on, because the end of the request is known. */
const HARMLESS = new Set([404, 416]);

/** Answers requests one after the other, with `doGET`, `doPOST` and so on. */
export class BaseHTTPRequestHandler extends StreamRequestHandler {
  /** Seconds in which a client must send a head, or read a part of the response. */
  override timeout = 10;
  override lineLimit = 8192;
  override wbufsize = 65536;
  override disableNagleAlgorithm = true;
  /** The longest body, in bytes. */
  bodyLimit = 1048576;
  /** Seconds for a whole body. */
  bodyTimeout = 60;

  /** The method: `GET` and so on. */
  command = "";
  /** The path of the request, with the query. */
  path = "";
  /** The headers of the request, by names in lower case. */
  headers: Map<string, string> = new Map();
  /** The body of the request. */
  body!: Body;
  /** Whether this is the last request of the connection. */
  closeConnection = true;
  #minor = 1;
  /** Whether a response has begun. */
  #begun = false;
  /** Whether the client may be sending bytes that nobody will read, so that a close could destroy the response. */
  #lingers = false;

  /** Answers requests until the connection should be closed. */
  override async handle(): Promise<void> {
    try {
      do {
        await this.handleOneRequest();
        await this.wfile.flush();
      } while (!this.closeConnection);
    } finally {
      // A server that closes waits less for a client that does not.
      const seconds = this.signal.aborted ? 1 : 30;
      if (this.#lingers) await this.request.lingeringClose(seconds);
    }
  }

  /** Reads one request and answers it. */
  async handleOneRequest(): Promise<void> {
    this.command = "";
    this.closeConnection = true;
    this.#minor = 1;
    this.#begun = false;
    this.#lingers = this.signal.aborted; // then nobody looks whether there is more
    try {
      const head = await this.#readHead();
      if (head === undefined) return;
      this.#take(head);
      await this.#dispatch();
      this.request.setdeadline(this.timeout);
      await this.body.discard(DISCARD_MAX);
      if (!this.body.ended) this.closeConnection = true;
      this.request.setdeadline(null);
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Reads the head of the next request; undefined if there is none, or the client is silent. */
  async #readHead(): Promise<Head | undefined> {
    const first = await this.#firstBytes();
    if (first.length === 0) return undefined;
    this.request.setdeadline(this.timeout);
    this.#lingers = true; // RFC 9112, section 9.6
    if (String.fromCharCode(...first.subarray(0, 5)) === "HEAD ") {
      this.command = "HEAD"; // for the answer to one that is too long
    }
    const started = (command: string) => this.command = command;
    try {
      return await readHead(this.rfile, this.lineLimit, started);
    } catch (error) {
      throw error instanceof TimeoutError ? new HttpError(408) : error;
    }
  }

  /** Returns the first bytes of the next request; none at the end of the stream, or when the server closes. */
  async #firstBytes(): Promise<Uint8Array> {
    try {
      if (!await this.waitForRequest()) return new Uint8Array();
      return await this.rfile.peek(5);
    } catch (error) {
      if (error instanceof OSError) return new Uint8Array(); // it was kept for nothing
      throw error;
    }
  }

  #take(head: Head): void {
    this.request.setdeadline(this.bodyTimeout);
    this.#minor = head.minor;
    this.command = head.command;
    this.path = head.target;
    this.headers = head.headers;
    this.body = new Body(this.rfile, head, {
      limit: this.bodyLimit,
      proceed: async () => {
        if (this.#begun) return; // the answer is not to be interrupted
        await this.wfile.write("HTTP/1.1 100 Continue\r\n\r\n");
        await this.wfile.flush();
      },
    });
    const connection = head.headers.get("connection")?.toLowerCase() ?? "";
    const tokens = connection.split(",").map((token) => token.trim());
    this.closeConnection = tokens.includes("close") ||
      head.minor === 0 && !tokens.includes("keep-alive");
  }

  async #dispatch(): Promise<void> {
    const method = (this as unknown as Record<string, unknown>)[
      `do${this.command === "HEAD" ? "GET" : this.command}`
    ];
    if (typeof method !== "function") throw new HttpError(501);
    try {
      await method.call(this);
    } catch (error) {
      const harmless = error instanceof HttpError && HARMLESS.has(error.status);
      if (!harmless || this.#begun) throw error;
      await this.sendError(error.status, error.message, error.headers);
    }
  }

  /** Sends the error to the client, unless a response has begun. Throws an error that is not the client's. */
  async #fail(error: unknown): Promise<void> {
    this.closeConnection = true;
    if (this.#begun) { // it must not look complete
      this.#lingers = false;
      this.request.abort();
      throw error;
    }
    this.request.setdeadline(this.timeout);
    if (error instanceof HttpError) {
      return await this.sendError(error.status, error.message, error.headers);
    }
    await this.sendError(500);
    await this.wfile.flush();
    throw error;
  }

  /** Answers with an error. */
  async sendError(
    status: number,
    explanation: string = REASONS[status],
    headers: Record<string, string> = {},
  ): Promise<void> {
    const type = { "Content-Type": "text/plain" };
    await this.respond(status, { ...type, ...headers }, `${explanation}\n`);
  }

  /**
   * Answers the request. HEAD gets the headers only.
   *
   * @param status The status.
   * @param headers The headers, except those of the connection and the length.
   * @param content The body.
   */
  async respond(
    status: number,
    headers: Record<string, string> = {},
    content: Content = "",
  ): Promise<void> {
    const body = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    const size = sizeOf(body);
    const chunked = size === undefined && this.#minor > 0;
    if (size === undefined && !chunked) this.closeConnection = true;
    this.#closeIfLast();
    const head = this.#headOf(status, headers, size, chunked);
    this.#begun = true;
    await this.wfile.write(head);
    if (this.command === "HEAD" || status === 204 || status === 304) return;
    if (body instanceof Uint8Array) await this.wfile.write(body);
    else if ("send" in body) {
      await this.wfile.flush();
      await body.send(this);
    } else await this.#stream(body, chunked);
  }

  /** Tells the client in time when no further request will be read. */
  #closeIfLast(): void {
    const { body, signal } = this;
    if (signal.aborted) this.closeConnection = true;
    if (this.closeConnection && body === undefined) return;
    if (!body.endsWithin(DISCARD_MAX)) this.closeConnection = true;
    // A response may be long; the timeout ends a client that stops reading.
    this.request.setdeadline(body.ended ? null : this.bodyTimeout);
  }

  #headOf(
    status: number,
    headers: Record<string, string>,
    size: number | undefined,
    chunked: boolean,
  ): string {
    let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${now()}`;
    for (const name in headers) {
      if (/[\r\n\0]/.test(headers[name])) throw new TypeError(`bad ${name}`);
      head += `${name}: ${headers[name]}\r\n`;
    }
    if (chunked) head += "Transfer-Encoding: chunked\r\n";
    else if (size !== undefined && status !== 204 && status !== 304) {
      head += `Content-Length: ${size}\r\n`;
    }
    if (this.closeConnection) head += "Connection: close\r\n";
    else if (this.#minor === 0) head += "Connection: keep-alive\r\n";
    return head + "\r\n";
  }

  async #stream(
    pieces: AsyncIterable<Uint8Array>,
    chunked: boolean,
  ): Promise<void> {
    for await (const piece of pieces) {
      if (piece.length === 0) continue; // it would be the last chunk
      if (chunked) await this.wfile.write(`${piece.length.toString(16)}\r\n`);
      await this.wfile.write(piece);
      if (chunked) await this.wfile.write("\r\n");
    }
    if (chunked) await this.wfile.write("0\r\n\r\n");
  }
}

function sizeOf(content: Exclude<Content, string>): number | undefined {
  if (content instanceof Uint8Array) return content.length;
  return "size" in content ? content.size : undefined;
}

let second = 0;
let date = "";

/** Returns the header with the date, which is made once per second. */
function now(): string {
  const current = Math.floor(Date.now() / 1000);
  if (current !== second) {
    second = current;
    date = `Date: ${new Date(current * 1000).toUTCString()}\r\n`;
  }
  return date;
}
