/** Fake children and servers for the units of children: they only pass messages. */

import childProcess, { type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Socket as NetSocket } from "node:net";
import type { Job } from "../../internal/children/child_job.ts";
import { ChildPool } from "../../internal/children/child_pool.ts";
import type {
  ChildMessage,
  FromChild,
  ToChild,
} from "../../internal/children/messages.ts";
import { ParentLink } from "../../internal/children/parent_link.ts";
import {
  PoolChild,
  type PoolChildOptions,
} from "../../internal/children/pool_child.ts";
import type {
  ChildPoolOptions,
  ChildPoolServer,
} from "../../internal/children/running_children.ts";
import { type Address, Socket } from "../../mod.ts";
import { assertStrictEquals } from "../deps.ts";
import { FakeStream } from "../helpers/fakes.ts";

/** A fake child process: it records the messages to it, and a test sends its messages. */
class FakeChild extends EventEmitter {
  readonly pid = 1;
  connected = true;
  readonly sent: [message: ToChild, socket?: NetSocket][] = [];
  readonly signals: string[] = [];
  /** The error that `send` throws, or with which it fails later. */
  refusal: { thrown?: Error; later?: Error } = {};
  /** Whether messages are written; otherwise they wait. */
  writes = true;

  send(
    message: ToChild,
    socket: NetSocket | undefined,
    callback: (error: Error | null) => void,
  ): boolean {
    const { thrown, later } = this.refusal;
    if (thrown !== undefined) throw thrown;
    this.sent.push([message, socket]);
    if (later !== undefined) socket?.destroy();
    if (this.writes) queueMicrotask(() => callback(later ?? null));
    return true;
  }

  /** The types of the messages to the child. */
  get types(): string[] {
    return this.sent.map(([{ type }]) => type);
  }

  /** Sends a message, as the library in the child does, and passes a handle. */
  say(message: ChildMessage | Record<string, unknown>, handle?: object): void {
    const init = this.sent[0][0] as { token?: string };
    this.emit("message", { token: init.token, ...message }, handle);
  }

  kill(signal: string): boolean {
    this.signals.push(signal);
    this.emit("exit", null, signal);
    return true;
  }

  /** Exits. */
  exit(code: number): void {
    this.emit("exit", code, null);
  }

  /** Whether the child keeps the process of the server alive. */
  referenced = true;

  ref(): void {
    this.referenced = true;
  }
  unref(): void {
    this.referenced = false;
  }
  disconnect(): void {
    this.connected = false;
  }
}

/** A PoolChild, and the fake child under it. */
export interface FakePoolChild {
  child: FakeChild;
  poolChild: PoolChild;
}

/** Returns a PoolChild over a fake child that is ready. */
export function fakeReadyChild(
  options: Partial<PoolChildOptions> = {},
  freed?: () => void,
): FakePoolChild {
  const fake = fakeStartingChild(options, freed);
  fake.child.say({ type: "ready" });
  return fake;
}

/** Returns a PoolChild over a fake child that is not ready. */
export function fakeStartingChild(
  options: Partial<PoolChildOptions> = {},
  freed?: () => void,
): FakePoolChild {
  const child = new FakeChild();
  const poolChild = new PoolChild(child as unknown as ChildProcess, {
    init: {
      type: "init",
      exportName: "Echo",
      serverAddress: ["127.0.0.1", 0],
      shared: undefined,
      idleTimeout: null,
      options: {},
    },
    moduleUrl: "file:///handlers.ts",
    shutdown: () => Promise.resolve(),
    onLimit: () => {},
    requestsPerChild: Infinity,
    childTimeout: null,
    ...options,
  }, freed);
  return { child, poolChild };
}

/** Returns a PoolChild over a fake child that accepts. `run` gets the end of each request that the child accepts. */
export function fakeAcceptingChild(
  options: Partial<PoolChildOptions> = {},
  run: (ended: Promise<unknown>) => void = () => {},
): FakePoolChild {
  const nothing = () => {};
  const begin = () => ({ job: fakeJob(), run });
  const accepts = {
    begin,
    counted: nothing,
    returned: nothing,
    update: nothing,
    balance: nothing,
  };
  const fake = fakeReadyChild({ accepts, ...options });
  const unix = false;
  const message = { type: "listen", unix, backlog: 5, requests: 9 } as const;
  fake.poolChild.accepting.listen(message, {});
  fake.child.say({ type: "sync" });
  return fake;
}

/** A pool that starts fake children in place of processes, until it is disposed of. */
export class FakePool implements Disposable {
  /** The children that the pool has started. */
  readonly started: FakeChild[] = [];
  readonly pool: ChildPool;
  /** Whether the system refuses to start a process. */
  refuses = false;
  readonly #fork = childProcess.fork;
  #options = {
    maxChildren: 40,
    requestsPerChild: Infinity,
    childTimeout: null,
  };

  constructor(options: Partial<ChildPoolOptions> = {}) {
    const fork = () => {
      if (this.refuses) throw new Error("EAGAIN");
      const child = new FakeChild();
      this.started.push(child);
      return child;
    };
    Object.assign(childProcess, { fork });
    const moduleUrl = "file:///handlers.ts";
    const server = {
      launch: { moduleUrl, permissions: {}, env: {}, flags: [] },
      init: () => ({ type: "init" }),
      shutdown: () => Promise.resolve(),
    };
    this.pool = new ChildPool(
      server as unknown as ChildPoolServer,
      { ...this.#options, ...options },
    );
  }

  /** Runs a request. Resolves when it has ended, to the message of its error; without one to "". */
  async run(): Promise<string> {
    try {
      await this.pool.run(Socket.from(new FakeStream()), ["127.0.0.1", 1]);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  }

  [Symbol.dispose](): void {
    this.pool.close(true);
    for (const child of this.started) child.exit(0);
    Object.assign(childProcess, { fork: this.#fork });
  }
}

/** Returns a job without a request. */
export function fakeJob(rest: Partial<Job> = {}): Job {
  const client: Address = ["127.0.0.1", 1];
  const message: Job["message"] = { type: "request", kind: "relay", client };
  return { request: undefined, message, ...rest };
}

/** Returns a link without a server, its messages, and the callbacks of its sends. */
export function fakeLink(): {
  link: ParentLink;
  said: ChildMessage[];
  sent: (() => void)[];
} {
  const said: ChildMessage[] = [];
  const sent: (() => void)[] = [];
  const link = new ParentLink((message: FromChild, done) => {
    const { token, ...rest } = message;
    assertStrictEquals(token, "secret");
    said.push(rest);
    sent.push(() => done?.());
  });
  link.identify("secret");
  return { link, said, sent };
}
