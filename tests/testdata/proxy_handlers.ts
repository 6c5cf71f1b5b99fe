/** Handlers that tell what they know of a client behind a proxy. */

import {
  type Address,
  BlockingStreamRequestHandler,
  type HandlerServer,
  proxyHeaderOf,
  StreamRequestHandler,
} from "../../mod.ts";

/** Returns what a handler sees, as one line. */
function facts(
  { clientAddress, request }: {
    clientAddress: Address;
    request: { getpeername(): Address };
  },
): string {
  const header = proxyHeaderOf(request);
  const uniqueId = header?.uniqueId &&
    new TextDecoder().decode(header.uniqueId);
  const peer = request.getpeername();
  return JSON.stringify({
    client: clientAddress,
    peer: typeof peer === "string" ? peer : peer[0],
    header: header && { ...header, uniqueId },
  }) + "\n";
}

/** Writes its facts, and then echoes lines. */
export class Facts extends StreamRequestHandler<HandlerServer<Address>> {
  static readonly moduleUrl = import.meta.url;
  override async handle(): Promise<void> {
    await this.wfile.write(facts(this));
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** The same in a worker that it blocks. */
export class BlockingFacts extends BlockingStreamRequestHandler<
  HandlerServer<Address>
> {
  static readonly moduleUrl = import.meta.url;
  override handle(): void {
    this.wfile.write(facts(this));
    for (const line of this.rfile) this.wfile.write(line);
  }
}

/** Sends all that comes back, as it comes. */
export class EchoAll extends StreamRequestHandler<HandlerServer<Address>> {
  static readonly moduleUrl = import.meta.url;
  override async handle(): Promise<void> {
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      await this.request.sendall(data);
    }
  }
}

/** Says hello, and reads nothing. */
export class Hello extends StreamRequestHandler<HandlerServer<Address>> {
  static readonly moduleUrl = import.meta.url;
  override async handle(): Promise<void> {
    await this.wfile.write("hello\n");
  }
}
