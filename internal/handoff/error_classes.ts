/**
 * The classes of errors that both sides of a thread or process boundary know.
 *
 * @module
 */

import * as family from "../base/errors.ts";
import * as tls from "../base/ssl_errors.ts";
import { DENO_ERRORS } from "../runtime/system/deno_api.ts";
import {
  IncompleteReadError,
  LimitOverrunError,
} from "../files/read_errors.ts";

/** The parts of an error that are plain data. */
export interface PlainParts {
  name: string;
  message: string;
  code?: string;
  errno?: number;
  syscall?: string;
  address?: string;
  /** The reason of an `SSLError`. */
  reason?: string;
  /** The number and the text of an `SSLCertVerificationError`. */
  verifyCode?: number;
  verifyMessage?: string;
  /** The count of bytes that an `IncompleteReadError` expected. */
  expected?: number;
  /** The count of a `LimitOverrunError`. */
  consumed?: number;
}

/** The parts of an error of a known class. */
export interface ErrorParts extends PlainParts {
  /** The bytes of an `IncompleteReadError`. */
  partial?: Uint8Array<ArrayBuffer>;
  /** The errors of an `AggregateError` or a `SuppressedError`. */
  errors?: unknown[];
  /** The cause, if there is one. */
  options?: ErrorOptions;
}

type Make = (parts: ErrorParts) => Error;
type AnyClass = abstract new (...args: never[]) => Error;
type PlainClass = new (message: string, options?: ErrorOptions) => Error;

/** A class of errors, and the way to create one. */
interface Kind {
  readonly Class: AnyClass;
  readonly make: Make;
}

/** Returns the kind of a class whose constructor takes the arguments of `Error`. */
function plain(Class: PlainClass): Kind {
  return { Class, make: ({ message, options }) => new Class(message, options) };
}

/** Returns the kind of a class of system errors. */
function os(Class: typeof family.OSError): Kind {
  return {
    Class,
    make: ({ message, options, code, syscall, address }) =>
      new Class(message, { ...options, code, syscall, address }),
  };
}

/** Returns the kind of a class of TLS errors. */
function ssl(Class: typeof tls.SSLError): Kind {
  return {
    Class,
    make: ({ message, options, ...parts }) =>
      new Class(message, { ...parts, ...options }),
  };
}

/** Returns kinds by the names of their classes. */
function named(kinds: Kind[]): [string, Kind][] {
  return kinds.map((kind) => [kind.Class.name, kind]);
}

const FAMILY = Object.values(family).filter((value) =>
  typeof value === "function" &&
  (value === family.OSError || value.prototype instanceof family.OSError)
) as (typeof family.OSError)[];

const BUILT_IN: PlainClass[] = [
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
];

/** The classes whose constructors take arguments of their own. */
const SPECIAL: Kind[] = [
  {
    Class: family.GaiError,
    make: ({ message, errno = 0, options, code, syscall, address }) =>
      new family.GaiError(message, errno, {
        ...options,
        code,
        syscall,
        address,
      }),
  },
  {
    Class: IncompleteReadError,
    make: ({ message, partial = new Uint8Array(0), expected }) =>
      new IncompleteReadError(message, partial, expected),
  },
  {
    Class: LimitOverrunError,
    make: ({ message, consumed = 0 }) =>
      new LimitOverrunError(message, consumed),
  },
  {
    Class: AggregateError,
    make: ({ message, errors = [], options }) =>
      new AggregateError(errors, message, options),
  },
  {
    Class: SuppressedError,
    make: ({ message, errors = [] }) =>
      new SuppressedError(errors[0], errors[1], message),
  },
  {
    Class: DOMException,
    make: ({ message, name }) => new DOMException(message, name),
  },
];

/** All kinds by name. A later one of the same name wins. Deno's classes share names with those of `OSError`. */
const KINDS = new Map<string, Kind>([
  ...named(FAMILY.map(os)),
  ...named(Object.values(tls).map(ssl)),
  ...named(BUILT_IN.map(plain)),
  ...named(SPECIAL),
  ...Array.from(DENO_ERRORS, ([name, Class]): [string, Kind] => [
    name,
    plain(Class),
  ]),
]);

const NAMES = new Map<unknown, string>(
  Array.from(KINDS, ([name, { Class }]) => [Class.prototype, name]),
);

/** Returns the name of the nearest known class of an error; undefined for a plain `Error`. */
export function errorKind(error: Error): string | undefined {
  for (
    let prototype = Object.getPrototypeOf(error);
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    const name = NAMES.get(prototype);
    if (name !== undefined) return name;
  }
}

/** Creates an error of a known class, or a plain `Error` if the class is unknown. */
export function makeError(kind: string | undefined, parts: ErrorParts): Error {
  const make = kind === undefined ? undefined : KINDS.get(kind)?.make;
  const error = make?.(parts) ?? new Error(parts.message, parts.options);
  if (parts.options !== undefined && !("cause" in error)) {
    defineHidden(error, "cause", parts.options.cause);
  }
  return error;
}

/** Defines an own property of an error that is not enumerable, like `message` and `stack`. */
export function defineHidden(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, {
    value,
    configurable: true,
    writable: true,
  });
}
