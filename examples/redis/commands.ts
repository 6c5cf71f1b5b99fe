/**
 * The commands on keys, with the words of Redis.
 *
 * @module
 */

import { type Bytes, fromLatin1, latin1 } from "./bytes.ts";
import { matches } from "./glob.ts";
import { type Reply, simple, type Version } from "./resp.ts";
import type { Store } from "./store.ts";

/** A command failed; the message begins with a code, mostly `ERR`. */
export class CommandError extends Error {}

/** The part of a client that commands use. */
export interface Client {
  readonly store: Store;
  readonly id: number;
  name: string;
  /** The version of the protocol. */
  version: Version;
}

export const OK = simple("OK");
const NOT_INTEGER = "ERR value is not an integer or out of range";
const [LOW, HIGH] = [-(2n ** 63n), 2n ** 63n - 1n];

/** The fewest and the most arguments, and the function that runs the command. */
export type Command = [
  fewest: number,
  most: number,
  run: (store: Store, args: Bytes[], client: Client) => Reply,
];

/** Checks a command before it runs, and returns its error. */
export function check(
  name: Bytes,
  args: Bytes[],
  command: Command | undefined,
): Reply | undefined {
  if (command === undefined) return unknown(latin1(name), args);
  const [fewest, most] = command;
  if (args.length >= fewest && args.length <= most) return undefined;
  const text = latin1(name).toLowerCase();
  return simple(`-ERR wrong number of arguments for '${text}' command`);
}

/** Runs a command, and returns its reply; an error is a reply too. */
export function run(
  [, , command]: Command,
  args: Bytes[],
  client: Client,
): Reply {
  try {
    return command(client.store, args, client);
  } catch (error) {
    if (error instanceof CommandError) return simple(`-${error.message}`);
    throw error;
  }
}

function unknown(name: string, args: Bytes[]): Reply {
  let shown = "";
  for (const arg of args) {
    if (shown.length >= 128) break;
    shown += `'${latin1(arg).slice(0, 128 - shown.length)}' `;
  }
  return simple(
    `-ERR unknown command '${
      name.slice(0, 128)
    }', with args beginning with: ${shown}`,
  );
}

export function integer(arg: Bytes, wrong = NOT_INTEGER): bigint {
  const text = latin1(arg);
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : HIGH + 1n;
  if (value < LOW || value > HIGH) throw new CommandError(wrong);
  return value;
}

/** Returns the time when a duration ends. */
function endOf(arg: Bytes, unit: number, command: string): number {
  const count = Number(integer(arg));
  const ends = Date.now() + count * unit;
  if (count <= 0 || !Number.isSafeInteger(ends)) {
    throw new CommandError(`ERR invalid expire time in '${command}' command`);
  }
  return ends;
}

/** SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL] */
function set(store: Store, [name, value, ...options]: Bytes[]): Reply {
  const key = latin1(name);
  const { condition, get, keep, ends } = parseSet(options);
  const old = store.get(key);
  const allowed = condition === undefined ||
    (condition === "XX") === (old !== undefined);
  if (allowed) {
    store.set(key, value, keep ? old?.ends : ends);
  }
  if (get) return old?.value ?? null;
  return allowed ? OK : null;
}

interface SetOptions {
  condition?: "NX" | "XX";
  get?: boolean;
  keep?: boolean;
  ends?: number;
}

function parseSet(options: Bytes[]): SetOptions {
  const parsed: SetOptions = {};
  for (let i = 0; i < options.length; i++) {
    const option = latin1(options[i]).toUpperCase();
    const timed = parsed.ends !== undefined || parsed.keep;
    if ((option === "NX" || option === "XX") && !parsed.condition) {
      parsed.condition = option;
    } else if (option === "GET") parsed.get = true;
    else if (option === "KEEPTTL" && !timed) parsed.keep = true;
    else if (/^[EP]X$/.test(option) && !timed && i + 1 < options.length) {
      const unit = option === "EX" ? 1000 : 1;
      parsed.ends = endOf(options[++i], unit, "set");
    } else throw new CommandError("ERR syntax error");
  }
  return parsed;
}

