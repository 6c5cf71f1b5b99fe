/**
 * The children of a pool: how they start, retire and end.
 *
 * @module
 */

import type { AnyServer } from "../stages/event_types.ts";
import { childExit, childStart } from "../stages/events.ts";
import { settleReads } from "../waiting/turns.ts";
import type { AcceptingChildHooks } from "./accepting_child.ts";
import type { LaunchOptions } from "./forking_options.ts";
import { launch } from "./launch_child.ts";
import { PoolChild, type PoolChildOptions } from "./pool_child.ts";

/**
 * The milliseconds for which requests fail with the same error after a child could not load its module, so that a
 * broken module does not cost the start of a process for each request; and for which no child is started ahead of
 * requests after one that was killed while it loaded. Arbitrary.
 */
export const RETRY_MS = 1000;

/** The options of a pool. */
export interface ChildPoolOptions
  extends Pick<PoolChildOptions, "requestsPerChild" | "childTimeout"> {
  /** The most children at a time. */
  maxChildren: number;
}

/** The calls that a pool makes for children that accept, and for their connections. */
export interface PoolHooks extends AcceptingChildHooks {
  /** Called when a child has ended. */
  exited(child: PoolChild): void;
  /** Called when `maxConnections` or the suspension of the server may have changed. */
  changeAccepts(): void;
  /** Resolves when all connections that children have accepted until now are known. */
  settled(): Promise<void>;
}

/** The server of a pool. */
export interface ChildPoolServer {
  /** The server itself, for the events of the children. */
  readonly server: AnyServer;
  /** The options of each start of a child. */
  readonly launch: LaunchOptions;
  /** Returns the first message to a child. */
  readonly init: () => PoolChildOptions["init"];
  /** Stops the loop of the server. */
  readonly shutdown: () => Promise<void>;
  /** Accepts in the children; undefined if the server accepts. */
  readonly accepts?: PoolHooks;
  /** Called when a request is over a limit that its child looks after. */
  readonly onLimit: PoolChildOptions["onLimit"];
}

/** The calls of {@linkcode RunningChildren}. */
export interface RunningChildrenHooks {
  /** Called when a child may take another request, or has ended. */
  onCapacity(): void;
  /** Called with the error and the number of a child that something else has killed before it was ready. */
  onStartKilled(error: unknown, number: number): void;
}

/** Starts the children of a pool, ends those that are not needed, and remembers why the last one could not start. */
export class RunningChildren {
  readonly #server: ChildPoolServer;
  readonly #hooks: RunningChildrenHooks;
  readonly #children = new Set<PoolChild>();
  #failed: { error: unknown; until: number } | undefined;
  /** The time from which children may be started ahead of requests again. */
  #growsFrom = 0;
  #awaited = false;
  /** The number of children that were started, which is the number of the last one. */
  starts = 0;
  #draining = false;
  /** Whether the waits of handlers between two messages have ended for good. */
  #idleOver = false;
  #closed = false;
  /** The options for the children that start from now on. */
  options: ChildPoolOptions;
  /** The pids of the children; null before the first one starts. */
  pids: Set<number> | null = null;

  /**
   * @param server The server.
   * @param options The options of the pool.
   * @param hooks The calls for the children.
   */
  constructor(
    server: ChildPoolServer,
    options: ChildPoolOptions,
    hooks: RunningChildrenHooks,
  ) {
    this.#server = server;
    this.options = options;
    this.#hooks = hooks;
  }

  /** Iterates over the children. */
  [Symbol.iterator](): SetIterator<PoolChild> {
    return this.#children.values();
  }

  /** Whether there are as many children as there may be. */
  get full(): boolean {
    return this.#children.size >= this.options.maxChildren;
  }

  /** The reason why the last child could not start, while that is recent. */
  get failure(): unknown {
    for (const { failure } of this.#children) {
      if (failure !== undefined) return failure;
    }
    const failed = this.#failed;
    return failed && failed.until > performance.now()
      ? failed.error
      : undefined;
  }

