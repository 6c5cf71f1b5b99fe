/**
 * The children that accept connections by themselves, and the credits that they share.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { hasRequestSubscribers } from "../requests/observed_request.ts";
import { noteLimit } from "../requests/note_limit.ts";
import type { Requests } from "../requests/request_registry.ts";
import type { ParkedListener } from "../runtime/node/parked_listener.ts";
import type { AnyServer } from "../stages/event_types.ts";
import type { ChildPool } from "./child_pool.ts";
import { type PoolHooks, RETRY_MS } from "./running_children.ts";
import type { Job } from "./child_job.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import { closedSocket } from "../server/accept_in.ts";
import { runTask } from "../server/request_stages.ts";
import type { JobEnd } from "./child_request.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import { BUSY_CHILDREN_MAX } from "./child_survey.ts";
import type { EndedMessage } from "./accept_messages.ts";
import type { AcceptedJob, AcceptingChild } from "./accepting_child.ts";
import type { PoolChild } from "./pool_child.ts";

/** Stands for no limit, because credit is granted in whole numbers. */
const UNLIMITED = 1e9;

/**
 * The most milliseconds that a stop waits until the children report that they no longer accept. A child whose handler computes
 * accepts nothing meanwhile. Arbitrary.
 */
const STOP_MS = 1000;

/**
 * The interval in ms at which the server asks children that it has not heard whether their event loops turn. One that does
 * not answer until the next time counts as one that computes. Arbitrary.
 */
const PROBE_MS = 250;

/** A server whose children accept. */
type AcceptingServer = AnyServer & { readonly socket: Socket };

/**
 * Lets children accept, as many as processors and one more, and replaces those that end. Each has credit: requests that it
 * may have open. All credits, the open requests and what the server keeps for connections that children return are never
 * more than `maxConnections`, so a child that dies frees its credits only when its connections are closed.
 *
 * While no child can accept, because handlers may compute in all of them, the server accepts itself, and the pool finds a
 * child for each connection as it does with `acceptIn: "parent"`.
 */
export class Acceptors implements PoolHooks {
  readonly #server: AcceptingServer;
  readonly #requests: Requests;
  readonly #accepting = new Set<PoolChild>();
  #pool: ChildPool | undefined;
  #listener: ParkedListener | undefined;
  /** The ends of the requests whose connections children have accepted. */
  readonly #ends = new WeakMap<object, Promise<JobEnd>>();
  #on = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #reportsEach = false;
  #prober: ReturnType<typeof setInterval> | undefined;

  /**
   * @param server The server.
   * @param requests Its requests.
   */
  constructor(server: AcceptingServer, requests: Requests) {
    this.#server = server;
    this.#requests = requests;
  }

