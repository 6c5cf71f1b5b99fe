/**
 * The handlers that are measured.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  type DatagramRequest,
  StreamRequestHandler,
} from "../../mod.ts";

/** Echoes by `recv` and `sendall`. */
export class Echo extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      await this.request.sendall(data);
    }
  }
}

/** The same, with a timeout on each call. */
export class EchoWithTimeout extends Echo {
  override setup() {
    this.request.settimeout(30);
  }
}

/** Echoes by `recvInto` and `send`, with one buffer for all reads, as the plain loop does. */
export class EchoInto extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const buffer = new Uint8Array(65536);
    for (;;) {
      const n = await this.request.recvInto(buffer);
      if (n === 0) return;
      for (let sent = 0; sent < n;) {
        sent += await this.request.send(buffer.subarray(sent, n));
      }
    }
  }
}

/** Copies `rfile` to `wfile`, each time with an array of its own. */
export class Copy extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for (;;) {
      const data = await this.rfile.read1(65536);
      if (data.length === 0) return;
      await this.wfile.write(data);
    }
  }
}

/** Copies `rfile` to `wfile`, with one buffer for all reads. */
export class CopyInto extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const buffer = new Uint8Array(65536);
    for (;;) {
      const n = await this.rfile.readinto1(buffer);
      if (n === 0) return;
      await this.wfile.write(buffer.subarray(0, n));
    }
  }
}

/** Echoes lines, without Nagle's algorithm, which would be what is measured. */
export class Lines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override disableNagleAlgorithm = true;

  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Echoes lines through a buffered `wfile`, which is sent when `rfile` has to wait. */
export class BufferedLines extends Lines {
  override wbufsize = -1;
}

/** Answers a datagram with itself. */
export class Datagram extends BaseRequestHandler<DatagramRequest> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const [data, socket] = this.request;
    await socket.sendto(data, this.clientAddress);
  }
}

/** So many steps take about 100 microseconds; `comparisons.ts` has them for other servers. */
const STEPS = 65_000;

/** Keeps the result of the work, so that it cannot be left out. */
export let kept = 0;

/** Echoes after 100 microseconds of work. */
export class Work extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      kept = work(STEPS);
      await this.request.sendall(data);
    }
  }
}

/** The same in a worker that may be blocked. */
export class BlockingEcho extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (;;) {
      const data = this.request.recv(65536);
      if (data.length === 0) return;
      this.request.sendall(data);
    }
  }
}

/** Sends the file that the first argument after the handler names. */
export class SendFile extends BaseRequestHandler {
  override async handle() {
    await this.request.sendfile(Deno.args[2]);
  }
}

/** So many steps of a linear congruential generator, each of which needs the last. */
function work(steps: number): number {
  let x = 1;
  for (let i = 0; i < steps; i++) x = Math.imul(x, 1664525) + 1013904223 | 0;
  return x;
}
