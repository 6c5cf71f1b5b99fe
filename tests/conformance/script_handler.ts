/**
 * Handlers that run the steps in the query of this module's URL: so the same class is found in a
 * worker and in a child process.
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

const query = new URL(import.meta.url).searchParams.get("script");
const spec: HandlerSpec = JSON.parse(query ?? "{}");

// deno-lint-ignore no-explicit-any
type AnyHandler = new (...args: any[]) => BaseRequestHandler<any, any>;

/** The handler that does what the query says, over a class of the module. */
function scripted(Base: AnyHandler): AnyHandler {
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

/** The class that the query asks for. */
export const Handler: AnyHandler = scripted(
  {
    BaseRequestHandler,
    StreamRequestHandler,
    DatagramRequestHandler,
  }[spec.base ?? "BaseRequestHandler"],
);
