/**
 * The accepts of one child process, as the server sees them.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { Queue } from "../base/queue.ts";
import { connectionOver } from "../runtime/parked_listener.ts";
import type { Job } from "./child_job.ts";
import type { JobEnd } from "./child_request.ts";
import type { MessageQueue } from "./message_queue.ts";
import type {
  AcceptedMessage,
  EndedMessage,
  GaveMessage,
  ListenMessage,
  OfferMessage,
  ReturnedMessage,
} from "./accept_messages.ts";
import type { FromChild } from "./messages.ts";

/** The calls that a child makes for the connections that it accepts itself. */
export interface AcceptingChildHooks {
  /** Begins a request that the child has accepted, and returns it. `ended` settles when its handler has ended. */
  begin(client: Address): AcceptedJob;
  /** Counts requests that have ended before the child has reported them. */
  counted(report: EndedMessage): void;
  /** Takes a connection that the child has returned. */
  returned(socket: NetSocket): void;
  /** Called when the child has used its credit, or has given some up, or is ready. */
  changed(): void;
  /** Called when the credit that children have left, or the number of open requests, has changed. */
  balance(): void;
}

/** The job of a request that a child has accepted. */
export interface AcceptedJob {
  readonly job: Job;
  /** Goes on with the request. */
  readonly run: (ended: Promise<JobEnd>) => void;
}

/** The child process of an {@linkcode AcceptingChild}. */
export interface AcceptingProcess {
  /** Sends messages to the child. */
  readonly messages: MessageQueue;
  /** The calls for the connections; undefined if the child does not accept. */
  readonly hooks: AcceptingChildHooks | undefined;
  /**
   * Begins a request that the child has accepted.
   *
   * @throws {TypeError} if the child cannot have accepted it.
   */
  readonly begin: (id: number, client: Address) => void;
  /** Counts requests that have ended before the child has reported them. */
  readonly count: (report: EndedMessage) => void;
  /** Called when the child may take another request, or has become silent. */
  readonly onCapacity: () => void;
}

/**
 * Keeps the credit of a child, takes the connections that it returns, pauses its accepts, and probes whether its event loop
 * turns. Messages are not trusted: each is checked.
 */
export class AcceptingChild {
  readonly #process: AcceptingProcess;
  /** The answers to the pauses that were sent. */
  readonly #pauses = new Queue<() => void>();
  /** Whether the child was asked for credit, and has not answered. */
  #reclaiming = false;
  /** The number of connections that the child has offered and that have not come. */
  #offered = 0;
  /** The time at which the child was asked whether its event loop turns, and has not answered. */
  #probed: number | undefined;
  /** Whether the child is not paused. */
  on = false;
  /** Whether the child has the listening socket, and was not stopped for good. */
  mayAccept = false;
  /** Whether the child has connections to return, and requests of its own to begin after that. */
  sorting = false;
  /** The number of requests that the child may have open, of those that it accepts itself. */
  credit = 0;
  /** The number of open requests that the child has accepted itself. */
  own = 0;
  /** Whether the child has used its credit and could use more. */
  full = false;
  /** Whether the child accepts the next connection. */
  listening = false;
  /** The time at which the child was last heard, on the clock of `performance.now()`. */
  heard = 0;
  /** Whether the child has not answered a probe: its handler computes, or it is stopped. */
  silent = false;
  /** The time at which the pool has asked whether the event loop turns; undefined once the child has answered. */
  asked: number | undefined;
  /** The number of such answers since the last request of the child was acknowledged. */
  turns = 0;

  /** @param process The child process. */
  constructor(process: AcceptingProcess) {
    this.#process = process;
  }

  /**
   * The calls for the connections.
   *
   * @throws {TypeError} if the child does not accept.
   */
  get hooks(): AcceptingChildHooks {
    const { hooks } = this.#process;
    if (hooks === undefined) throw new TypeError("it does not accept");
    return hooks;
  }

  /** Passes the listening socket. */
  listen(message: ListenMessage, handle: object): void {
    this.mayAccept = true;
    this.#process.messages.sendListener(message, handle);
  }

  /** The number of further requests that the child may accept. */
  get unused(): number {
    return this.credit - this.own;
  }

  /** Whether the child does not accept, although it has credit: its handlers may compute. */
  get rests(): boolean {
    return !this.listening && !this.full && this.unused > 0;
  }

  /** Gives the child credit. */
  grant(credit: number): void {
    this.credit += credit;
    this.full = false;
    this.#process.messages.send({ type: "credit", credit });
  }

