/**
 * A server of this module that does what a scenario says.
 *
 * @module
 */

import * as module from "../../mod.ts";
import type { HandlerSpec, ServerSpec } from "./scenario.ts";
import { camel, World } from "./world.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Opens it, and serves unless the steps are to do that. */
export async function serve(spec: ServerSpec, where: string): Promise<Served> {
  const hooks: string[] = [];
  const Server = serverClass(spec, hooks);
  const Handler = await handlerClass(spec.handler);
  const maxChildren = spec.attrs?.max_children ?? 1; // each takes its time to start
  const options = { maxWorkers: 1, maxChildren };
  return new Served(
    new Server(addressFor(spec, where), Handler, options),
    hooks,
    spec.manual ?? false,
  );
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

async function handlerClass(spec: HandlerSpec): Promise<Any> {
  const script = encodeURIComponent(JSON.stringify(spec));
  return (await import(`./script_handler.ts?script=${script}`)).Handler;
}

function addressFor(spec: ServerSpec, where: string): Any {
  if (spec.transport.startsWith("Unix")) return `${where}/server`;
  const family = spec.attrs?.address_family as { const: string } | undefined;
  return [family?.const === "AF_INET6" ? "::1" : "127.0.0.1", 0];
}

function serverClass(spec: ServerSpec, hooks: string[]): Any {
  const Base = (module as Any)[spec.way + spec.transport];
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

/** What a function prints as errors. */
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

/** What handleError prints, without the stack. */
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
