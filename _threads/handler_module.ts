/**
 * Where a worker finds the class of handlers.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";

/** What a class of handlers says about itself, for a server that runs it elsewhere. */
interface Statics {
  readonly name: string;
  readonly moduleUrl?: unknown;
  readonly exportName?: unknown;
  readonly blocking?: unknown;
}

/** Which export of which module a class is. */
export interface HandlerReference {
  /** The URL of the module. */
  readonly url: string;
  /** The name of the export. */
  readonly name: string;
  /** Whether the handler blocks its worker. */
  readonly blocking: boolean;
}

/**
 * Reads off a class where a worker finds it.
 *
 * @param Class The class of handlers.
 * @throws {TypeError} when it does not say so.
 */
export function referenceOf(Class: Statics): HandlerReference {
  const own = (name: keyof Statics) =>
    Object.hasOwn(Class, name) ? Class[name] : undefined;
  const doing = `Cannot run ${Class.name || "the handler"} in a worker`;
  const url = own("moduleUrl");
  if (typeof url !== "string") {
    throw new TypeError(
      `${doing}: the class must be exported from its module and say where that is; write in the class itself: static readonly moduleUrl = import.meta.url`,
    );
  }
  const name = own("exportName") ?? Class.name;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `${doing}: the class has no name; give it one, or write in it: static readonly exportName = "the name of its export"`,
    );
  }
  return { url, name, blocking: Class.blocking === true };
}

/**
 * Throws where a worker may not read the module: workers read modules from the disk themselves.
 *
 * @param urls What the worker loads first.
 * @throws {PermissionError} that names the flag to add.
 */
export function checkReadable(...urls: string[]): void {
  for (const url of urls) {
    if (!url.startsWith("file:")) continue;
    const path = new URL(url);
    if (
      Deno.permissions.querySync({ name: "read", path }).state === "granted"
    ) {
      continue;
    }
    throw osError("EACCES", {
      syscall: "run handlers in workers",
      reason:
        `a worker reads its modules from the disk, such as ${url}; run again with --allow-read`,
    });
  }
}

/**
 * Loads the module and finds the class; for the worker.
 *
 * @throws {TypeError} when the module has no such class. What the module throws.
 */
export async function loadHandler<C>(reference: HandlerReference): Promise<C> {
  const { url, name } = reference;
  const module: Record<string, unknown> = await import(url);
  const Class = module[name] as { prototype?: { handle?: unknown } };
  if (typeof Class?.prototype?.handle === "function") return Class as C;
  const others = Object.entries(module)
    .filter(([, value]) => (value as { name?: unknown })?.name === name)
    .map(([exported]) => exported);
  const hint = others.length > 0
    ? `it is exported as "${
      others[0]
    }": write in the class: static readonly exportName = "${others[0]}"`
    : `write "export class ${name}"`;
  throw new TypeError(
    `Cannot run ${name} in a worker: the module ${url} exports no class of handlers "${name}"; ${hint}`,
  );
}
