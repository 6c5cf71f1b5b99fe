/**
 * Handlers that wait for requests, for the tests of the drain, in all ways to run them.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  BlockingStreamRequestHandler,
  DualRequestHandler,
  type HandlerServer,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/**
 * Says hello, answers each line, and says goodbye after the last. `work` takes until the server drains, and `hang` for
 * ever.
 */
export class WaitingLines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write("hello\n");
    while (await this.waitForRequest()) {
      const line = await this.rfile.readline();
      if (decode(line) === "work\n") await drained(this.signal);
      if (decode(line) === "hang\n") await new Promise(() => {});
      await this.wfile.write(line);
    }
    await this.wfile.write("bye\n");
  }
}

/** As {@linkcode WaitingLines}, over a text file. */
export class WaitingText extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(new TextEncoder().encode("hello\n"));
    await using file = this.request.makefile("rw");
    while (await this.waitForRequest()) {
      const line = await file.readline();
      if (line === "work\n") await drained(this.signal);
      await file.write(line);
      await file.flush();
    }
    await file.write("bye\n");
    await file.flush();
  }
}

/** As {@linkcode WaitingLines}, without a file: each message is 5 bytes. */
export class WaitingSocket extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { request } = this;
    await request.sendall(new TextEncoder().encode("hello\n"));
    while (await this.waitForRequest()) {
      let message = "";
      while (message.length < 5) {
        message += decode(await request.recv(5 - message.length));
      }
      if (message === "work\n") await drained(this.signal);
      await request.sendall(new TextEncoder().encode(message));
    }
    await request.sendall(new TextEncoder().encode("bye\n"));
  }
}

/** As {@linkcode WaitingLines}, for connections and datagrams. */
export class WaitingDual extends DualRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override wbufsize = -1;

  override async handle() {
    this.wfile.write("hello\n");
    while (await this.waitForRequest()) {
      const line = await this.rfile.readline();
      if (decode(line) === "work\n") await drained(this.signal);
      this.wfile.write(line);
    }
    this.wfile.write("bye\n");
  }
}

/** Resolves when the server drains. */
function drained(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

type Shared = HandlerServer<[string, number], unknown>;

/** As {@linkcode WaitingLines}, but it blocks. */
export class BlockingLines extends BlockingStreamRequestHandler<Shared> {
  static readonly moduleUrl = import.meta.url;
  override wbufsize = -1;

  override handle() {
    this.wfile.write("hello\n");
    while (this.waitForRequest()) {
      const line = this.rfile.readline();
      if (decode(line) === "work\n") { while (!this.signal.aborted); }
      this.wfile.write(line);
    }
    this.wfile.write("bye\n");
  }
}

/** As {@linkcode WaitingText}, but it blocks. */
export class BlockingText extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const file = this.request.makefile("rw");
    file.write("hello\n");
    file.flush();
    while (this.waitForRequest()) {
      const line = file.readline();
      if (line === "work\n") { while (!this.signal.aborted); }
      file.write(line);
      file.flush();
    }
    file.write("bye\n");
    file.close();
  }
}

/** As {@linkcode WaitingSocket}, but it blocks. */
export class BlockingMessages extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const { request } = this;
    request.sendall(new TextEncoder().encode("hello\n"));
    while (this.waitForRequest()) {
      let message = "";
      while (message.length < 5) {
        message += decode(request.recv(5 - message.length));
      }
      if (message === "work\n") { while (!this.signal.aborted); }
      request.sendall(new TextEncoder().encode(message));
    }
    request.sendall(new TextEncoder().encode("bye\n"));
  }
}

const id = crypto.randomUUID();

/** Says which worker or child it is in, and answers lines. */
export class WhichWorker extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write(id);
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}
