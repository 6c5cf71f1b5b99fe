/**
 * Blocking handlers that open connections of their own.
 *
 * @module
 */

import {
  type AddressLike,
  BlockingIOError,
  BlockingRequestHandler,
  type BlockingSocket,
  BlockingStreamRequestHandler,
  createConnectionSync,
  type InetAddress,
  MSG_DONTWAIT,
  OSError,
  selectSync,
  SHUT_WR,
} from "../../mod.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

// deno-lint-ignore no-explicit-any -- comes as JSON
type Given = any;

/** Returns the result of a call, or of its error the name, the code, and whether it is an OSError. */
function thrown(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    const { name, code } = error as OSError;
    return [name, code ?? null, error instanceof OSError];
  }
}

/** Sends without waiting until nothing more is taken, and returns how much was. */
function fill(socket: BlockingSocket): number {
  const data = new Uint8Array(65536);
  for (let sent = 0;;) {
    try {
      sent += socket.send(data, MSG_DONTWAIT);
    } catch (error) {
      if (!(error instanceof BlockingIOError)) throw error;
      if (selectSync([], [socket], [], 0.2)[1].length === 0) return sent;
    }
  }
}

/** The tasks of a handler, by name. */
const TASKS: Record<string, (handler: Tasks, given: Given) => unknown> = {
  /** Asks the server at an address, twice, and tells about the socket. */
  ask(_, { address, options }) {
    using remote = createConnectionSync(address, options);
    remote.sendall(encode("one "));
    const first = decode(remote.recv(100));
    using file = remote.makefile("rw");
    file.write("two\n");
    file.flush();
    const timeout = remote.gettimeout();
    return [first, file.readline(), remote.getpeername(), timeout];
  },

  /** Connects, and tells what that throws. */
  fail(_, { address, options = {} }) {
    if (options.timeout === "Infinity") options.timeout = Infinity;
    if (options.happyEyeballsDelay === "Infinity") {
      options.happyEyeballsDelay = Infinity;
    }
    return thrown(() => createConnectionSync(address, options).close());
  },

  /** Selects among two connections in several states. */
  select(_, { address }: { address: InetAddress }) {
    using quiet = createConnectionSync(address);
    using talks = createConnectionSync(address);
    const both = [quiet, talks];
    const names = (sockets: BlockingSocket[]) =>
      sockets.map((socket) => socket === talks ? "talks" : "quiet");
    const found: unknown[] = [];
    const look = (timeout: number | null) => {
      const [r, w, x] = selectSync(both, [], both, timeout);
      found.push([names(r), w.length, x.length]);
    };
    look(0);
    look(0.01);
    talks.sendall(encode("hello"));
    look(null);
    look(0); // it stays ready until it is read
    talks.recv(100);
    look(0);
    found.push(names(selectSync([quiet], both, [])[1]));
    talks.sendall(encode("more")); // found although another is ready at once
    while (selectSync([talks], [quiet], [])[0].length === 0);
    talks.recv(100);
    talks.shutdown(SHUT_WR);
    look(null); // the end of the stream
    found.push(talks.recv(1).length);
    return found;
  },

  /** Fills a connection whose peer reads nothing, and waits until it reads. */
  writable({ wfile }, { address }: { address: InetAddress }) {
    using remote = createConnectionSync(address);
    const filled = fill(remote);
    const full = selectSync([], [remote], [], 0)[1].length;
    wfile.write("full\n");
    remote.recv(1); // the peer reads from now on
    const [, [ready]] = selectSync([], [remote], [], 20);
    return [filled > 65536, full, ready === remote];
  },

  /** Calls that are mistakes. */
  mistakes(handler, { address }) {
    const closed = createConnectionSync(address);
    closed.close();
    const any = (value: unknown) => value as Given;
    return [
      thrown(() => selectSync([closed], [], [])),
      thrown(() => selectSync([], [], [closed], 0)),
      thrown(() => selectSync([any(5)], [], [])),
      thrown(() => selectSync(any(handler.request), [], [])),
      thrown(() => selectSync([], [], [], -1)),
      thrown(() => selectSync([], [], [], null, { signal: any("stop") })),
    ];
  },

  /** Leaves connections open: the end of the request closes them, after what they have sent. */
  leave(_, { address }) {
    createConnectionSync(address).sendall(encode("left"));
    const file = createConnectionSync(address).makefile("w");
    file.write("held back");
    return "left";
  },

  /** Leaves a connection open, and throws. */
  leaveAndThrow(_, { address }) {
    createConnectionSync(address).sendall(encode("left"));
    throw new Error("left behind");
  },

  /** Opens and closes many, so that nothing of a closed one may count. */
  many(_, { address, count }) {
    for (let i = 0; i < count; i++) {
      using remote = createConnectionSync(address);
      remote.sendall(encode("x"));
      if (decode(remote.recv(1)) !== "x") throw new Error("no echo");
    }
    return count;
  },

  /** Dies with a connection open. */
  die(_, { address }) {
    createConnectionSync(address).sendall(encode("dying"));
    Deno.exit(3);
  },

  /** Waits in a call, until its own signal ends it. */
  wait(handler, { address, how }) {
    const { signal } = handler;
    using remote = createConnectionSync(address);
    remote.sendall(encode("waiting"));
    remote.recv(7);
    if (how === "close") {
      signal.addEventListener("abort", () => remote.close());
      handler.wfile.write("go\n");
      return thrown(() => remote.recv(1));
    }
    handler.wfile.write("go\n");
    if (how === "select") selectSync([remote], [], [], null, { signal });
    if (how === "recv") remote.recv(1, { signal });
    return "never aborted";
  },

  /** Waits for a connection that is not answered, until its own signal ends that. */
  waitToConnect({ signal, wfile }, { address }) {
    wfile.write("go\n");
    createConnectionSync(address, { signal });
    return "connected";
  },

  /** Waits for ever. */
  hang({ wfile }, { address }) {
    const remote = createConnectionSync(address);
    wfile.write("go\n");
    remote.recv(1);
  },
};

/** Does what its first line says, a task's name and what it is given, and answers with what that returns. */
export class Tasks extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const [name, given] = JSON.parse(decode(this.rfile.readline()));
    this.wfile.write(`${JSON.stringify(TASKS[name](this, given))}\n`);
  }
}

/** Copies between its client and the server whose address is shared, both ways, until one side has ended. */
export class Proxy extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const client = this.request;
    const address = this.server.shared as AddressLike & InetAddress;
    using remote = createConnectionSync(address);
    for (;;) {
      const [readable] = selectSync([client, remote], [], []);
      for (const source of readable) {
        const data = source.recv(65536);
        if (data.length === 0) return;
        (source === client ? remote : client).sendall(data);
      }
    }
  }
}
