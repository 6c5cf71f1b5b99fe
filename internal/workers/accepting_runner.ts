/**
 * The worker's side of a worker that accepts by itself.
 *
 * @module
 */

import {
  FrameChannel,
  type FrameChannelMemory,
} from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { PendingCalls } from "../channel/pending_calls.ts";
import type { Address } from "../base/address.ts";
import { toFailure } from "../handoff/failure.ts";
import {
  type HandlerReference,
  loadHandler,
} from "../handoff/handler_reference.ts";
import type { ServerFacts } from "../handoff/server_stub.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import type { TimeLimits } from "../requests/remote_requests.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { SharedPlaces } from "../requests/shared_places.ts";
import { subscribeTo } from "../runtime/system/event_channel.ts";
import { openShared } from "../runtime/opening/shared_listener.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type {
  RequestStartEvent,
  RequestStopEvent,
} from "../stages/event_types.ts";
import type { RequestHandlerConstructor } from "../stages/handler_types.ts";
import { AcceptRecord } from "./accept_record.ts";
import { AcceptingServer } from "./accepting_server.ts";

/** The milliseconds between two counts of the bytes of open requests. A count looks at each request. Arbitrary. */
const COUNT_MS = 1000;

/** The settings that change while a worker runs. */
export interface WorkerSettings extends Partial<TimeLimits> {
  /** Whether somebody listens to requests in the main thread. */
  readonly observed?: boolean;
}

/** The data that a worker which accepts starts with. */
export interface AcceptingInit {
  /** The memory of the channel. */
  readonly memory: FrameChannelMemory;
  /** The handler's class. */
  readonly handler: HandlerReference;
  /** The facts about the server that handlers see. */
  readonly server: ServerFacts;
  /** The accept. */
  readonly accept: {
    /** The address of the shared socket. */
    readonly addr: TransportAddr;
    /** The memory of the places. */
    readonly places: SharedArrayBuffer;
    /** The number of the worker's thread there. */
    readonly thread: number;
    /** The memory of the worker's record. */
    readonly record: SharedArrayBuffer;
    /** The first settings. */
    readonly settings: TimeLimits & WorkerSettings;
  };
}

/** An event of a request, for the main thread. */
export type AcceptEvent =
  & Pick<RequestStartEvent, "id" | "clientAddress">
  & {
    stop?: Pick<
      RequestStopEvent,
      "duration" | "bytesIn" | "bytesOut" | "reason" | "rejected"
    >;
    failure?: ReturnType<typeof toFailure>;
  };

/** Runs a server on a shared socket. */
export class AcceptingRunner {
  /** The channel to the main thread. */
  readonly channel: FrameChannel;
  readonly #init: AcceptingInit;
  readonly #record: AcceptRecord;
  readonly #places: SharedPlaces;
  readonly #calls = new PendingCalls();
  /** The slots of the open requests in the record. */
  readonly #slots = new Map<ActiveRequest, number>();
  /** The sockets of ended requests that still send their last bytes. */
  readonly #lingering = new Set<Promise<unknown>>();
  #server: AcceptingServer | undefined;
  #draining = false;
  #subscriptions: Disposable[] = [];

  /** @param init The data that the worker starts with. */
  constructor(init: AcceptingInit) {
    this.#init = init;
    const { places, thread, record } = init.accept;
    this.#record = new AcceptRecord(record);
    this.#places = new SharedPlaces(places, thread);
    this.channel = new FrameChannel(
      init.memory,
      "worker",
      this.#onFrame.bind(this),
    );
  }

