/**
 * A module that loads in one worker, and not in another: it throws there, ends it, or hangs. What is shared with the worker
 * counts the times, and says how.
 *
 * @module
 */

import { workerData } from "node:worker_threads";
import { BlockingRequestHandler, StreamRequestHandler } from "../../mod.ts";

const shared: Int32Array | undefined = workerData?.server?.shared;
if (shared !== undefined && Atomics.add(shared, 0, 1) > 0) {
  Atomics.notify(shared, 0);
  if (shared[1] === 0) throw new SyntaxError("loads only once");
  if (shared[1] === 2) await new Promise(() => {});
  close();
}

/** Echoes lines. */
export class LoadsOnce extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Echoes what comes. */
export class BlockingLoadsOnce extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (let data; (data = this.request.recv(99)).length > 0;) {
      this.request.sendall(data);
    }
  }
}
