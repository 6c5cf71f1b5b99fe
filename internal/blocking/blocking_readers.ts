/**
 * The files that read, of a handler that blocks: they move bytes, and the cores of the async files do the rest.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import {
  BlockingReads,
  readArguments,
  type ReadSteps,
  type ReceivingCore,
} from "../files/read_steps.ts";
import {
  type BufferedReaderOptions,
  ReaderCore,
  type ReadUntilOptions,
} from "../files/reader_core.ts";
import { TextReaderCore, type TextReaderOptions } from "../files/text_core.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import type {
  BlockingBytes,
  BlockingReader,
  BlockingTextReader,
} from "./blocking_types.ts";

/** A count that may be left out before the options. */
type Count = number | AbortOptions;

/** The core of a file that reads bytes or text. */
interface LinesCore<T> extends ReceivingCore {
  readonly closed: boolean;
  readonly unread: boolean;
  read(size?: number): ReadSteps<T>;
  readline(limit?: number): ReadSteps<T>;
  readlines(hint?: number): ReadSteps<T[]>;
  close(): void;
}

/** The members that files of bytes and of text share. */
class ReaderShell<T extends Bytes | string> {
  readonly #core: LinesCore<T>;
  readonly #reads: BlockingReads;

  constructor(core: LinesCore<T>, reads: BlockingReads) {
    this.#core = core;
    this.#reads = reads;
  }

  get closed(): boolean {
    return this.#core.closed;
  }

  /** Whether the file has data that nobody has read. */
  get unread(): boolean {
    return this.#core.unread;
  }

  read(size?: Count, options?: AbortOptions): T {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.read(count), signal);
  }

  readline(limit?: Count, options?: AbortOptions): T {
    const [count, signal] = readArguments(limit, options);
    return this.#reads.run(() => this.#core.readline(count), signal);
  }

  readlines(hint?: Count, options?: AbortOptions): T[] {
    const [count, signal] = readArguments(hint, options);
    return this.#reads.run(() => this.#core.readlines(count), signal);
  }

  *lines(options: AbortOptions = {}): IterableIterator<T> {
    for (;;) {
      const line = this.readline(options);
      if (line.length === 0) return;
      yield line;
    }
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.lines();
  }

  readable(): boolean {
    this.#core.checkOpen();
    return true;
  }

  writable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  seekable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  close(): void {
    this.#core.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Moves the bytes of a {@linkcode BlockingReader}. */
export class BlockingReaderShell extends ReaderShell<Bytes>
  implements BlockingReader {
  readonly #core: ReaderCore;
  readonly #reads: BlockingReads;

  constructor(source: BlockingBytes, options: BufferedReaderOptions = {}) {
    const core = new ReaderCore(options);
    const { tie } = options;
    const reads = new BlockingReads(core, (wanted, signal) => {
      tie?.sendHeld();
      const size = core.receiveSize(wanted as number);
      return signal === undefined
        ? source.recv(size)
        : source.recv(size, { signal });
    });
    super(core, reads);
    this.#core = core;
    this.#reads = reads;
  }

  read1(size?: Count, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.read1(count), signal);
  }

  readexactly(size: number, options?: AbortOptions): Bytes {
    return this.#reads.run(() => this.#core.readexactly(size), options?.signal);
  }

  readuntil(
    separator?: Uint8Array | string,
    options?: ReadUntilOptions,
  ): Bytes {
    const steps = () => this.#core.readuntil(separator, options);
    return this.#reads.run(steps, options?.signal);
  }

  readinto(buffer: ArrayBufferView, options?: AbortOptions): number {
    return this.#reads.run(
      () => this.#core.readinto(buffer, false),
      options?.signal,
    );
  }

  readinto1(buffer: ArrayBufferView, options?: AbortOptions): number {
    return this.#reads.run(
      () => this.#core.readinto(buffer, true),
      options?.signal,
    );
  }

  peek(size?: Count, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.peek(count), signal);
  }
}

/** Moves the bytes of a {@linkcode BlockingTextReader}. */
export class BlockingTextReaderShell extends ReaderShell<string>
  implements BlockingTextReader {
  constructor(reader: BlockingReader, options: TextReaderOptions = {}) {
    const core = new TextReaderCore(reader, options);
    const read1 = (_wanted: unknown, signal: AbortSignal | undefined) =>
      reader.read1(-1, signal && { signal });
    super(core, new BlockingReads(core, read1));
  }
}
