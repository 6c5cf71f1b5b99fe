/**
 * The state of a client, and the commands that it has queued for EXEC.
 *
 * @module
 */

import { type Bytes, latin1 } from "./bytes.ts";
import {
  check,
  type Client,
  type Command,
  KEY_COMMANDS,
  OK,
  run,
} from "./commands.ts";
import { CONNECTION_COMMANDS } from "./connection.ts";
import { NULL_ARRAY, type Reply, simple, type Version } from "./resp.ts";
import type { Store, Watcher } from "./store.ts";

/** The most commands, and the most bytes, that wait for EXEC; arbitrary. */
const QUEUE_MAX = 10_000;
const QUEUE_SIZE_MAX = 16 << 20;

const QUEUED = simple("QUEUED");
const DISCARDED = simple(
  "-EXECABORT Transaction discarded because of previous errors.",
);

/** Commands between MULTI and EXEC. */
interface Transaction {
  queue: [Command, Bytes[]][];
  size: number;
  /** Whether one of them failed its check. */
  failed: boolean;
}

let clients = 0;

/** The settings of a client, and its transaction. */
export class Session implements Client, Watcher, Disposable {
  readonly store: Store;
  readonly id: number = ++clients;
  name = "";
  version: Version = 2;
  changed = false;
  /** Whether to close the connection. */
  ended = false;
  /** Whether the client speaks HTTP: a web page must not be able to send commands through a browser. */
  isHttp = false;
  #watched = new Set<string>();
  #transaction: Transaction | undefined;

  constructor(store: Store) {
    this.store = store;
  }

  /** Runs a command, or queues it for EXEC. */
  execute([name, ...args]: Bytes[]): Reply {
    const text = latin1(name).toLowerCase();
    const command = COMMANDS.get(text);
    const wrong = check(name, args, command);
    const transaction = this.#transaction;
    if (wrong !== undefined) {
      if (transaction !== undefined) transaction.failed = true;
      return wrong;
    }
    return transaction === undefined || UNQUEUED.has(text)
      ? run(command!, args, this)
      : enqueue(transaction, command!, args);
  }

  multi(): Reply {
    if (this.#transaction !== undefined) {
      return simple("-ERR MULTI calls can not be nested");
    }
    this.#transaction = { queue: [], size: 0, failed: false };
    return OK;
  }

  exec(): Reply {
    const transaction = this.#transaction;
    if (transaction === undefined) return simple("-ERR EXEC without MULTI");
    const { changed } = this;
    this.#transaction = undefined;
    this.unwatch();
    if (transaction.failed) return DISCARDED;
    if (changed) return NULL_ARRAY;
    return transaction.queue.map(([command, args]) => run(command, args, this));
  }

  discard(): Reply {
    if (this.#transaction === undefined) {
      return simple("-ERR DISCARD without MULTI");
    }
    this.#transaction = undefined;
    return this.unwatch();
  }

  watch(keys: Bytes[]): Reply {
    if (this.#transaction !== undefined) {
      return simple("-ERR WATCH inside MULTI is not allowed");
    }
    for (const key of keys.map(latin1)) {
      this.#watched.add(key);
      this.store.watch(key, this);
    }
    return OK;
  }

  unwatch(): Reply {
    for (const key of this.#watched) this.store.unwatch(key, this);
    this.#watched.clear();
    this.changed = false;
    return OK;
  }

  reset(): Reply {
    this.#transaction = undefined;
    this.unwatch();
    this.name = "";
    this.version = 2;
    return simple("RESET");
  }

  quit(): Reply {
    this.ended = true;
    return OK;
  }

  refuse(): Reply {
    this.isHttp = true;
    return null;
  }

  [Symbol.dispose](): void {
    this.unwatch();
  }
}

function enqueue(
  transaction: Transaction,
  command: Command,
  args: Bytes[],
): Reply {
  const { queue } = transaction;
  transaction.size += args.reduce((sum, { length }) => sum + length, 0);
  if (queue.length >= QUEUE_MAX || transaction.size > QUEUE_SIZE_MAX) {
    transaction.failed = true;
    return simple("-ERR the transaction is too large");
  }
  queue.push([command, args]);
  return QUEUED;
}

const of = (client: Client): Session => client as Session;

const SESSION_COMMANDS: Record<string, Command> = {
  multi: [0, 0, (_store, _args, client) => of(client).multi()],
  exec: [0, 0, (_store, _args, client) => of(client).exec()],
  discard: [0, 0, (_store, _args, client) => of(client).discard()],
  watch: [1, Infinity, (_store, args, client) => of(client).watch(args)],
  unwatch: [0, 0, (_store, _args, client) => of(client).unwatch()],
  reset: [0, 0, (_store, _args, client) => of(client).reset()],
  quit: [0, Infinity, (_store, _args, client) => of(client).quit()],
  post: [0, Infinity, (_store, _args, client) => of(client).refuse()],
  "host:": [0, Infinity, (_store, _args, client) => of(client).refuse()],
};

/** The commands that run at once in a transaction. */
const UNQUEUED = new Set(
  Object.keys(SESSION_COMMANDS).filter((name) => name !== "unwatch"),
);

/** All commands, by names in lower case. */
const COMMANDS: Map<string, Command> = new Map(Object.entries({
  ...KEY_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...SESSION_COMMANDS,
}));