  /** Returns a new child; undefined if it cannot start, as the running ones go on. */
  tryStart(): PoolChild | undefined {
    try {
      const child = this.start();
      return child.pid === undefined ? undefined : child;
    } catch (error) {
      this.#noteFailure(error);
      return undefined;
    }
  }

  #noteFailure(error: unknown): void {
    this.#failed = { error, until: performance.now() + RETRY_MS };
  }

  /** Returns a new child. Throws if this process may not start it. */
  start(): PoolChild {
    const { launch: how, init, shutdown, onLimit, accepts } = this.#server;
    const { moduleUrl } = how;
    const own = { init: init(), moduleUrl, shutdown, onLimit, accepts };
    const options = { ...this.options, ...own };
    const child = new PoolChild(launch(how), options, this.#hooks.onCapacity);
    this.#children.add(child);
    child.setAwaited(this.#awaited);
    if (this.#draining) child.tell({ type: "drain" });
    if (this.#idleOver) child.tell({ type: "endIdle" });
    const { pid } = child;
    this.pids ??= new Set();
    if (pid !== undefined) this.pids.add(pid);
    publishChild(this.#server.server, child);
    const number = ++this.starts;
    child.exited.then(() => this.#remove(child, number));
    return child;
  }

  /** Sets whether requests wait. Only then children that start keep the server's process alive. */
  setAwaited(awaited: boolean): void {
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    for (const child of this.#children) child.setAwaited(awaited);
  }

  #remove(child: PoolChild, number: number): void {
    this.#children.delete(child);
    if (child.pid !== undefined) this.pids!.delete(child.pid);
    if (child.failure !== undefined) this.#noteFailure(child.failure);
    else if (!child.ready) {
      this.#hooks.onStartKilled(child.requests.death, number);
    }
    if (!child.ready) this.#growsFrom = performance.now() + RETRY_MS;
    this.#hooks.onCapacity();
    if (!this.#closed) this.#server.accepts?.exited(child);
  }

  /**
   * Starts children until `count` answer. Returns false if one could not start, or has ended before it was ready, a second
   * ago at most; then none is started.
   */
  grow(count: number): boolean {
    const answering = () =>
      this.#children.values().filter(({ answers }) => answers)
        .toArray().length;
    while (!this.#closed && answering() < count) {
      if (this.full) break;
      const failed = this.failure !== undefined ||
        performance.now() < this.#growsFrom;
      if (failed || this.tryStart() === undefined) return false;
    }
    return true;
  }

  /** Ends idle children beyond the most. */
  retire(): void {
    if (this.#children.size <= this.options.maxChildren) return;
    const open = [...this.#children].filter((child) => child.open);
    let surplus = open.length - this.options.maxChildren;
    for (const child of open) {
      if (surplus <= 0) return;
      if (!child.ready || child.load > 0) continue;
      surplus--;
      child.leave();
    }
  }

  /**
   * Tells all children that the server shuts down, also those that start later. Their waits between two messages end after
   * the bytes that have arrived are on their way to the children.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const child of this.#children) child.tell({ type: "drain" });
    await settleReads();
    this.#idleOver = true;
    for (const child of this.#children) child.tell({ type: "endIdle" });
  }

  /**
   * Starts no more children.
   *
   * @param force Whether to kill those that have requests, or are not ready.
   */
  close(force: boolean): void {
    this.#closed = true;
    if (!force) return;
    for (const child of this.#children) {
      const idle = child.load === 0 && child.accepting.pausesAnswered;
      if (!idle || !child.ready) child.kill("the server was closed", "closed");
    }
  }

  /** Tells all children to exit after their last request. */
  leave(): void {
    for (const child of this.#children) child.leave("closed");
  }

  /** Resolves when all children that run now have exited. */
  async exited(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.exited));
  }
}

/** Publishes the start of a child process, and its end when it has exited. */
function publishChild(server: AnyServer, { pid, exited }: PoolChild): void {
  if (pid === undefined) return; // the process could not be started
  if (childStart.hasSubscribers) childStart.publish({ server, pid });
  exited.then((end) => {
    if (childExit.hasSubscribers) childExit.publish({ server, pid, ...end });
  });
}
