/**
 * Handlers that run the steps in the query of this module's URL, or in a file that the query names, which each handler
 * reads: so the same class is found in a worker and in a child process.
 *
 * @module
 */

import {
  BaseRequestHandler,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../mod.ts";
import type { HandlerSpec } from "./scenario.ts";
import { camel, World } from "./world.ts";

const query = new URL(import.meta.url).searchParams;

// deno-lint-ignore no-explicit-any
type AnyHandler = new (...args: any[]) => BaseRequestHandler<any, any>;

/** The handler that runs these steps, over a class of the module. */
export function scripted(spec: HandlerSpec): AnyHandler {
  const Base: AnyHandler = {
    BaseRequestHandler,
    StreamRequestHandler,
    DatagramRequestHandler,
  }[spec.base ?? "BaseRequestHandler"];
  return class Handler extends Base {
    static readonly moduleUrl = import.meta.url;
    #world!: World;

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      super(...args);
      const none = new World("");
      for (const [name, value] of Object.entries(spec.attrs ?? {})) {
        Object.assign(this, { [camel(name)]: none.value(value) });
      }
    }

    override async setup() {
      await super.setup();
      this.#world = new World("", this);
      if (Array.isArray(this.request)) {
        this.#world.names.set("packet", this.request[0]);
        this.#world.names.set("socket", this.request[1]);
      }
      await this.#world.run(spec.setup);
    }

    override handle() {
      return this.#world.run(spec.handle);
    }

    override async finish() {
      await this.#world.run(spec.finish);
      await super.finish();
    }
  };
}

/** The handler whose steps are in a file by the time it is made. */
function filed(path: string): AnyHandler {
  // deno-lint-ignore no-explicit-any
  return class Handler extends BaseRequestHandler<any, any> {
    static readonly moduleUrl = import.meta.url;

    // deno-lint-ignore no-explicit-any
    constructor(...args: [any, any, any]) {
      super(...args);
      return new (scripted(JSON.parse(Deno.readTextFileSync(path))))(...args);
    }
  };
}

const file = query.get("file");

/** The class that the query asks for. */
export const Handler: AnyHandler = file === null
  ? scripted(JSON.parse(query.get("script") ?? "{}"))
  : filed(file);
