/** Handlers that throw what is hard to show, and servers that are told to print it. */

import { StreamRequestHandler } from "../../handlers.ts";
import { AsyncTCPServer } from "../../mixins.ts";
import { createConnection } from "../../socket.ts";

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function endless(): unknown {
  const error = new SuppressedError(
    new Error("inner"),
    new Error("outer"),
    "x",
  );
  Object.assign(error, { error, suppressed: error });
  return error;
}

function guarded(): unknown {
  return new Proxy(new Error("trapped"), {
    getPrototypeOf() {
      throw new Error("no prototype");
    },
  });
}

function withGetter(name: string): Error {
  return Object.defineProperty(new Error("a getter"), name, {
    get() {
      throw new Error(`no ${name}`);
    },
  });
}

/** The values to throw, by name. */
export const ODD: Record<string, () => unknown> = {
  revoked,
  endless,
  guarded,
  "throws nothing": () => undefined,
  "a null prototype": () => Object.create(null),
  "a symbol": () => Symbol("odd"),
  "an inspect that throws": () => ({
    [Symbol.for("Deno.customInspect")]() {
      throw revoked();
    },
  }),
  "a stack that throws": () => withGetter("stack"),
  "a message that throws": () => withGetter("message"),
  "a name that throws": () => withGetter("name"),
  "a code that throws": () => withGetter("code"),
  "a cause of its own": () => {
    const error = new Error("round");
    error.cause = error;
    return error;
  },
  "a toString that throws": () => ({
    toString() {
      throw new Error("no string");
    },
  }),
};

/** Throws what a line names. */
export class Odd extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const line = new TextDecoder().decode(await this.rfile.readline());
    const make = ODD[line.trimEnd()];
    if (make !== undefined) throw make();
    await this.wfile.write(line);
  }
}

/** With stderr full, or closed: serves all of them, and then a client that wants an answer. */
if (import.meta.main) {
  const server = new AsyncTCPServer(["127.0.0.1", 0], Odd);
  const served = server.serveForever();
  let answer = "";
  for (const line of [...Object.keys(ODD), "hello"]) {
    using client = await createConnection(server.serverAddress, {
      timeout: 10,
    });
    await client.sendall(new TextEncoder().encode(`${line}\n`));
    answer = new TextDecoder().decode(await client.recv(100));
  }
  await server.serverClose();
  await served;
  console.log(answer.trimEnd());
}
