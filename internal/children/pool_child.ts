/**
 * The server's side of one child process.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { TimeoutError } from "../base/errors.ts";
import { fromFailure } from "../handoff/failure.ts";
import { limitStart } from "../handoff/handler_reference.ts";
import type { ChildExitReason } from "../stages/event_types.ts";
import { AcceptingChild, type AcceptingChildHooks } from "./accepting_child.ts";
import { type AssignedLimits, AssignedRequests } from "./assigned_requests.ts";
import { ShutdownCalls } from "./call_executor.ts";
import type { Job } from "./child_job.ts";
import {
  type ChildEnd,
  ChildLifetime,
  ChildProcessError,
  NotPassedError,
} from "./child_lifetime.ts";
import { ChildLink } from "./child_link.ts";
import type { JobEnd } from "./child_request.ts";
import type {
  DrainMessage,
  EndIdleMessage,
  FromChild,
  InitMessage,
  LimitIdleMessage,
  ReadyMessage,
} from "./messages.ts";

/** The options of a child. */
export interface PoolChildOptions extends AssignedLimits {
  /** The calls for connections that the child accepts itself; undefined if it gets them from the server. */
  accepts?: AcceptingChildHooks;
  /** The first message to the child. */
  init: Omit<InitMessage, "token">;
  /** The URL of the module of the handler. */
  moduleUrl: string;
  /** Stops the loop of the server. */
  shutdown: () => Promise<void>;
}

/** Gives requests to a child process, and settles them as the child reports. Owns the process and ends it. */
export class PoolChild {
  readonly #options: PoolChildOptions;
  readonly #onCapacity: () => void;
  readonly #lifetime: ChildLifetime;
  readonly #link: ChildLink;
  readonly #shutdowns: ShutdownCalls;
  readonly #starting: ReturnType<typeof setTimeout>;
  #toldToLeave = false;
  #stopping = false;
  /** The open requests of the child. */
  readonly requests: AssignedRequests;
  /** The accepts of the child. */
  readonly accepting: AcceptingChild;
  /** The pid of the child; undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended. */
  readonly exited: Promise<ChildEnd>;
  /** Whether the module of the handler is loaded. */
  ready = false;
  /** The error of a child that could not get ready. */
  failure: unknown;

  /**
   * @param process The process, which has just been started.
   * @param options The options.
   * @param onCapacity Called when the child may take another request.
   */
  constructor(
    process: ChildProcess,
    options: PoolChildOptions,
    onCapacity: () => void = () => {},
  ) {
    this.#options = options;
    this.#onCapacity = onCapacity;
    this.#shutdowns = new ShutdownCalls(options.shutdown);
    this.pid = process.pid;
    this.#lifetime = new ChildLifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#link = this.#linkTo(process);
    this.requests = this.#makeRequests();
    this.accepting = this.#makeAccepting();
    const crash = (error: unknown) => this.#crash(error);
    process.on("error", crash);
    this.#starting = limitStart(options.moduleUrl, "in another process", crash);
    this.#link.sendFirst(options.init);
    this.#idle();
  }

