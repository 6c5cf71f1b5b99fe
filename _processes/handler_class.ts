/**
 * Finding a handler's class again in another process.
 *
 * @module
 */

import type { RequestHandlerConstructor } from "../server.ts";

/** Where a handler's class comes from. */
export interface HandlerOrigin {
  /** The URL of its module. */
  moduleUrl: string;
  /** The name under which the module exports it. */
  exportName: string;
}

/** What a class says about itself. */
interface Described {
  readonly moduleUrl?: unknown;
  readonly exportName?: unknown;
}

/**
 * Reads from a class where it comes from.
 *
 * @throws {TypeError} when it does not say so; the message says what to write.
 */
export function originOf(Handler: RequestHandlerConstructor): HandlerOrigin {
  if (!isHandler(Handler)) {
    throw new TypeError(
      `Cannot make a server: RequestHandlerClass must be a class with a handle method, got ${
        Deno.inspect(Handler)
      }`,
    );
  }
  const { name } = Handler as RequestHandlerConstructor;
  const doing = `Cannot run ${name || "a handler"} in another process`;
  const { moduleUrl } = Handler as Described;
  const exportName = Object.hasOwn(Handler, "exportName")
    ? (Handler as Described).exportName
    : name; // what a base class says is not about this one
  if (!Object.hasOwn(Handler, "moduleUrl") || typeof moduleUrl !== "string") {
    throw new TypeError(
      `${doing}: the class must say where it is found. Export it from its module, and write in it: ` +
        `static readonly moduleUrl = import.meta.url;`,
    );
  }
  if (!URL.canParse(moduleUrl)) {
    throw new TypeError(
      `${doing}: moduleUrl must be import.meta.url, got ${
        Deno.inspect(moduleUrl)
      }`,
    );
  }
  if (typeof exportName !== "string" || exportName === "") {
    throw new TypeError(
      `${doing}: the class has no name. Give it one, or write in it the name of its export: ` +
        `static readonly exportName = "default";`,
    );
  }
  return { moduleUrl, exportName };
}

/**
 * Takes the class out of its module.
 *
 * @throws {TypeError} when the module does not export it; the message says what to write.
 */
export function handlerIn(
  module: Record<string, unknown>,
  exportName: string,
): RequestHandlerConstructor {
  const found = Object.hasOwn(module, exportName)
    ? module[exportName]
    : undefined;
  if (isHandler(found)) return found;
  const other = Object.keys(module).find((key) =>
    isHandler(module[key]) && module[key].name === exportName
  );
  const advice = other === undefined
    ? `write "export class ${exportName}"`
    : `it is exported as "${other}": write in it static readonly exportName = "${other}"`;
  throw new TypeError(
    `Cannot run ${exportName} in another process: its module does not export a handler of that name; ${advice}`,
  );
}

function isHandler(value: unknown): value is RequestHandlerConstructor {
  return typeof value === "function" &&
    typeof value.prototype?.handle === "function";
}
