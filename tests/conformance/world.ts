/**
 * Runs the steps of scenarios with this module; `scenario.ts` says what they mean, and `world.py` does the
 * same with CPython.
 *
 * @module
 */

import * as module from "../../mod.ts";
import { type Address, Socket } from "../../mod.ts";
import type { Step, Value } from "./scenario.ts";
import { clientContext } from "./tls.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const STEP = /^(&?)(!?)(?:([\w, ]+?) *= *)?(?:(\w+)\.)?(\w+)(\??)$/;

/** Names that the rule of camelCase does not give. */
const RENAMED: Record<string, string> = {
  has_dualstack_ipv6: "hasDualstackIPv6",
};

/** Bytes that are more are shown by their number. */
const LONG = 10_000;

/** The name here of something that has a name in Python. */
export function camel(name: string): string {
  return RENAMED[name] ??
    name.replace(/(?<=.)_([a-z])/g, (_, letter) => letter.toUpperCase());
}

class Keywords {
  constructor(readonly options: Record<string, unknown>) {}
}

/** The error of a step that is to end a handler. */
class Told extends Error {}

/** A step that goes on in the background. */
class Background {
  constructor(readonly text: Promise<string>) {}
}

/** The named results of a scenario, and what it writes down. */
export class World {
  readonly names = new Map<string, Any>();
  readonly lines: string[] = [];
  readonly #subject: Any;
  readonly #where: string;
  readonly #open: { close(): unknown }[] = [];

  /**
   * @param where A directory that the scenario has to itself.
   * @param subject A handler, whose attributes are names too.
   */
  constructor(where: string, subject?: object) {
    this.#where = where;
    this.#subject = subject;
  }

  async run(steps: Step[] = []): Promise<void> {
    for (const step of steps) await this.#step(...step);
  }

  async #step(what: string, ...args: Value[]): Promise<void> {
    const [, background, fatal, names, target, method, attribute] = STEP
      .exec(what)!;
    const call = async () =>
      await this.#call(target, method, attribute !== "", args);
    if (background) {
      this.names.set(names, new Background(this.#attempt(call)));
      return;
    }
    const text = fatal
      ? this.#result(await call(), names, method)
      : await this.#attempt(call, names, method);
    this.lines.push(`${what} -> ${await text}`);
  }

  async #attempt(
    call: () => Promise<unknown>,
    names?: string,
    method?: string,
  ): Promise<string> {
    try {
      return await this.#result(await call(), names, method);
    } catch (error) {
      if (error instanceof Told) throw error;
      return failure(error);
    }
  }