  #linkTo(process: ChildProcess): ChildLink {
    return new ChildLink(process, {
      onMessage: (message, handle) => this.#onMessage(message, handle),
      onMisuse: (error) =>
        this.kill(`it sent a message that cannot be understood: ${error}`),
      onLost: () => this.#lifetime.awaitExit(),
    });
  }

  #makeRequests(): AssignedRequests {
    return new AssignedRequests(this.#options, {
      exited: this.exited,
      link: this.#link,
      onAdded: () => this.#lifetime.keepAlive(true),
      onLate: (id) => this.#endLate(id),
      onAcknowledged: () => {
        this.accepting.liveness.turns = 0;
        this.#onCapacity();
      },
      onEnded: (id) => {
        if (id !== undefined && id < 0) this.accepting.ended();
        this.#idle();
      },
    });
  }

  #makeAccepting(): AcceptingChild {
    return new AcceptingChild({
      link: this.#link,
      requests: this.requests,
      hooks: this.#options.accepts,
      onCapacity: this.#onCapacity,
    });
  }

  /** The number of open requests of the child. */
  get load(): number {
    return this.requests.size;
  }

  /** Reports whether the child takes more requests, now or later. */
  get open(): boolean {
    return !this.#lifetime.leaving && !this.requests.exhausted;
  }

  /** Reports whether the child is open, and has answered its last probe. */
  get answers(): boolean {
    return this.open && !this.accepting.liveness.silent;
  }

  /**
   * Reports whether the child has acknowledged all of its requests, and those that it has accepted are known. A child
   * that is stopped or computes acknowledges none.
   */
  get caughtUp(): boolean {
    return this.requests.acknowledged && !this.accepting.sorting;
  }

  /**
   * Gives a child that is ready a request. Resolves when the handler has ended. Rejects with the error of the handler, or with a
   * `NotPassedError` if the process was killed before it could get the connection.
   */
  run(job: Job): Promise<JobEnd> {
    const id = this.requests.assigned + 1;
    const request = this.requests.add(id, job);
    const message = { ...job.message, id };
    if (job.socket === undefined) this.#link.send(message);
    else {
      this.#link.pass(message, {
        socket: job.socket,
        onLost: (error) => this.requests.fail(id, error),
        onPass: () => request.holdsConnection = false,
      });
    }
    return request.ended;
  }

  /** Kills the child: one of its requests has taken too long. */
  #endLate(id: number): void {
    const { childTimeout } = this.#options;
    const error = new TimeoutError(
      `Child process ${this.pid} was killed: the request took longer than childTimeout, ${childTimeout} s`,
      { code: "ETIMEDOUT", syscall: "handle" },
    );
    this.requests.lost++;
    this.requests.fail(id, error);
    this.kill(
      "another of its requests took longer than childTimeout",
      "timeout",
    );
  }

  /** Ends a child that accepts and is silent for `childTimeout`; asks others whether their event loops turn. */
  checkLiveness(): void {
    if (!this.ready || this.#lifetime.why !== undefined) return;
    const { childTimeout } = this.#options;
    const seconds = this.accepting.liveness.check();
    if (childTimeout === null || seconds < childTimeout) return;
    this.kill(
      `it has not answered for childTimeout, ${childTimeout} s`,
      "timeout",
    );
  }

  /** Handles a message of the child. Returns whether its handle is taken. */
  #onMessage(message: FromChild, handle?: object): boolean {
    this.accepting.liveness.hear();
    if (message.type === "returned" && this.accepting.offers) {
      this.accepting.takeReturned(message, handle);
      return true;
    }
    this.#dispatch(message);
    return false;
  }

  #dispatch(message: FromChild): void {
    switch (message.type) {
      case "ready":
        return this.#loaded(message);
      case "sync":
        return this.#link.synced();
      case "shutdown":
        return this.#shutdowns.execute(message, this.#link);
      case "acknowledge":
      case "call":
      case "done":
      case "error":
      case "idle":
      case "limit":
        return this.requests.onMessage(message);
      default:
        return this.accepting.onMessage(message);
    }
  }

  /**
   * Lets the child accept, or stop. Resolves when all that it has accepted until then is reported, or the child has ended.
   * A child that accepts keeps the process of the server alive.
   */
  pause(paused: boolean, each: boolean): Promise<void> {
    const answered = this.accepting.pause(
      paused || this.#lifetime.leaving,
      each,
    );
    this.#lifetime.keepAlive(!this.accepting.paused || this.load > 0);
    return Promise.race([answered, this.exited.then(() => {})]);
  }

  #loaded({ error }: ReadyMessage): void {
    if (this.ready) throw new TypeError("it was ready before");
    if (error !== undefined) return this.#crash(fromFailure(error));
    this.ready = true;
    clearTimeout(this.#starting);
    this.#link.synced();
    this.#idle();
    this.#onCapacity();
    this.#options.accepts?.update();
  }

  /** Ends a child that cannot start, or whose channel is broken. */
  #crash(error: unknown): void {
    if (!this.ready) this.failure = error;
    this.requests.failAll(error);
    if (this.ready) this.kill("its channel failed");
    else this.kill("it could not be made ready", "load");
  }

  /** Sets whether requests wait for the child while it starts. Then the child keeps the server's process alive. */
  setAwaited(awaited: boolean): void {
    if (!this.ready && this.open) this.#lifetime.keepAlive(awaited);
  }

  /**
   * Without requests, lets the server's process end unless the child accepts, and tells the child to exit if it takes no
   * more requests.
   */
  #idle(): void {
    if (this.load > 0) return;
    this.#lifetime.keepAlive(!this.accepting.paused && this.open);
    if (!this.open) this.leave();
  }

  /** Tells the child something about all of its requests. */
  tell(message: DrainMessage | EndIdleMessage | LimitIdleMessage): void {
    this.#link.send(message);
  }

  /** Tells the child to exit after its last request, and gives it no further one. */
  leave(why: ChildExitReason = "retired"): void {
    this.#lifetime.leaving = true;
    this.#lifetime.why ??= why;
    if (this.load > 0 || this.#toldToLeave) return;
    if (this.accepting.mayAccept) return void this.#stopAccepting(why);
    this.#toldToLeave = true;
    this.#link.send({ type: "leave" });
    this.#lifetime.awaitExit();
  }

  /** Lets the child accept no more. It may have accepted more than is known: that ends, or comes back, before it leaves. */
  async #stopAccepting(why: ChildExitReason): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const answered = this.pause(true, false);
    this.#lifetime.keepAlive(true); // closing the server waits for the answer, and then for the exit
    await answered;
    this.accepting.mayAccept = false;
    this.leave(why);
  }

  /** Kills the child. Its requests fail. */
  kill(reason: string, why?: ChildExitReason): void {
    this.#lifetime.kill(reason, why);
  }

  #exit(how: string): ChildEnd {
    clearTimeout(this.#starting);
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    this.requests.giveBack(new NotPassedError(error.message));
    this.requests.die(error);
    const { killedExternally, why } = this.#lifetime;
    const told = why === "closed" || why === "retired";
    if (!this.ready && !killedExternally && !told) this.failure ??= error;
    return this.#lifetime.describeEnd(this.requests.lost, this.ready);
  }
}
