/**
 * The body of a request: RFC 9112, sections 6 and 7.
 *
 * @module
 */

import {
  type BufferedReader,
  IncompleteReadError,
  TimeoutError,
} from "@socketserver/socketserver";
import { HttpError } from "./errors.ts";
import { type Head, isHeader, readLine } from "./head.ts";

/** The most bytes of one read. */
const PIECE = 65536;
/** The most lines after the last chunk; they are dropped. */
const TRAILERS_MAX = 100;

type Bytes = Uint8Array<ArrayBuffer>;

/** The limit of a body, and how to ask for it. */
export interface BodyOptions {
  /** The most bytes. */
  limit: number;
  /** Tells a client that waits for "100 Continue" to send the body. */
  proceed(): Promise<void>;
}

/** The body of a request. It can be read once. */
export class Body {
  readonly #rfile: BufferedReader;
  readonly #options: BodyOptions;
  readonly #chunked: boolean;
  #left: number;
  #waits: boolean;
  #ended: boolean;
  /** Whether a read has failed, so that the end of the body is unknown. */
  #failed = false;
  /** The bytes of the lines between the chunks. */
  #overhead = 0;

  /** @throws {HttpError} if the length of the body is not clear, or exceeds the limit. */
  constructor(rfile: BufferedReader, head: Head, options: BodyOptions) {
    this.#rfile = rfile;
    this.#options = options;
    this.#chunked = isChunked(head);
    this.#left = this.#chunked ? 0 : contentLength(head);
    this.#ended = !this.#chunked && this.#left === 0;
    if (this.#left > options.limit) throw new HttpError(413);
    this.#waits = expectsContinue(head) && !this.#ended;
  }

  /** Whether the whole body was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the next request comes soon: the end of the body is known, and near. */
  endsWithin(limit: number): boolean {
    return !this.#failed && !this.#waits && this.#left <= limit;
  }

  /** Reads the whole body. */
  async bytes(): Promise<Bytes> {
    const pieces = await Array.fromAsync(this);
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** Drops the rest of the body, if it is short and the client is sending it anyway. */
  async discard(limit: number): Promise<void> {
    if (!this.endsWithin(limit)) return;
    for await (const piece of this) {
      limit -= piece.length;
      if (limit < 0) return;
    }
  }

  /**
   * Reads the pieces of the body as they come.
   *
   * @throws {HttpError} if the client breaks the format or a limit, or takes too long; each later read throws again.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes> {
    if (this.#failed) throw new HttpError(400, "the body is broken");
    try {
      yield* this.#pieces();
    } catch (error) {
      this.#failed = true;
      throw error instanceof TimeoutError ? new HttpError(408) : error;
    }
  }

  async *#pieces(): AsyncGenerator<Bytes> {
    if (this.#waits) await this.#options.proceed();
    this.#waits = false;
    let size = 0;
    while (!this.#ended) {
      if (this.#left === 0 && this.#chunked) await this.#nextChunk();
      if (this.#ended) return;
      const piece = await this.#piece();
      size += piece.length;
      if (size > this.#options.limit) throw new HttpError(413);
      yield piece;
    }
  }

  async #piece(): Promise<Bytes> {
    const piece = await this.#rfile.read1(Math.min(this.#left, PIECE));
    if (piece.length === 0) throw new HttpError(400, "the body ends early");
    this.#left -= piece.length;
    if (this.#left > 0) return piece;
    if (this.#chunked) await this.#expectLineEnd();
    else this.#ended = true;
    return piece;
  }

  /** Reads the size of a chunk, and after the last chunk the trailers, which are dropped. */
  async #nextChunk(): Promise<void> {
    const line = await this.#line();
    const size = /^0*([0-9a-f]{1,8})[ \t]*(?:;[\t -~\x80-\xff]*)?$/i
      .exec(line)?.[1];
    if (size === undefined) throw new HttpError(400, "that is no chunk");
    this.#left = parseInt(size, 16);
    if (this.#left > this.#options.limit) throw new HttpError(413);
    if (this.#left > 0) return;
    for (let count = 0; count < TRAILERS_MAX; count++) {
      const trailer = await this.#line();
      if (trailer === "") return void (this.#ended = true);
      if (!isHeader(trailer)) throw new HttpError(400, "that is no trailer");
    }
    throw new HttpError(431);
  }

  /** Reads a line between the chunks. They have a limit together: even a chunk of one byte can have a long line. */
  async #line(): Promise<string> {
    const line = await readLine(this.#rfile);
    if (line === undefined) throw new HttpError(400, "the body ends early");
    this.#overhead += line.length;
    if (this.#overhead > this.#options.limit) throw new HttpError(413);
    return line;
  }

  async #expectLineEnd(): Promise<void> {
    try {
      const [cr, lf] = await this.#rfile.readexactly(2);
      if (cr === 13 && lf === 10) return;
    } catch (error) {
      if (!(error instanceof IncompleteReadError)) throw error;
    }
    throw new HttpError(400, "a chunk has no end");
  }
}

function isChunked({ headers, minor }: Head): boolean {
  const coding = headers.get("transfer-encoding");
  if (coding === undefined) return false;
  if (headers.has("content-length") || minor === 0) {
    throw new HttpError(400, "the length of the body is told twice");
  }
  const [last, ...others] = coding.toLowerCase().split(/[ \t]*,[ \t]*/)
    .toReversed();
  if (last !== "chunked" || others.includes("chunked")) {
    throw new HttpError(400, "it is not clear where the body ends");
  }
  if (others.length > 0) throw new HttpError(501);
  return true;
}

function contentLength({ headers }: Head): number {
  const length = headers.get("content-length") ?? "0";
  if (!/^\d{1,15}$/.test(length)) throw new HttpError(400, "that is no length");
  return Number(length);
}

function expectsContinue({ headers, minor }: Head): boolean {
  const expected = headers.get("expect")?.toLowerCase();
  if (expected === undefined || minor === 0) return false;
  if (expected !== "100-continue") throw new HttpError(417);
  return true;
}
