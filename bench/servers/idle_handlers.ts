/**
 * Handlers whose connections are idle most of the time. Each waits in its own way.
 *
 * @module
 */

import { BaseRequestHandler, StreamRequestHandler } from "../../mod.ts";
import { Echo } from "./handlers.ts";

/** Echoes by `recvInto`, with a buffer of 1 KiB for each connection. */
export class IdleInto extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const buffer = new Uint8Array(1024);
    for (;;) {
      const n = await this.request.recvInto(buffer);
      if (n === 0) return;
      await this.request.sendall(buffer.subarray(0, n));
    }
  }
}

/** Echoes by `recv` after `waitForRequest`. */
export class IdleRequests extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    while (await this.waitForRequest()) {
      await this.request.sendall(await this.request.recv(65536));
    }
  }
}

/** Echoes lines of bytes. */
export class IdleLines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Echoes lines of bytes after `waitForRequest`. */
export class IdleLineRequests extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    while (await this.waitForRequest()) {
      await this.wfile.write(await this.rfile.readline());
    }
  }
}

/** Echoes lines of text. */
export class IdleText extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await using file = this.request.makefile("rw");
    for await (const line of file) {
      file.write(line);
      await file.flush();
    }
  }
}

/** Echoes by `recv`, with a timeout. */
export class IdleTimeout extends Echo {
  static override readonly moduleUrl = import.meta.url;

  override setup() {
    this.request.settimeout(600);
  }
}