  /** Lets the children of a pool accept on a listening socket. */
  start(pool: ChildPool, listener: ParkedListener): void {
    this.#pool = pool;
    this.#listener = listener;
    listener.onTaken = () => this.balance();
    this.#on = true;
    clearInterval(this.#prober);
    this.#prober = setInterval(() => {
      for (const child of pool.children) child.checkLiveness();
    }, PROBE_MS);
    this.update();
  }

  /** Lets no child accept. Resolves when the server knows of all connections that children have accepted. */
  async stop(): Promise<void> {
    this.#on = false;
    clearTimeout(this.#retry);
    clearInterval(this.#prober);
    this.#listener?.letGo();
    await this.settled();
  }

  /** Resolves when all connections that children have accepted until now are known to the server. */
  async settled(): Promise<void> {
    const answered = this.#accepting.values().map((child) => this.#tell(child));
    await resolvesWithin(Promise.all(answered), STOP_MS);
  }

  #tell(child: PoolChild): Promise<void> {
    const paused = !this.#on || this.#requests.limits.suspended;
    return child.pause(paused, this.#reportsEach);
  }

  /** Stops or resumes the accepts as the server is suspended or resumed, and applies a new `maxConnections`. */
  changeAccepts(): void {
    for (const child of this.#accepting) void this.#tell(child);
    this.update();
  }

  /** Starts the children that are missing, and grants the credits that are free. */
  update(): void {
    if (this.#on && this.#pool !== undefined) this.#fill(this.#pool);
    this.balance();
  }

  /** The number of children that should accept. Each has at least one credit. */
  get #wanted(): number {
    const { maxChildren } = this.#pool!.children.options;
    return Math.min(BUSY_CHILDREN_MAX, maxChildren, this.#max);
  }

  get #max(): number {
    return Math.min(this.#requests.limits.max, UNLIMITED);
  }

  #fill(pool: ChildPool): void {
    const open = () => [...this.#accepting].filter(({ answers }) => answers);
    for (const child of pool.children) {
      if (open().length >= this.#wanted) break;
      if (child.ready && child.open && !this.#accepting.has(child)) {
        this.#begin(child);
      }
    }
    const enough = pool.children.grow(this.#wanted);
    const listened = open().some(({ accepting }) => accepting.listening);
    if (listened || this.#requests.limits.suspended) this.#listener!.letGo();
    else this.#listener!.takeBack(); // until a child can: then the pool finds one, or says why there is none
    if (!enough) this.#retryLater();
  }

  #begin(child: PoolChild): void {
    const { handle, backlog } = this.#listener!;
    const { requestsPerChild: requests } = this.#pool!.children.options;
    this.#accepting.add(child);
    child.accepting.listen({ type: "listen", backlog, requests }, handle);
    this.#reportsEach = hasRequestSubscribers();
    void this.#tell(child);
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.update(), RETRY_MS);
  }

  /** The credits of children that no request uses. */
  get #unusedCredit(): number {
    let unused = 0;
    for (const { accepting } of this.#accepting) {
      unused += accepting.unusedCredit;
    }
    return unused;
  }

  get #freeCredit(): number {
    return this.#max - this.#requests.size - this.#unusedCredit;
  }

  /** Grants the free credits, or takes back what the server needs itself. */
  balance(): void {
    const children = [...this.#accepting].filter((child) => child.open)
      .map((child) => child.accepting);
    if (this.#on && !this.#listener?.waits) this.#grant(children);
    else if (this.#freeCredit < 1) this.#reclaim(children);
    if (this.#freeCredit < 0) reclaim(children, -this.#freeCredit);
    this.#requests.limits.reserved = this.#unusedCredit;
  }

  /**
   * Grants the free credits: each child gets a share, the server keeps one, and a child that is full gets more. One that
   * rests although it has credit gets none.
   */
  #grant(children: AcceptingChild[]): void {
    const parts = this.#pool === undefined ? 1 : this.#wanted + 1;
    const part = Math.max(1, Math.floor(this.#max / parts));
    const silent = children.some(({ liveness }) => liveness.silent); // they give nothing back: something stays for other children
    for (const child of children) {
      if (child.liveness.silent || child.rests) continue;
      const little = Math.max(1, Math.floor(this.#freeCredit / parts));
      const share = silent ? Math.min(little, part) : part;
      const missing = child.full ? little : share - child.credit;
      const credit = Math.min(missing, this.#freeCredit);
      if (credit > 0) child.grant(credit);
    }
  }

  /** Asks for half of the credits of children that rest, or else for one: the server needs one for each connection. */
  #reclaim(children: AcceptingChild[]): void {
    const resting = children.filter(({ rests, liveness }) =>
      rests && !liveness.silent
    );
    const unused = resting.reduce((sum, child) => sum + child.unusedCredit, 0);
    if (unused > 0) reclaim(resting, Math.ceil(unused / 2));
    else reclaim(children, 1 - this.#freeCredit);
  }

  exited(child: PoolChild): void {
    this.#accepting.delete(child);
    this.update();
  }

  begin(client: Address): AcceptedJob {
    const server = this.#server;
    const requests = this.#requests;
    const request = closedSocket(server.socket.family);
    const active = requests.begin(request, client);
    active.inTask = true;
    requests.beginTime(active);
    if (requests.size === requests.limits.max) {
      noteLimit(server, "maxConnections", null);
    }
    const run = (ended: Promise<JobEnd>) => {
      this.#ends.set(request, ended);
      void runTask(server, active, client);
    };
    return { job: jobForAccepted(request, client), run };
  }

  /** Returns the end of a request whose connection a child has accepted; undefined of others. */
  endOf(request: unknown): Promise<JobEnd> | undefined {
    return this.#ends.get(request as object);
  }

  counted({ count, gone, ms, bytesIn, bytesOut }: EndedMessage): void {
    if (count > 0) this.#pool?.record(ms);
    const { ownCounters, endedBytes } = this.#requests;
    ownCounters.accepted += count;
    ownCounters.finished += count;
    ownCounters.transientErrors += gone;
    endedBytes.bytesIn += bytesIn;
    endedBytes.bytesOut += bytesOut;
    if (hasRequestSubscribers() === this.#reportsEach) return;
    this.#reportsEach = !this.#reportsEach;
    this.changeAccepts();
  }

  returned(socket: Parameters<ParkedListener["offer"]>[0]): void {
    if (this.#listener === undefined) socket.destroy();
    else this.#listener.offer(socket);
  }
}

/** Asks children for credits that they do not use. */
function reclaim(children: AcceptingChild[], wanted: number): void {
  for (const child of children) {
    const credit = Math.min(wanted, child.unusedCredit);
    if (credit <= 0 || child.liveness.silent) continue;
    wanted -= credit;
    child.reclaim(credit);
  }
}

/**
 * Returns the job of a request whose connection a child has accepted.
 *
 * @param request A closed socket, which stands for the connection in this process.
 * @param client The address of the client.
 */
function jobForAccepted(request: Socket, client: Address): Job {
  return {
    request,
    message: { type: "request", kind: "handle", client },
    count: (counts) => stateOf(request).closedCounts = counts,
  };
}