  /** Loads the handler's class, and serves until the channel closes. */
  async run(): Promise<void> {
    this.#start().then(
      () => this.channel.send(frames.READY, 0),
      (error) =>
        this.channel.send(frames.LOAD_FAILED, 0, frames.packFailure(error)),
    );
    await this.channel.receiveAll();
  }

  async #start(): Promise<void> {
    const { handler, server: facts, accept } = this.#init;
    const Handler = await loadHandler(handler, "in a worker");
    const socket = Socket.from(openShared(accept.addr));
    const server = new AcceptingServer(
      socket,
      Handler as RequestHandlerConstructor,
      facts,
      accept.settings,
      {
        onError: (client, error) =>
          this.#tell({ clientAddress: client, failure: toFailure(error) }),
        onLimit: (limit, client) =>
          this.#tell({ clientAddress: client, limit }),
        shutdown: () =>
          this.#calls.call((call) => this.channel.send(frames.SHUTDOWN, call)),
      },
    );
    this.#watch(requestsOf(server));
    this.#observe(accept.settings.observed === true);
    this.#server = server;
    void server.serveForever(); // a failure of the accept ends the worker, as any that nobody handles
  }

  #tell(incident: frames.Incident): void {
    this.channel.send(frames.INCIDENT, 0, frames.pack(incident));
  }

  /** Notes each request in the record, from its start to its end, and then gives its place back. */
  #watch(requests: Requests): void {
    const record = this.#record;
    requests.limits.places = this.#places;
    requests.idleWaits.onChange = () => record.idle = requests.idleWaits.size;
    requests.watch = {
      began: (active) => {
        const slot = record.addClient(active.clientAddress as Address);
        if (slot !== undefined) this.#slots.set(active, slot);
        this.#count(requests);
      },
      ended: (active) => {
        const slot = this.#slots.get(active);
        if (slot !== undefined) record.removeClient(slot);
        this.#slots.delete(active);
        this.#linger(active.request);
        this.#count(requests);
        if (active.end === "rejected") { // its reason is counted later in this turn
          queueMicrotask(() => this.#count(requests));
        }
        this.#places.give(); // last: the main thread looks at the counters then
      },
    };
    setInterval(() => record.counters = requests.counters, COUNT_MS);
  }

  /** Notes that the socket of a request may still send its last bytes. */
  #linger(request: unknown): void {
    if (!(request instanceof Socket)) return;
    const { released } = stateOf(request);
    if (released === undefined) return;
    this.#lingering.add(released);
    released.finally(() => this.#lingering.delete(released));
  }

  /** Writes the counters. The bytes of open requests are added each {@linkcode COUNT_MS}. */
  #count({ ownCounters, endedBytes }: Requests): void {
    const { bytesIn, bytesOut } = this.#record.counters;
    this.#record.counters = {
      ...ownCounters,
      bytesIn: Math.max(bytesIn, endedBytes.bytesIn),
      bytesOut: Math.max(bytesOut, endedBytes.bytesOut),
    };
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === frames.HEARTBEAT) this.channel.send(frames.HEARTBEAT, 0);
    else if (type === frames.ANSWER) this.#calls.settle(id, payload);
    else if (type === frames.SETTINGS) this.#apply(frames.unpack(payload)!);
    else if (type === frames.DRAIN) void this.#drain();
    else if (type === frames.GIVE_UP) {
      void this.#server!.serverClose({ timeout: 0 });
    }
  }

  #apply(settings: WorkerSettings): void {
    const { observed, ...limits } = settings;
    Object.assign(this.#server!, limits);
    if (observed !== undefined) this.#observe(observed);
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const report = await this.#server!.serverClose();
    this.channel.send(frames.DRAINED, 0, frames.pack(report));
    await Promise.all(this.#lingering);
    this.channel.send(frames.RELEASED, 0);
  }

  /** Starts or stops reporting each request to the main thread. */
  #observe(observed: boolean): void {
    for (const each of this.#subscriptions) each[Symbol.dispose]();
    this.#subscriptions = [];
    if (!observed) return;
    this.#subscriptions = [
      subscribeTo<RequestStartEvent>("socketserver.request.start", (event) => {
        const { id, clientAddress } = event;
        this.#publish({ id, clientAddress });
      }),
      subscribeTo<RequestStopEvent>("socketserver.request.stop", (event) => {
        const { id, clientAddress, error, ...stop } = event;
        const { duration, bytesIn, bytesOut, reason, rejected } = stop;
        this.#publish({
          id,
          clientAddress,
          stop: { duration, bytesIn, bytesOut, reason, rejected },
          failure: error === undefined ? undefined : toFailure(error),
        });
      }),
    ];
  }

  #publish(event: AcceptEvent): void {
    this.channel.send(frames.EVENT, 0, frames.pack(event));
  }
}
