/**
 * Handlers that keep things beyond their end, and tell in what is shared what became of them.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  type BlockingSocket,
  type Socket,
  type WorkerServer,
} from "../../mod.ts";

/** Tells whether the server has forgotten its signal when it has ended: 1, or else 2. */
export class KeepsSignal extends BaseRequestHandler<
  Socket,
  WorkerServer<Int32Array>
> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { signal, server, request } = this;
    await request.sendall(new TextEncoder().encode("go"));
    const timer = setInterval(() => {
      if (request.fileno() >= 0) return; // not ended yet
      clearInterval(timer);
      const other = server.requestSignal(request) !== signal;
      Atomics.store(server.shared, 0, other ? 1 : 2);
      Atomics.notify(server.shared, 0);
    });
  }
}

/** Asks for its signal only when the drain has begun, which what is shared says; answers whether it was aborted. */
export class AsksLate extends BaseRequestHandler<
  Socket,
  WorkerServer<Int32Array>
> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(new TextEncoder().encode("go"));
    await this.request.recv(1); // the client says so when the drain has begun
    await this.request.sendall(
      new TextEncoder().encode(this.signal.aborted ? "aborted" : "not yet"),
    );
  }
}

/** Closes its connection, and stays until what is shared says that it was seen. */
export class ClosesAndStays extends BlockingRequestHandler<
  BlockingSocket,
  WorkerServer<Int32Array>
> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.request.sendall(new TextEncoder().encode("bye"));
    this.request.close();
    Atomics.wait(this.server.shared, 0, 0, 20_000);
  }
}
