/**
 * The accepts of one child process, as the server sees them.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { Queue } from "../base/queue.ts";
import { connectionOver } from "../runtime/node/node_handles.ts";
import type { Job } from "./child_job.ts";
import type { JobEnd } from "./child_request.ts";
import type { ChildLink } from "./child_link.ts";
import type { AssignedRequests } from "./assigned_requests.ts";
import type {
  AcceptedMessage,
  EndedMessage,
  GaveMessage,
  ListeningMessage,
  ListenMessage,
  OfferMessage,
  ReturnedMessage,
} from "./accept_messages.ts";
import { Liveness } from "./liveness.ts";
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
  update(): void;
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
  /** The channel to the child. */
  readonly link: ChildLink;
  /** The requests of the child. */
  readonly requests: AssignedRequests;
  /** The calls for the connections; undefined if the child does not accept. */
  readonly hooks: AcceptingChildHooks | undefined;
  /** Called when the child may take another request, or has become silent. */
  readonly onCapacity: () => void;
}

/**
 * Keeps the credit of a child, takes the connections that it returns, and pauses its accepts. Messages are not trusted:
 * each is checked.
 */
export class AcceptingChild {
  readonly #process: AcceptingProcess;
  /** Whether the event loop of the child turns. */
  readonly liveness: Liveness;
  /** The answers to the pauses that were sent. */
  readonly #pauses = new Queue<() => void>();
  /** Whether the child was asked for credit, and has not answered. */
  #reclaiming = false;
  /** The number of connections that the child has offered and that have not come. */
  #offered = 0;
  /** Whether the child does not accept: it has not begun, or was told to stop. */
  paused = true;
  /** Whether the child has the listening socket, and was not stopped for good. */
  mayAccept = false;
  /** Whether the child has connections to return, and requests of its own to begin after that. */
  sorting = false;
  /** The number of requests that the child may have open, of those that it accepts itself. */
  credit = 0;
  /** The credit that open requests use: the number of those that the child has accepted itself. */
  usedCredit = 0;
  /** Whether the child has used its credit and could use more. */
  full = false;
  /** Whether the child accepts the next connection. */
  listening = false;

  /** @param process The child process. */
  constructor(process: AcceptingProcess) {
    this.#process = process;
    this.liveness = new Liveness({
      sendProbe: () => process.link.send({ type: "probe" }),
      onTurn: process.onCapacity,
      onSilence: () => {
        process.onCapacity();
        this.hooks.update();
      },
    });
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
    this.#process.link.sendListener(message, handle);
  }

  /** The number of further requests that the child may accept. */
  get unusedCredit(): number {
    return this.credit - this.usedCredit;
  }

  /** Whether the child does not accept, although it has credit: its handlers may compute. */
  get rests(): boolean {
    return !this.listening && !this.full && this.unusedCredit > 0;
  }

  /** Gives the child credit. */
  grant(credit: number): void {
    this.credit += credit;
    this.full = false;
    this.#process.link.send({ type: "credit", credit });
  }

  /** Asks the child to give up credit, unless it was asked before and has not answered. */
  reclaim(credit: number): void {
    if (this.#reclaiming) return;
    this.#reclaiming = true;
    this.#process.link.send({ type: "credit", credit: -credit });
  }

  /**
   * Lets the child accept, or stop. Resolves when all that it has accepted until then is reported.
   *
   * @param paused Whether to stop.
   * @param each Whether the child reports each request.
   */
  pause(paused: boolean, each: boolean): Promise<void> {
    this.paused = paused;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pauses.push(resolve);
    this.#process.link.send({ type: "pause", paused, each });
    return promise;
  }

  /** Whether the child has answered all pauses: the server knows of all that it has accepted. */
  get pausesAnswered(): boolean {
    return this.#pauses.first === undefined;
  }

  /**
   * Handles a message about accepts.
   *
   * @throws {TypeError} if the module's own code in the child cannot have sent it.
   */
  onMessage(message: FromChild): void {
    switch (message.type) {
      case "alive":
        return this.liveness.turned();
      case "sorted":
        return this.#sorted();
      case "accepted":
        return this.#accepted(message);
      case "ended":
        return this.#countEnded(message);
      case "full":
        this.full = true;
        return this.hooks.update();
      case "listening":
        return this.#noteListening(message);
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

  /** Notes that a request has ended that the child has accepted: the child may be idle now. */
  ended(): void {
    this.usedCredit--;
    this.#process.onCapacity();
    this.hooks.balance();
  }

  #accepted({ ids, clients }: AcceptedMessage): void {
    ids.forEach((id, at) => this.#begin(id, clients[at]));
    this.hooks.balance(); // these requests no longer count as credit that the child has left
  }

  #begin(id: number, client: Address): void {
    const { requests } = this.#process;
    if (!(id < 0) || requests.has(id)) {
      throw new TypeError(`it cannot have accepted ${Deno.inspect(id)}`);
    }
    const { job, run } = this.hooks.begin(client);
    this.usedCredit++;
    run(requests.add(id, job).ended);
    requests.failIfDead(id);
  }

  #countEnded(report: EndedMessage): void {
    for (const count of [report.count, report.gone]) {
      if (!(Number.isSafeInteger(count) && count >= 0)) {
        throw new TypeError(`it ended ${Deno.inspect(count)} requests`);
      }
    }
    this.hooks.counted(report);
    this.#process.requests.countEnded(report.count + report.gone);
  }

  #paused(): void {
    const answered = this.#pauses.shift();
    if (answered === undefined) throw new TypeError("nobody paused it");
    answered();
  }

  #noteListening({ on }: ListeningMessage): void {
    this.listening = on === true;
    this.hooks.update();
  }

  #gave({ credit }: GaveMessage): void {
    this.#reclaiming = false;
    this.#takeCredit(credit);
    this.hooks.update();
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
    this.#process.link.take();
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
    if (--this.#offered === 0) this.#process.link.returned();
    if (handle !== undefined) this.hooks.returned(connectionOver({ handle }));
    this.hooks.balance();
  }
}
