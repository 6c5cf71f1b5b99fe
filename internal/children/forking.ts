/**
 * The forking mix-in. Checks the options; the pool of child processes is loaded at the first request.
 *
 * @module
 */

import { concurrent, type ServerConstructor } from "../server/concurrent.ts";
import { idleTimeoutOf } from "../requests/limit_settings.ts";
import { noteLimit } from "../requests/note_limit.ts";
import type { Acceptors } from "./acceptors.ts";
import { Start } from "../waiting/start.ts";
import {
  acceptInOf,
  cannotHandleOne,
  checkServesElsewhere,
  ownServers,
} from "../server/accept_in.ts";
import { bindPassable, parkedListenerOf } from "../server/bind_passable.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { afterDrain } from "../server/drain.ts";
import type { ServeForeverOptions } from "../stages/server_options.ts";
import { untimedActions } from "../server/loop_waiter.ts";
import type {
  ServerCloseOptions,
  ServerCloseReport,
  SocketServer,
} from "../../server.ts";
import { type Address, Socket } from "../../socket.ts";
import { checkNotLoading } from "../server/module_loading.ts";
import {
  checkFresh,
  checkLimits,
  type ForkingSettings,
  forkingSettings,
} from "./forking_settings.ts";
import type { PoolChildOptions } from "./pool_child.ts";
import type { ChildPool } from "./child_pool.ts";
import type { ChildPoolOptions } from "./running_children.ts";
import type { CollectOptions, ForkingStatics } from "./forking_options.ts";

