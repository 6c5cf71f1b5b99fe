/**
 * References to the class of handlers: how a server makes one, how a worker or a child process loads the class in time,
 * and which options of the server the handlers there see.
 *
 * @module
 */

import { TimeoutError } from "../base/errors.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import {
  checkHandlerClass,
  type HandlerClass,
  isHandler,
} from "../server/handler_class.ts";
import { type HandlerPlace, loadModule } from "../server/module_loading.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";

/**
 * The milliseconds in which the module of a handler must load. Arbitrary: a busy machine takes ten seconds to start several
 * workers or children, and a module may connect to something first.
 */
const LOAD_MS = 60_000;

/** The module and the export of a class of handlers. */
export interface HandlerReference {
  /** The URL of the module. */
  readonly moduleUrl: string;
  /** The name under which the module exports it. */
  readonly exportName: string;
}

/** The static fields of a class that refer to its export. */
type Statics = Partial<Record<"moduleUrl" | "exportName", unknown>>;

/**
 * Returns the reference to a class of handlers, from its static fields.
 *
 * @param Class The class of handlers.
 * @param place The place in which it will run.
 * @throws {TypeError} if the fields are missing or wrong; the message says what to write.
 */
export function handlerReference(
  Class: unknown,
  place: HandlerPlace,
): HandlerReference {
  checkHandlerClass(Class);
  // the fields of a base class refer to the base class
  const own = (name: keyof Statics) =>
    Object.hasOwn(Class, name) ? (Class as Statics)[name] : undefined;
  const doing = `Cannot run ${Class.name || "the handler"} ${place}`;
  const moduleUrl = checkModuleUrl(own("moduleUrl"), doing);
  const exportName = own("exportName") ?? Class.name;
  if (typeof exportName !== "string" || exportName === "") {
    throw new TypeError(
      `${doing}: the class has no name; give it one, or write in it the name of its export: static readonly exportName = "default"`,
    );
  }
  return { moduleUrl, exportName };
}

function checkModuleUrl(moduleUrl: unknown, doing: string): string {
  if (typeof moduleUrl !== "string") {
    throw new TypeError(
      `${doing}: the class must be exported from its module and say where that is; write in the class itself: static readonly moduleUrl = import.meta.url`,
    );
  }
  if (URL.canParse(moduleUrl)) return moduleUrl;
  throw new TypeError(
    `${doing}: moduleUrl must be import.meta.url, got "${moduleUrl}"`,
  );
}

/**
 * Returns the class of handlers that a module exports.
 *
 * @param module The module.
 * @param exportName The name of the export.
 * @param place The place in which it runs.
 * @throws {TypeError} if the module does not export it; the message says what to write.
 */
export function exportedHandler(
  module: Record<string, unknown>,
  exportName: string,
  place: HandlerPlace,
): HandlerClass {
  const found = Object.hasOwn(module, exportName)
    ? module[exportName]
    : undefined;
  if (isHandler(found)) return found;
  const other = Object.keys(module).find((key) =>
    isHandler(module[key]) && module[key].name === exportName
  );
  const advice = other === undefined
    ? `write "export class ${exportName}"`
    : `it is exported as "${other}": write in the class: static readonly exportName = "${other}"`;
  throw new TypeError(
    `Cannot run ${exportName} ${place}: its module exports no class of handlers "${exportName}"; ${advice}`,
  );
}

/** Imports the module of a handler, and returns the class. */
export async function loadHandler(
  { moduleUrl, exportName }: HandlerReference,
  place: HandlerPlace,
): Promise<HandlerClass> {
  const module = await loadModule(place, () => import(moduleUrl));
  return exportedHandler(module, exportName, place);
}

/**
 * Calls `fail` if the module of a handler has not loaded in time.
 *
 * @param moduleUrl The URL of the module.
 * @param place The place in which the module loads.
 * @param fail Called with a TimeoutError.
 * @returns The timer. Clear it once the module has loaded, or cannot load any more.
 */
export function limitStart(
  moduleUrl: string,
  place: HandlerPlace,
  fail: (error: TimeoutError) => void,
): ReturnType<typeof setTimeout> {
  const message =
    `Cannot load the module of the handler ${place}: ${moduleUrl} has not loaded within ${
      LOAD_MS / 1000
    } s`;
  const details = { code: "ETIMEDOUT", syscall: "import" };
  return setUnrefTimeout(
    () => fail(new TimeoutError(message, details)),
    LOAD_MS,
  );
}

/**
 * Returns the options that the handlers in a child see.
 *
 * @param options The options of the server.
 * @param names The names of the options to select. Others, such as keys and passwords, stay in the server's process.
 * @throws {TypeError} if one of them is not plain data.
 */
export function selectOptions(
  options: object,
  names: readonly string[],
): Record<string, unknown> {
  const selected = Object.entries(options).filter(([name]) =>
    names.includes(name)
  );
  for (const [name, value] of selected) {
    if (isPlainData(value)) continue;
    throw new TypeError(
      `Cannot tell a child the option ${name}: it must be plain data, got ${
        inspect(value)
      }`,
    );
  }
  return Object.fromEntries(selected);
}

/** Reports whether a value is plain data, which a child gets unchanged. */
function isPlainData(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isPlainData);
  return Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isPlainData);
}

/** Returns the options of a server that are plain data, which the handlers in a worker see. */
export function plainOptions(
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => isPlainData(value)),
  );
}