  /** Asks the child to give up credit, unless it was asked before and has not answered. */
  reclaim(credit: number): void {
    if (this.#reclaiming) return;
    this.#reclaiming = true;
    this.#process.messages.send({ type: "credit", credit: -credit });
  }

  /**
   * Lets the child accept, or stop. Resolves when all that it has accepted until then is reported.
   *
   * @param paused Whether to stop.
   * @param each Whether the child reports each request.
   */
  pause(paused: boolean, each: boolean): Promise<void> {
    this.on = !paused;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pauses.push(resolve);
    this.#process.messages.send({ type: "pause", paused, each });
    return promise;
  }

  /** Whether the child has answered all pauses: the server knows of all that it has accepted. */
  get settled(): boolean {
    return this.#pauses.first === undefined;
  }

  /** Notes that the child has sent a message. */
  hear(): void {
    this.heard = performance.now();
    this.#probed = undefined;
    if (this.silent) this.#changeSilence();
  }

  #changeSilence(): void {
    this.silent = !this.silent;
    this.#process.onCapacity();
    this.hooks.changed();
  }

  /** Asks whether the event loop turns, unless an answer is still to come. The answer lets the pool go on. */
  ask(): void {
    if (this.asked !== undefined) return;
    this.asked = performance.now();
    this.#process.messages.send({ type: "probe" });
  }

  /**
   * Asks a child that was not heard since the last probe whether its event loop turns. One that has not answered that is
   * silent; it may have a request that it could not report.
   *
   * @returns The seconds since the probe of a child that was silent before; 0 for others.
   */
  probe(): number {
    if (this.#probed === undefined) {
      this.#probed = performance.now();
      this.#process.messages.send({ type: "probe" });
      return 0;
    }
    if (this.silent) return (performance.now() - this.#probed) / 1000;
    this.#changeSilence();
    return 0;
  }

  /**
   * Handles a message about accepts.
   *
   * @throws {TypeError} if the module's own code in the child cannot have sent it.
   */
  onMessage(message: FromChild): void {
    switch (message.type) {
      case "alive":
        return this.#turned();
      case "sorted":
        return this.#sorted();
      case "accepted":
        return this.#accepted(message);
      case "ended":
        return this.#ended(message);
      case "full":
        this.full = true;
        return this.hooks.changed();
      case "listens":
      case "rests":
        this.listening = message.type === "listens";
        return this.hooks.changed();
      case "gave":
        return this.#gave(message);
      case "paused":
        return this.#paused();
      case "offer":
        return this.#takeOffer(message);
      default:
        throw new TypeError(`its type is ${Deno.inspect(message)}`);
    }
  }

  #accepted({ ids, clients }: AcceptedMessage): void {
    ids.forEach((id, at) => this.#process.begin(id, clients[at]));
    this.hooks.balance(); // these requests no longer count as credit that the child has left
  }

  #ended(report: EndedMessage): void {
    for (const count of [report.count, report.gone]) {
      if (!(Number.isSafeInteger(count) && count >= 0)) {
        throw new TypeError(`it ended ${Deno.inspect(count)} requests`);
      }
    }
    this.#process.count(report);
  }

  #paused(): void {
    const answered = this.#pauses.shift();
    if (answered === undefined) throw new TypeError("nobody paused it");
    answered();
  }

  #gave({ credit }: GaveMessage): void {
    this.#reclaiming = false;
    this.#takeCredit(credit);
    this.hooks.changed();
  }

  #takeCredit(credit: number): void {
    if (!(Number.isInteger(credit) && credit >= 0 && credit <= this.credit)) {
      throw new TypeError(`it gave up ${Deno.inspect(credit)} credits`);
    }
    this.credit -= credit;
  }

  #takeOffer({ count }: OfferMessage): void {
    if (this.#offered > 0 || !(Number.isInteger(count) && count > 0)) {
      throw new TypeError(`it offered ${Deno.inspect(count)} connections`);
    }
    this.#offered = count;
    this.sorting = true;
    this.#process.messages.take();
  }

  #turned(): void {
    if (this.asked !== undefined) this.turns++;
    this.asked = undefined;
    this.#process.onCapacity();
  }

  #sorted(): void {
    this.sorting = false;
    this.#process.onCapacity();
  }

  /** Whether connections that the child has offered have not come. */
  get offers(): boolean {
    return this.#offered > 0;
  }

  /** Takes a connection that the child has offered; `handle` is undefined if the client was gone. */
  takeReturned({ credit }: ReturnedMessage, handle?: object): void {
    this.#takeCredit(credit);
    if (--this.#offered === 0) this.#process.messages.returned();
    if (handle !== undefined) this.hooks.returned(connectionOver(handle));
    this.hooks.balance();
  }
}
