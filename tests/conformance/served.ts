/**
 * Servers of this module that do what a scenario says.
 *
 * @module
 */

import * as module from "../../mod.ts";
import { until } from "../helpers/within.ts";
import type { HandlerSpec, ServerSpec } from "./scenario.ts";
import { scripted } from "./script_handler.ts";
import { serverContext } from "./tls.ts";
import { camel, World } from "./world.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** The servers of a test. A server with a worker or a child is used again, because these take their time to start. */
export class Servers implements AsyncDisposable {
  readonly #kept = new Map<string, Kept>();

  /** Opens a server, and serves unless the steps are to do that. */
  async serve(spec: ServerSpec, where: string): Promise<Served | Kept> {
    const { transport, way, attrs, hooks, manual, handler } = spec;
    if (!/ing$/.test(way)) return await open(spec, where);
    if (attrs || hooks || manual) {
      return await open(spec, where, `script=${encoded(handler)}`);
    }
    const name = `${way}${transport}`;
    if (!this.#kept.has(name)) this.#kept.set(name, await Kept.open(spec));
    const kept = this.#kept.get(name)!;
    await kept.run(handler);
    return kept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kept of this.#kept.values()) await kept.end();
  }
}

const encoded = (value: unknown) => encodeURIComponent(JSON.stringify(value));

/** Opens a server whose handlers find their steps as the query says; those that run in this process need none. */
async function open(
  spec: ServerSpec,
  where: string,
  query?: string,
): Promise<Served> {
  const hooks: string[] = [];
  const Server = serverClass(spec, hooks);
  const Handler = query === undefined
    ? scripted(spec.handler)
    : (await import(`./script_handler.ts?${query}`)).Handler;
  const maxChildren = spec.attrs?.max_children ?? 1;
  const childPermissions = { read: true }; // for the file of steps
  const ssl = spec.transport === "TLSServer" ? serverContext() : null;
  const options = { maxWorkers: 1, maxChildren, childPermissions, ssl };
  return new Served(
    new Server(addressFor(spec, where), Handler, options),
    hooks,
    spec.manual ?? false,
  );
}

/** A server that is used again. Its handlers read their steps from a file. */
class Kept {
  readonly #where: string;
  readonly #served: Served;

  constructor(where: string, served: Served) {
    this.#where = where;
    this.#served = served;
  }

  static async open(spec: ServerSpec): Promise<Kept> {
    const where = await Deno.makeTempDir();
    const query = `file=${encodeURIComponent(`${where}/script`)}`;
    return new Kept(where, await open(spec, where, query));
  }

  get server(): Any {
    return this.#served.server;
  }

  /** Has the next handlers run these steps. */
  async run(handler: HandlerSpec): Promise<void> {
    await Deno.writeTextFile(`${this.#where}/script`, JSON.stringify(handler));
  }

  /** Waits for the handlers. The server goes on. */
  async close(): Promise<string[]> {
    await until(() => this.server.status.active === 0);
    return [];
  }

  async end(): Promise<void> {
    await this.#served.close();
    await Deno.remove(this.#where, { recursive: true });
  }
}

/** A server, and the methods of it that were called. */
export class Served {
  readonly #hooks: string[];
  readonly #serving: Promise<void> | undefined;

  constructor(readonly server: Any, hooks: string[], manual: boolean) {
    this.#hooks = hooks;
    this.#serving = manual
      ? undefined
      : server.serveForever({ pollInterval: 0.02 });
  }

  async close(): Promise<string[]> {
    await this.server.shutdown();
    await this.#serving;
    await this.server.serverClose();
    return this.#hooks.map((hook) => `server: ${hook}`);
  }
}

function addressFor(spec: ServerSpec, where: string): Any {
  if (spec.transport.startsWith("Unix")) return `${where}/server`;
  const family = spec.attrs?.address_family as { const: string } | undefined;
  return [family?.const === "AF_INET6" ? "::1" : "127.0.0.1", 0];
}

function serverClass(spec: ServerSpec, hooks: string[]): Any {
  const name = spec.way + spec.transport.replace("TLS", "TCP");
  const Base = (module as Any)[name];
  const Server = class extends Base {
    handleError() {}
  };
  const values = new World("");
  for (const [name, value] of Object.entries(spec.attrs ?? {})) {
    Object.assign(Server, { [camel(name)]: values.value(value) });
  }
  for (const [name, result] of Object.entries(spec.hooks ?? {})) {
    Object.assign(Server.prototype, {
      [camel(name)]: noted(name, result, hooks, Base),
    });
  }
  return Server;
}

function noted(name: string, result: Any, hooks: string[], Base: Any) {
  return function (this: Any, ...args: unknown[]) {
    const above = () => Base.prototype[camel(name)].apply(this, args);
    if (name !== "handle_error") {
      hooks.push(name);
      if (result?.raises !== undefined) throw new RangeError(result.raises);
      return result === null ? above() : result;
    }
    hooks.push("handle_error", ...report(printed(above)));
  };
}

/** Returns the text that a function prints by `console.error`. */
function printed(print: () => void): string {
  const { error } = console;
  let text = "";
  console.error = (line: string) => void (text += line);
  try {
    print();
  } finally {
    console.error = error;
  }
  return text;
}

/** Returns the lines that `handleError` prints, without the stack. */
function report(text: string): string[] {
  const lines = text.trim().split("\n");
  const rule = (line: string) => /^-+$/.test(line) ? "-".repeat(40) : line;
  const first = lines[1].replace(/\('([^']*)', \d+(, \d+)*\)/, "($1)");
  return [
    rule(lines[0]),
    first,
    lines[2].replace(/^.*?: /, ""),
    rule(lines.at(-1)!),
  ];
}
