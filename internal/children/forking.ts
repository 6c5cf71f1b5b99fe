/**
 * The forking mix-in. Checks the options; the pool of child processes is loaded at the first request.
 *
 * @module
 */

import {
  checkMax,
  concurrent,
  type MixInOptions,
  type ServerConstructor,
} from "../server/concurrent.ts";
import { afterDrain, requestsOf } from "../server/request_registry.ts";
import { untimedActions } from "../server/loop_waiter.ts";
import type {
  RequestHandlerConstructor,
  ServerCloseOptions,
  ServerCloseReport,
  SocketServer,
} from "../../server.ts";
import { type Address, SOCK_STREAM, Socket } from "../../socket.ts";
import { checkAddress } from "../base/address.ts";
import { checkPathOptions } from "../base/arguments.ts";
import {
  handlerReference,
  selectOptions,
} from "../handoff/handler_reference.ts";
import { checkNotLoading } from "../handoff/handler_reference.ts";
import { checkMayFork, permissionFlags } from "../handoff/permissions.ts";
import { canPass, openNodeListener } from "../runtime/open_node_listener.ts";
import type { PoolChildOptions } from "./pool_child.ts";
import type { ChildPool, ChildPoolOptions } from "./child_pool.ts";
import type {
  CollectOptions,
  ForkingOptions,
  ForkingStatics,
  LaunchOptions,
} from "./forking_options.ts";

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

    readonly #launch: LaunchOptions;
    readonly #init: () => PoolChildOptions["init"];
    #limits: ChildPoolOptions;
    #pool: ChildPool | undefined;
    #closed = false;

    static {
      Object.defineProperty(this, "name", { value: `Forking${Base.name}` });
      untimedActions.add(this.prototype.serviceActions);
    }

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      checkNotLoading(); // first, as a child lacks what the rest needs
      const Handler: RequestHandlerConstructor = args[1];
      const options: MixInOptions & ForkingOptions = args[2] ?? {};
      const statics = new.target as unknown as ForkingStatics;
      const origin = handlerReference(Handler, "in another process");
      const limits = checkPool(poolOptions(options, statics));
      const launch = checkLaunch(
        launchOptions(origin.moduleUrl, options, statics),
      );
      const told = selectOptions(options, namesOf(options, statics));
      super(...args);
      const { exportName } = origin;
      this.#limits = limits;
      this.#launch = launch;
      this.#init = () => ({
        type: "init",
        exportName,
        serverAddress: this.serverAddress,
        options: told,
      });
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
      this.#limits = checkPool({ ...this.#limits, ...change });
      if (this.#pool !== undefined) this.#pool.options = this.#limits;
    }

    get activeChildren(): ReadonlySet<number> | null {
      return this.#pool?.pids ?? null;
    }

    serverBind(): void {
      // deno-lint-ignore no-explicit-any
      const server = this as any as SocketServer<unknown>;
      const { addressFamily, socketType, allowReusePort } = server;
      const { pathMode, replaceStalePath } = server;
      if (
        socketType !== SOCK_STREAM || allowReusePort || !canPass() ||
        hasScope(server.serverAddress)
      ) {
        return (Base.prototype as SocketServer<unknown>).serverBind.call(this);
      }
      const address = checkAddress(
        addressFamily,
        server.serverAddress,
        "bind",
      );
      checkPathOptions(address, { pathMode, replaceStalePath });
      const listener = openNodeListener({
        family: addressFamily,
        address,
        backlog: server.requestQueueSize,
        pathMode,
        replaceStalePath,
      });
      server.socket.close();
      server.socket = Socket.from(listener);
      server.serverAddress = server.socket.getsockname();
    }

    override async finishRequest(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      const pool = this.#pool ?? await this.#startPool();
      await pool.run(request, clientAddress);
    }

    /** Loads and creates the pool. */
    async #startPool(): Promise<ChildPool> {
      const { ChildPool } = await import("./child_pool.ts");
      if (this.#closed) throw new Error("Cannot fork: the server is closed");
      if (this.#pool === undefined) {
        this.#pool = new ChildPool(this.#launch, this.#init, this.#limits);
        if (requestsOf(this).draining) this.#pool.drain();
      }
      return this.#pool;
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
      if (blocking) await this.#pool?.exited();
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
      const closing = super.serverClose(options);
      this.#pool?.drain();
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

/** Reports whether an address names an interface, such as `fe80::1%eth0`: `node:net` cannot bind to that. */
function hasScope(address: Address): boolean {
  return Array.isArray(address) && String(address[0]).includes("%");
}

/** Returns the launch options: those given, or else the static fields of the class. */
function launchOptions(
  moduleUrl: string,
  options: ForkingOptions,
  statics: ForkingStatics,
): LaunchOptions {
  const { childEnv: env } = options;
  return {
    moduleUrl,
    permissions: options.childPermissions ?? statics.childPermissions,
    env: env === undefined ? statics.childEnv : env,
    flags: options.childFlags ?? statics.childFlags,
  };
}

/** Returns the names of the options that handlers see: those given, or else the static field of the class. */
function namesOf(
  options: ForkingOptions,
  statics: ForkingStatics,
): readonly string[] {
  const names = options.childOptions ?? statics.childOptions;
  if (
    Array.isArray(names) && names.every((name) => typeof name === "string")
  ) return names;
  throw new TypeError(
    `Cannot set childOptions: it must be a list of names, got ${
      Deno.inspect(names)
    }`,
  );
}

/** Returns the options of the pool: those given, or else the static fields of the class. */
function poolOptions(
  options: ForkingOptions,
  statics: ForkingStatics,
): ChildPoolOptions {
  const { childTimeout: timeout } = options;
  return {
    maxChildren: options.maxChildren ?? statics.maxChildren,
    requestsPerChild: options.requestsPerChild ?? statics.requestsPerChild,
    childTimeout: timeout === undefined ? statics.childTimeout : timeout,
  };
}

/** Returns the options of the pool. Throws a RangeError if one is out of range. */
function checkPool(options: ChildPoolOptions): ChildPoolOptions {
  checkMax(options.maxChildren, "maxChildren");
  checkMax(options.requestsPerChild, "requestsPerChild");
  const { childTimeout } = options;
  if (childTimeout !== null && !(childTimeout > 0)) {
    throw new RangeError(
      `Cannot set childTimeout: it must be a positive number of seconds, or null, got ${childTimeout}`,
    );
  }
  return options;
}

/**
 * Returns the launch options if a child can start with them, so that a mistake fails in the constructor and not at the
 * first request.
 *
 * @throws {PermissionError} if this process lacks a permission.
 * @throws {TypeError} if an option does not have the right shape.
 */
function checkLaunch(options: LaunchOptions): LaunchOptions {
  checkEnv(options.env);
  checkMayFork();
  checkFlags(options.flags);
  permissionFlags(options.permissions);
  return options;
}

/** Throws a TypeError unless `env` holds only strings. */
function checkEnv(env: Record<string, string> | null): void {
  if (env === null) return;
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === "string") continue;
    throw new TypeError(
      `Cannot set childEnv: ${name} must be a string, got ${
        Deno.inspect(value)
      }`,
    );
  }
}

/**
 * Checks that `flags` are flags for `deno run` that do not change the permissions.
 *
 * @throws {TypeError} if one is not; the message shows it.
 */
function checkFlags(flags: readonly string[]): void {
  for (const flag of flags) {
    if (
      typeof flag !== "string" ||
      !/^--[a-z]/.test(flag) || /^--(allow-|permission-set)/.test(flag)
    ) {
      throw new TypeError(
        `Cannot set childFlags: each must begin with -- and leave the permissions to childPermissions, got ${
          Deno.inspect(flag)
        }`,
      );
    }
  }
}