/** Returns a subclass of a server that runs the handlers in child processes. */
export function forking<B extends ServerConstructor>(Base: B) {
  abstract class Forking extends concurrent(Base) {
    static maxChildren = 40;
    static requestsPerChild = Infinity;
    static childTimeout: number | null = null;
    static childPermissions: ForkingStatics["childPermissions"] = {};
    static childEnv: ForkingStatics["childEnv"] = null;
    static childFlags: readonly string[] = [];
    static childOptions: readonly string[] = [];
    static acceptIn: ForkingStatics["acceptIn"] = "parent";

    readonly #settings: ForkingSettings;
    #limits: ChildPoolOptions;
    #pool: ChildPool | undefined;
    #closed = false;
    #acceptors: Acceptors | undefined;

    static {
      Object.defineProperty(this, "name", { value: `Forking${Base.name}` });
      untimedActions.add(this.prototype.serviceActions);
      ownServers.add(this.prototype);
    }

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      checkNotLoading(); // first, as a child lacks what the rest needs
      const settings = forkingSettings(new.target, args);
      const acceptIn = acceptInOf(new.target, args, "children");
      if (acceptIn === "children") checkFresh(settings.limits.requestsPerChild);
      super(...args);
      if (acceptIn === "children") requestsOf(this).acceptedIn = acceptIn;
      this.#settings = settings;
      this.#limits = settings.limits;
    }

    /** Returns the first message to a child. */
    #firstMessage(): PoolChildOptions["init"] {
      return {
        type: "init",
        exportName: this.#settings.exportName,
        serverAddress: this.serverAddress,
        shared: this.shared,
        options: this.#settings.childOptions,
        idleTimeout: idleTimeoutOf(this),
      };
    }

    get acceptIn(): ForkingStatics["acceptIn"] {
      return this.options.acceptIn; // and not a field: the base constructor binds
    }

    get maxChildren(): number {
      return this.#limits.maxChildren;
    }

    set maxChildren(maxChildren: number) {
      this.#set({ maxChildren });
    }

    get requestsPerChild(): number {
      return this.#limits.requestsPerChild;
    }

    set requestsPerChild(requestsPerChild: number) {
      this.#set({ requestsPerChild });
    }

    get childTimeout(): number | null {
      return this.#limits.childTimeout;
    }

    set childTimeout(childTimeout: number | null) {
      this.#set({ childTimeout });
    }

    #set(change: Partial<ChildPoolOptions>): void {
      const limits = checkLimits({ ...this.#limits, ...change });
      if (this.acceptIn === "children") checkFresh(limits.requestsPerChild);
      this.#limits = limits;
      this.#pool?.setOptions(limits);
    }

    get activeChildren(): ReadonlySet<number> | null {
      return this.#pool?.children.pids ?? null;
    }

    serverBind(): void | Promise<void> {
      // deno-lint-ignore no-explicit-any
      const server = this as any as SocketServer<unknown>;
      if (bindPassable(server, this.acceptIn === "children")) return;
      return (Base.prototype as SocketServer<unknown>).serverBind.call(this);
    }

    /** Serves; with `acceptIn: "children"` the children accept meanwhile. */
    override async serveForever(options?: ServeForeverOptions): Promise<void> {
      if (this.acceptIn === "parent" || this.status.state === "serving") {
        return await super.serveForever(options);
      }
      checkServesElsewhere(this, "children");
      const serving = super.serveForever(options);
      let ended = false;
      const end = () => ended = true;
      serving.then(end, end);
      try {
        const accepting = this.#accept(() => ended);
        await Promise.race([serving, accepting.then(() => serving)]);
      } finally {
        await this.#acceptors?.stop();
      }
    }

    /** Lets the children accept, once the server has started. */
    async #accept(ended: () => boolean): Promise<void> {
      await Start.of(this)?.wait();
      // deno-lint-ignore no-explicit-any
      const { socket } = this as any as SocketServer<unknown>;
      const listener = parkedListenerOf(socket);
      const pool = await this.#startPool();
      if (!ended()) this.#acceptors!.start(pool, listener);
    }

    override async shutdown(): Promise<void> {
      const stopped = super.shutdown();
      await this.#acceptors?.stop();
      await stopped;
    }

    override async handleRequest(): Promise<void> {
      if (this.acceptIn === "children") throw cannotHandleOne("children");
      await super.handleRequest();
    }

    override async finishRequest(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      const accepted = this.#acceptors?.endOf(request);
      if (accepted !== undefined) {
        const { ms, idle } = await accepted;
        this.#pool?.record(ms);
        if (idle) requestsOf(this).endIdle(request);
        return;
      }
      const pool = this.#pool ?? await this.#startPool();
      const idle = await pool.run(request, clientAddress);
      if (idle) requestsOf(this).endIdle(request);
    }

    /** Loads and creates the pool. */
    async #startPool(): Promise<ChildPool> {
      const { ChildPool, closedError } = await import("./child_pool.ts");
      const accepts = await this.#makeAcceptors();
      if (this.#closed) throw closedError();
      if (this.#pool === undefined) {
        this.#pool = requestsOf(this).pool = new ChildPool({
          server: this,
          launch: this.#settings.launch,
          init: () => this.#firstMessage(),
          shutdown: async () => await this.shutdown(),
          onLimit: (limit, client) => noteLimit(this, limit, client),
          accepts,
        }, this.#limits);
      }
      return this.#pool;
    }

    /** Loads and creates the acceptors; returns undefined if the server accepts. */
    async #makeAcceptors(): Promise<Acceptors | undefined> {
      if (this.acceptIn === "parent") return undefined;
      const { Acceptors } = await import("./acceptors.ts");
      // deno-lint-ignore no-explicit-any
      const server = this as any as SocketServer<unknown>;
      return this.#acceptors ??= new Acceptors(server, requestsOf(this));
    }

    override async shutdownRequest(request: unknown): Promise<void> {
      const handedOver = request instanceof Socket && request.fileno() === -1;
      await (handedOver
        ? this.closeRequest(request)
        : super.shutdownRequest(request));
    }

    async collectChildren({ blocking = false }: CollectOptions = {}): Promise<
      void
    > {
      if (blocking) await this.#pool?.children.exited();
    }

    override async handleTimeout(): Promise<void> {
      await this.collectChildren();
    }

    override async serviceActions(): Promise<void> {
      await this.collectChildren();
    }

    override async serverClose(
      options: ServerCloseOptions = {},
    ): Promise<ServerCloseReport> {
      const startedAt = performance.now();
      if (this.#acceptors === undefined) return await this.#close(options);
      await this.#acceptors.stop(); // the requests that it has are known then
      const { timeout } = options;
      const passed = (performance.now() - startedAt) / 1000;
      const left = typeof timeout === "number"
        ? { timeout: Math.max(0, timeout - passed) }
        : options;
      return await this.#close(left);
    }

    async #close(options: ServerCloseOptions): Promise<ServerCloseReport> {
      const closing = super.serverClose(options);
      void this.#pool?.drain();
      try {
        return await closing;
      } finally {
        await afterDrain(this, async () => {
          this.#closed = true;
          this.#pool?.close(this.blockOnClose);
          await this.collectChildren({ blocking: this.blockOnClose });
        });
      }
    }
  }
  return Forking;
}