/** Adds to the number of a key. */
function add(store: Store, name: Bytes, amount: bigint): Reply {
  const key = latin1(name);
  const entry = store.get(key);
  const sum = amount + (entry === undefined ? 0n : integer(entry.value));
  if (sum < LOW || sum > HIGH) {
    throw new CommandError("ERR increment or decrement would overflow");
  }
  store.set(key, fromLatin1(String(sum)), entry?.ends);
  return sum;
}

function subtract(store: Store, name: Bytes, amount: bigint): Reply {
  if (amount === LOW) throw new CommandError("ERR decrement would overflow");
  return add(store, name, -amount);
}

/** Sets the time when a key expires; a time that has passed deletes the key. */
function expire(store: Store, [name, time]: Bytes[], unit: number): Reply {
  const key = latin1(name);
  const ends = Date.now() + Number(integer(time)) * unit;
  if (!Number.isSafeInteger(ends)) {
    const command = unit === 1 ? "pexpire" : "expire";
    throw new CommandError(`ERR invalid expire time in '${command}' command`);
  }
  const entry = store.get(key);
  if (entry === undefined) return 0;
  store.set(key, entry.value, ends);
  return 1;
}

/** Returns the time that a key has left: -1 if it does not expire, -2 if it does not exist. */
function left(store: Store, name: Bytes, unit: number): Reply {
  const entry = store.get(latin1(name));
  if (entry === undefined) return -2;
  if (entry.ends === Infinity) return -1;
  return Math.round((entry.ends - Date.now()) / unit);
}

function mset(store: Store, pairs: Bytes[]): Reply {
  if (pairs.length % 2 !== 0) {
    throw new CommandError("ERR wrong number of arguments for 'mset' command");
  }
  for (let i = 0; i < pairs.length; i += 2) {
    store.set(latin1(pairs[i]), pairs[i + 1]);
  }
  return OK;
}

/** FLUSHALL [ASYNC | SYNC] */
function flushall(store: Store, [how]: Bytes[]): Reply {
  if (how !== undefined && !/^a?sync$/i.test(latin1(how))) {
    throw new CommandError("ERR syntax error");
  }
  store.clear();
  return OK;
}

const count = (store: Store, keys: Bytes[], of: (key: string) => unknown) =>
  keys.filter((key) => store.get(latin1(key)) && of(latin1(key))).length;

/** The commands on keys, by names in lower case. */
export const KEY_COMMANDS: Record<string, Command> = {
  set: [2, Infinity, set],
  get: [1, 1, (store, [key]) => store.get(latin1(key))?.value ?? null],
  mget: [
    1,
    Infinity,
    (store, keys) => keys.map((key) => store.get(latin1(key))?.value ?? null),
  ],
  mset: [2, Infinity, mset],
  del: [
    1,
    Infinity,
    (store, keys) => count(store, keys, (key) => store.delete(key)),
  ],
  exists: [1, Infinity, (store, keys) => count(store, keys, () => true)],
  incr: [1, 1, (store, [key]) => add(store, key, 1n)],
  decr: [1, 1, (store, [key]) => add(store, key, -1n)],
  incrby: [2, 2, (store, [key, by]) => add(store, key, integer(by))],
  decrby: [2, 2, (store, [key, by]) => subtract(store, key, integer(by))],
  expire: [2, 2, (store, args) => expire(store, args, 1000)],
  pexpire: [2, 2, (store, args) => expire(store, args, 1)],
  ttl: [1, 1, (store, [key]) => left(store, key, 1000)],
  pttl: [1, 1, (store, [key]) => left(store, key, 1)],
  keys: [
    1,
    1,
    (store, [pattern]) =>
      store.keys().filter((key) => matches(latin1(pattern), key))
        .map(fromLatin1),
  ],
  dbsize: [0, 0, (store) => store.keys().length],
  flushall: [0, 1, flushall],
};
