/** Handlers of datagrams, for all ways to run. */

import {
  BlockingRequestHandler,
  type BlockingSocket,
  DatagramRequestHandler,
} from "../../handlers.ts";

/** Answers each datagram with what is in it. */
export class AnswersDatagrams extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle(): Promise<void> {
    await this.wfile.write(this.packet);
  }
}

/** The seconds that a send of these handlers may take. */
const LIMIT = 0.05;

/** More datagrams than a client that does not read can have in its queue, and than are kept for it. */
const MANY = 2000;

/** Sends to a client that does not read, within a limit of its own; throws the code of what ends that. */
export class LimitedSends extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle(): Promise<void> {
    const aborts = String.fromCharCode(...this.packet) === "abort";
    this.socket.settimeout(aborts ? 1 : LIMIT); // the request lasts as long as the send
    const signal = aborts ? AbortSignal.timeout(LIMIT * 1000) : undefined;
    let code: string | undefined;
    for (let i = 0; i < MANY && code === undefined; i++) {
      await this.socket.sendto(this.packet, this.clientAddress, { signal })
        .catch((error) => code = error.code);
    }
    throw new Error(code);
  }
}

/** The same, blocking. */
export class BlockingLimitedSends extends BlockingRequestHandler<
  [Uint8Array, BlockingSocket]
> {
  static readonly moduleUrl = import.meta.url;

  override handle(): void {
    const [packet, socket] = this.request;
    socket.settimeout(LIMIT); // AbortSignal.timeout() would run out only between two sends
    let code: string | undefined;
    for (let i = 0; i < MANY && code === undefined; i++) {
      try {
        socket.sendto(packet, this.clientAddress);
      } catch (error) {
        ({ code } = error as { code: string });
      }
    }
    throw new Error(code);
  }
}
