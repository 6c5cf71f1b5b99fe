/**
 * Blocking handlers that are to learn that their client is gone, that the server drains, and that a listener of theirs
 * has ended a call. What they find out is the message of the error that they throw.
 *
 * @module
 */

import {
  BlockingRequestHandler,
  type BlockingSocket,
  BlockingStreamRequestHandler,
  MSG_DONTWAIT,
  SHUT_RD,
  SHUT_RDWR,
  type WorkerServer,
} from "../../mod.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

type Server = WorkerServer<Int32Array>;

/** Blocks for a moment, as a handler does that has to wait for something else. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

/** How a handler sends until its client is gone. */
const SENDERS: Record<string, (request: BlockingSocket) => void> = {
  sendall: (request) => request.sendall(bytes("tick")),
  send: (request) => void request.send(bytes("tick")),
  sendmsg: (request) => void request.sendmsg([bytes("tick")]),
  dontwait: (request) => void request.send(bytes("tick"), MSG_DONTWAIT),
  timeout(request) {
    request.settimeout(60);
    request.sendall(bytes("tick"));
  },
  sendfile: (request) => void request.sendfile(new URL(import.meta.url), 0, 4),
  file(request) {
    using file = request.makefile("wb", { buffering: 0 });
    file.write("tick");
  },
  text(request) {
    using file = request.makefile("w");
    file.write("tick");
  },
};

/** Sends ticks as its first line says, and never reads again; throws how many there were when that failed. */
export class Ticks extends BlockingStreamRequestHandler<Server> {
  static readonly moduleUrl = import.meta.url;
  override rbufsize = 0;

  override handle() {
    const send = SENDERS[text(this.rfile.readline()).trimEnd()];
    let count = 0;
    try {
      for (; count < 2000; count++) {
        send(this.request);
        pause();
      }
    } catch (error) {
      const { code } = error as { code: string };
      throw new Error(`${code} ${count < 1000 ? "soon" : "late"}`);
    }
    throw new Error("never");
  }
}

/** The abort listeners that run while a read or a write blocks. */
const LISTENERS: Record<string, (handler: Ends) => void> = {
  nothing() {},
  both: ({ request }) => request.shutdown(SHUT_RDWR),
  abort: ({ request }) => request.abort(),
  close({ request, rfile, wfile }) {
    rfile.close();
    wfile.close();
    request.close();
  },
  answer({ request }) {
    request.sendall(bytes("bye"));
    request.shutdown(SHUT_RD);
  },
  receive({ request }) {
    request.settimeout(60);
    request.sendall(bytes("more?"));
    const more = request.recv(4);
    request.sendall(more);
    request.settimeout(null);
  },
};

/** The calls that block. */
const BLOCKED: Record<string, (handler: Ends) => unknown> = {
  recv: ({ request }) => text(request.recv(99)),
  peek: ({ request }) => text(request.recv(99, 2)),
  readline: ({ rfile }) => text(rfile.readline()),
  sendall: ({ request }) => request.sendall(new Uint8Array(1 << 26)),
  signal: ({ request, signal }) => request.recv(99, { signal }),
  sendsignal: ({ request, signal }) =>
    request.sendall(new Uint8Array(1 << 26), { signal }),
};

/** Blocks as the first word of its line says, and ends that as the second does, when the server drains. */
export class Ends extends BlockingStreamRequestHandler<Server> {
  static readonly moduleUrl = import.meta.url;
  override rbufsize = 0;

  override handle() {
    const [what, how] = text(this.rfile.readline()).trimEnd().split(" ");
    this.signal.addEventListener("abort", () => LISTENERS[how](this));
    this.request.sendall(bytes("go"));
    throw new Error(`${what} ${how}: ${outcome(() => BLOCKED[what](this))}`);
  }
}

function outcome(call: () => unknown): string {
  try {
    return `returned ${JSON.stringify(call()) ?? "nothing"}`;
  } catch (error) {
    const { name, code } = error as { name: string; code: string };
    return name === "AbortError" ? name : code ?? String(error);
  }
}

/** Waits for the drain without a call to its socket, in the way that its line says. */
export class Polls extends BlockingStreamRequestHandler<Server> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const how = text(this.rfile.readline()).trimEnd();
    this.wfile.write("go");
    const { signal } = this;
    for (let i = 0; i < 3000; i++) {
      if (how === "kept" && signal.aborted) break;
      if (how === "throw") signal.throwIfAborted();
      if (i === 2999) throw new Error("never told");
      pause();
    }
    this.wfile.write(" drained");
  }
}

/** Reads in its listener: more than a ring holds, of what the client sends then. */
export class ReadsInListener extends BlockingRequestHandler<
  BlockingSocket,
  Server
> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    let sum = 0, count = 0;
    const take = (most: number) => {
      while (count < most) {
        const data = this.request.recv(65_536);
        if (data.length === 0) return;
        for (const byte of data) sum = (sum * 31 + byte) >>> 0;
        count += data.length;
      }
    };
    this.signal.addEventListener("abort", () => {
      this.request.sendall(bytes("reading"));
      take(2_000_000);
    });
    this.request.sendall(bytes("go"));
    take(Infinity);
    throw new Error(`${count} ${sum}`);
  }
}

/** Sends a long answer; its listener sends its own meanwhile. */
export class SendsInListener extends BlockingRequestHandler<
  BlockingSocket,
  Server
> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.signal.addEventListener("abort", () => {
      const bye = bytes("bye");
      this.request.sendall(bye);
      bye.fill(0); // it is the handler's again
      this.request.send(bytes("!"));
    });
    this.request.sendall(bytes("go"));
    this.request.sendall(new Uint8Array(1 << 24).fill(1));
    this.request.sendall(bytes("."));
  }
}

/** Keeps its socket beyond its end, and tells in what is shared what a read of it says. */
export class ReadsLater extends BlockingRequestHandler<BlockingSocket, Server> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const { request, server } = this;
    setTimeout(() => {
      const code = outcome(() => request.recv(1));
      Atomics.store(server.shared, 0, code === "EBADF" ? 1 : 2);
      Atomics.notify(server.shared, 0);
    });
  }
}

/** Sends 4 MB with one call, of the name in its line, and throws how much that took. */
export class SendsOnce extends BlockingStreamRequestHandler<Server> {
  static readonly moduleUrl = import.meta.url;
  override rbufsize = 0;

  override handle() {
    const how = text(this.rfile.readline()).trimEnd();
    const { request } = this;
    const data = new Uint8Array(4_000_000).fill(1);
    if (how === "timeout") request.settimeout(60);
    if (how === "deadline") request.setdeadline(60);
    const count = how === "sendmsg"
      ? request.sendmsg([data.subarray(0, 9), data.subarray(9)])
      : request.send(data, how === "dontwait" ? MSG_DONTWAIT : 0);
    throw new Error(String(count));
  }
}