  #result(
    result: Any,
    names: string | undefined,
    method?: string,
  ): string | Promise<string> {
    if (result instanceof Background) return result.text;
    const each = names?.split(",").map((name) => name.trim()) ?? [];
    each.forEach((name, i) => this.#keep(name, each[1] ? result[i] : result));
    return method === "fileno" && result > 0 ? "FD" : this.show(result);
  }

  #keep(name: string, value: Any): void {
    this.names.set(name, value);
    if (typeof value?.close === "function") this.#open.push(value);
  }

  #call(
    target: string | undefined,
    method: string,
    attribute: boolean,
    args: Value[],
  ): unknown {
    const owner = target === undefined ? undefined : this.#find(target);
    if (attribute) return owner[camel(method)];
    const values = args.map((arg) => this.value(arg));
    const last = values.at(-1);
    if (last instanceof Keywords) values[values.length - 1] = last.options;
    if (owner !== undefined) return owner[camel(method)](...values);
    if (method in WORDS) return WORDS[method](this, ...values);
    if (method === "socket") return new Socket(...values as []);
    return (module as Any)[camel(method)](...values);
  }

  #find(name: string): Any {
    return this.names.has(name)
      ? this.names.get(name)
      : this.#subject?.[camel(name)];
  }

  /** An argument as a value of JavaScript. */
  value(value: Value): unknown {
    if (Array.isArray(value)) return value.map((each) => this.value(each));
    if (typeof value !== "object" || value === null) return value;
    if ("bytes" in value) {
      return Uint8Array.from(value.bytes, (char) => char.charCodeAt(0));
    }
    if ("ref" in value) return this.#find(value.ref);
    if ("const" in value) {
      return value.const.split("|").reduce(
        (all, name) => all | (module as Any)[name],
        0,
      );
    }
    if ("addr" in value) {
      const found = this.#find(value.addr);
      return found.serverAddress ?? found.getsockname();
    }
    if ("tmp" in value) return `${this.#where}/${value.tmp}`;
    const entries = Object.entries(value.kw);
    return new Keywords(Object.fromEntries(
      entries.map(([name, each]) => [camel(name), this.value(each)]),
    ));
  }

  /** A result, as Python's side shows it too. */
  show(value: Any): string {
    if (typeof value === "object" && value !== null) {
      for (const [name, known] of this.names) {
        if (known === value && !isData(value)) return `<${name}>`;
      }
    }
    if (Array.isArray(value)) return this.#showAll(value);
    if (value instanceof Uint8Array) {
      if (value.length > LONG) return `bytes(${value.length})`;
      return `b${quoted(String.fromCharCode(...value))}`;
    }
    if (typeof value === "string") {
      return quoted(value.replaceAll(this.#where, "TMP"));
    }
    if (typeof value === "object" && value !== null) {
      return value instanceof Socket ? "<socket>" : "<object>";
    }
    return String(value ?? null);
  }

  #showAll(values: Any[]): string {
    const parts = values.map((each) => this.show(each));
    const [host, port] = values;
    const address = (values.length === 2 || values.length === 4) &&
      typeof host === "string" && typeof port === "number";
    if (address && port > 1023) parts[1] = "PORT";
    return `[${parts.join(", ")}]`;
  }

  /** Sends the lines so far to the client of a handler. */
  async tell(): Promise<void> {
    const lines = this.lines.map((line) => `${line}\n`).join("");
    const data = new TextEncoder().encode(lines);
    const { wfile, request, clientAddress } = this.#subject;
    if (wfile !== undefined) await wfile.write(data);
    else if (Array.isArray(request)) {
      await request[1].sendto(data, clientAddress);
    } else await request.sendall(data);
  }

  /** The steps' own files. */
  async file(content: Uint8Array<ArrayBuffer>): Promise<unknown> {
    const path = `${this.#where}/file${this.names.size}`;
    await Deno.writeFile(path, content);
    return await Deno.open(path);
  }

  /** Closes whatever the steps have named. */
  async close(): Promise<void> {
    for (const each of this.#open.reverse()) {
      try {
        await each.close();
      } catch {
        // closed by a step, or of no use any more
      }
    }
    await Promise.all(
      [...this.names.values()].map((each) =>
        each instanceof Background ? each.text : undefined
      ),
    );
  }
}

/** The runner's own words. */
/** Connects, and makes the handshake of a client. */
async function connectTls(address: Address): Promise<Socket> {
  const plain = await module.createConnection(address);
  const serverHostname = "localhost";
  return await clientContext().wrapSocket(plain, { serverHostname });
}

const WORDS: Record<string, (world: World, ...args: Any[]) => unknown> = {
  bytearray: (_, size) => new Uint8Array(size),
  file: (world, content) => world.file(content),
  create_tls_connection: (_, ...args) => connectTls(...args as [Address]),
  show: (world, name) => world.names.get(name),
  join: (world, name) => world.names.get(name),
  tell: (world) => world.tell(),
  raise: (_, text) => {
    throw new Told(text);
  },
  lines: async (world, name) => await Array.fromAsync(world.names.get(name)),
  drain: (world, name) => take(world.value({ ref: name }), Infinity),
  take: (world, name, size) => take(world.value({ ref: name }), size),
  with: (world, name) => {
    using _ = world.value({ ref: name }) as Disposable;
  },
};

async function take(socket: Any, size: number): Promise<Uint8Array> {
  const found: number[] = [];
  while (found.length < size) {
    const more = await socket.recv(Math.min(65536, size - found.length));
    if (more.length === 0) break;
    found.push(...more);
  }
  return Uint8Array.from(found);
}

const isData = (value: unknown) =>
  value instanceof Uint8Array || Array.isArray(value);

function failure(error: Any): string {
  return `!${error.constructor.name} ${error.code ?? ""}`.trimEnd();
}

function quoted(text: string): string {
  // The same characters as in world.py are shown as they are.
  const escaped = text.replaceAll(
    /[^ !#-\[\]-~]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}
