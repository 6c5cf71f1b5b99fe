/**
 * Handlers with no `await` in them.
 *
 * @module
 */

import {
  BlockingIOError,
  BlockingRequestHandler,
  type BlockingSocket,
  BlockingStreamRequestHandler,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  SHUT_WR,
  StreamRequestHandler,
  TCP_NODELAY,
} from "../../mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Sends back what comes, until the client ends its side. */
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

/** Answers each line with the name of what a call on it threw, or with what it returned. */
export class BlockingCalls extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (const line of this.rfile) {
      let answer: unknown;
      try {
        answer = this.#call(decoder.decode(line).trimEnd());
      } catch (error) {
        const { name, code } = error as { name: string; code?: string };
        answer = `${name} ${code}`;
      }
      this.wfile.write(`${answer}\n`);
    }
  }

  #call(name: string): unknown {
    const { request, rfile } = this;
    switch (name) {
      case "timeout":
        request.settimeout(0.01);
        try {
          return request.recv(1);
        } finally {
          request.settimeout(null);
        }
      case "dontwait":
        return request.recv(1, MSG_DONTWAIT);
      case "spin": { // takes more than a window without ever waiting
        this.wfile.write("go\n");
        request.settimeout(0);
        let count = 0;
        while (count < 1 << 20) {
          try {
            count += request.recv(65536).length;
          } catch (error) {
            if (!(error instanceof BlockingIOError)) throw error;
          }
        }
        request.settimeout(null);
        return count;
      }
      case "peek":
        this.wfile.write("go\n");
        return decoder.decode(request.recv(1, MSG_PEEK)) +
          decoder.decode(request.recv(5, MSG_WAITALL));
      case "waitall": {
        this.wfile.write("go\n");
        request.recv(1, MSG_PEEK); // something is there
        request.settimeout(0.01);
        try {
          return request.recv(9, MSG_WAITALL);
        } catch (error) {
          const { code } = error as { code: string };
          return `${code} ${decoder.decode(request.recv(2, MSG_PEEK))} ${
            decoder.decode(request.recv(9, MSG_WAITALL | MSG_DONTWAIT))
          }`;
        } finally {
          request.settimeout(null);
        }
      }
      case "direction":
        return request.shutdown(3);
      case "into": {
        this.wfile.write("go\n");
        const buffer = new Uint8Array(9);
        const count = request.recvInto(buffer, 3);
        return decoder.decode(buffer.subarray(0, count));
      }
      case "rfile": {
        const parts = [rfile.readexactly(2), rfile.read(3), rfile.readline()];
        return parts.map((part) => decoder.decode(part).trimEnd()).join("|");
      }
      case "addr":
        return JSON.stringify([
          this.clientAddress,
          request.getpeername(),
          request.getsockname(),
        ]);
      case "options":
        request.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
        return request.getsockopt(IPPROTO_TCP, TCP_NODELAY);
      case "long":
        return rfile.readline().length;
      case "draining":
        return this.signal.aborted;
      default:
        return "what?";
    }
  }
}

/** Ends its side, and then counts what still comes; the count is the error. */
export class BlockingHalfClose extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.request.sendall(encoder.encode("bye"));
    this.request.shutdown(SHUT_WR);
    let count = 0;
    for (let data; (data = this.request.recv(100)).length > 0;) {
      count += data.length;
    }
    throw new Error(`${count} bytes`);
  }
}

/** Ends its worker at the first byte. */
export class BlockingDies extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.request.recv(1);
    Deno.exit();
  }
}

/**
 * Sends back the first byte, ends when `shared[1]` says so, and leaves behind what ends the worker; `shared[0]`
 * says when that was told.
 */
export class BlockingLeavesBehind extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const shared = this.server.shared as Int32Array;
    const [byte] = this.request.recv(1);
    this.request.sendall(Uint8Array.of(byte));
    if (Atomics.load(shared, 0) > 0) return;
    Atomics.wait(shared, 1, 0);
    const { close } = globalThis;
    globalThis.close = () => { // what the worker does when it has told
      Atomics.store(shared, 0, 1);
      Atomics.notify(shared, 0);
      close();
    };
    setTimeout(() => {
      throw new Error("left behind");
    });
  }
}

/** Sends back a byte; or at a "g" 32 MiB, and gives up where the client does not take them. */
export class BlockingGivesUp extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const byte = this.request.recv(1);
    if (byte[0] !== 0x67) return this.request.sendall(byte);
    this.request.settimeout(0.1);
    this.request.sendall(new Uint8Array(1 << 25));
  }
}

/** Sends 4 MiB, whether the client reads or not. */
export class BlockingDownload extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (let i = 0; i < 64; i++) {
      this.request.sendall(new Uint8Array(65536).fill(i));
    }
  }
}

/** Answers a datagram in capitals. */
export class BlockingDatagram extends BlockingRequestHandler<
  [Uint8Array, BlockingSocket]
> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const [data, socket] = this.request;
    const text = decoder.decode(data).toUpperCase();
    const count = socket.sendto(encoder.encode(text), this.clientAddress);
    if (count !== data.length) throw new Error(`sent ${count}`);
  }
}

/** The class for handlers that wait, with `blocking`: its files return values here. */
export class PlainBlocking extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  static readonly blocking = true;

  override handle() {
    const line = this.rfile.readline() as unknown as Uint8Array;
    this.wfile.write(decoder.decode(line).toUpperCase());
  }
}

/** Closes its socket, and throws the codes of what is called on it then. */
export class BlockingClosed extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const { request } = this;
    request.close();
    const calls = [
      () => request.settimeout(1),
      () => request.setblocking(true),
      () => request.shutdown(SHUT_WR),
      () => request.recv(1),
    ];
    throw new Error(calls.map(codeOf).join());
  }
}

function codeOf(call: () => unknown): string {
  try {
    return `returned ${call()}`;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
