/**
 * Scenarios are plain data, which both runners read (`world.ts`, `world.py`).
 *
 * A step is `["names = target.method", ...arguments]`, all in Python's names. Without a target the
 * method is a function of `socket`, or one of the runner's own words:
 *
 * - `bytearray n`: a buffer; `file bytes`: a file on disk with that content, open for reading
 * - `show name`: writes a value down; `lines name`: all lines of a file, by iteration
 * - `drain name`: receives until the end; `take name n`: receives until there are n bytes
 * - `with name`: enters and leaves a `with` block; `raise text`: throws
 * - `create_tls_connection address`: `create_connection`, and then the handshake of a client
 * - `tell`: a handler sends its client what it has written down so far
 * - `join name`: waits for a step that was begun in the background, `"&name = target.method"`
 *
 * `target.name?` reads an attribute. A step that begins with `!` does not catch its error: it ends
 * the handler. Each step writes one line: its result or its error.
 *
 * @module
 */

/** An argument of a step. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Value[]
  /** Bytes, as Latin-1. */
  | { bytes: string }
  /** A result that was named. */
  | { ref: string }
  /** A constant of `socket`, or several with `|`. */
  | { const: string }
  /** The address that a socket or a server has. */
  | { addr: string }
  /** A path in a directory that the scenario has to itself. */
  | { tmp: string }
  /** Keyword arguments; the last argument only. */
  | { kw: Record<string, Value> };

/** One step. */
export type Step = [what: string, ...args: Value[]];

/** The steps of a handler. */
export interface HandlerSpec {
  base:
    | "BaseRequestHandler"
    | "StreamRequestHandler"
    | "DatagramRequestHandler";
  /** Class attributes, in Python's names. */
  attrs?: Record<string, Value>;
  setup?: Step[];
  handle?: Step[];
  finish?: Step[];
}

/** A server, which the steps find as `server`. */
export interface ServerSpec {
  transport: Transport;
  way: Way;
  handler: HandlerSpec;
  /** Class attributes, in Python's names. */
  attrs?: Record<string, Value>;
  /** The methods that are written down when they are called; a value other than null is their result. */
  hooks?: Record<string, Value | { raises: string }>;
  /** Whether the steps serve, with `handle_request`; otherwise `serve_forever` runs. */
  manual?: boolean;
}

/** The servers without a mix-in. `TLSServer` is a `TCPServer` that speaks TLS. */
export type Transport =
  | "TCPServer"
  | "TLSServer"
  | "UDPServer"
  | "UnixStreamServer"
  | "UnixDatagramServer";

/** How requests are run. `Async` is compared with Python's `Threading`. */
export type Way = "" | "Async" | "Threading" | "Forking";

/** One scenario. */
export interface Scenario {
  name: string;
  server?: ServerSpec;
  steps: Step[];
  /** The differences that show here: names of rows of docs/differences.md. */
  differs?: string[];
}

/** Bytes. */
export const b = (bytes: string) => ({ bytes });
/** A result that was named. */
export const ref = (name: string) => ({ ref: name });
/** A constant, or several with `|`. */
export const C = (names: string) => ({ const: names });
/** The address of a socket or a server. */
export const addr = (name: string) => ({ addr: name });
/** A path in the scenario's own directory. */
export const tmp = (name: string) => ({ tmp: name });
/** Connects `x` and `y` over TCP: `socketpair` is of Unix sockets in Python. */
export const TCP_PAIR: Step[] = [
  ["l = create_server", ["127.0.0.1", 0]],
  ["x = create_connection", addr("l")],
  ["y, from = l.accept"],
];

/** Keyword arguments. */
export const kw = (args: Record<string, Value>) => ({ kw: args });
