/**
 * Collects the events of servers for the tests of telemetry.
 *
 * @module
 */

import { EVENT_NAMES } from "../../internal/stages/events.ts";
import {
  type AnyServer,
  type EventName,
  type ServerEvents,
  subscribe,
} from "../../telemetry.ts";
import { assert, assertEquals } from "../deps.ts";
import { until } from "../helpers/within.ts";

/** The names of all channels. */
export const NAMES: EventName[] = [...EVENT_NAMES];

/** Collects all events, of one server or of all, until it is disposed of. */
export class Events implements Disposable {
  /** The events in order. */
  readonly all: [name: EventName, event: ServerEvents[EventName]][] = [];
  readonly #subscriptions = new DisposableStack();
  readonly #server: AnyServer | undefined;

  /** @param server The server; without one the events of all servers. */
  constructor(server?: AnyServer) {
    this.#server = server;
    for (const name of NAMES) {
      this.#subscriptions.use(subscribe(name, (event) => {
        if (this.#server === undefined || this.#server === event.server) {
          this.all.push([name, event]);
        }
      }));
    }
  }

  /** Returns the names of the events, without what all of them begin with. */
  get names(): string[] {
    return this.all.map(([name]) => name.replace("socketserver.", ""));
  }

  /** Returns the events of a channel. */
  of<N extends EventName>(name: N): ServerEvents[N][] {
    return this.all.filter(([each]) => each === name)
      .map(([, event]) => event as ServerEvents[N]);
  }

  /** Waits for an event, the first of its channel by default. */
  async next<N extends EventName>(
    name: N,
    index = 0,
  ): Promise<ServerEvents[N]> {
    await until(() => this.of(name).length > index);
    return this.of(name)[index];
  }

  /** Forgets the events. */
  clear(): void {
    this.all.length = 0;
  }

  [Symbol.dispose](): void {
    this.#subscriptions.dispose();
  }
}

/** Checks what all events of requests have in common: each start has its stop, in order, and a duration. */
export function assertPaired(events: Events): void {
  const starts = events.of("socketserver.request.start");
  const stops = events.of("socketserver.request.stop");
  const ids = (list: { id: number }[]) =>
    list.map(({ id }) => id).sort((a, b) => a - b);
  assertEquals(ids(stops), ids(starts));
  assertEquals(new Set(ids(starts)).size, starts.length);
  for (const { duration, bytesIn } of stops) {
    assert(duration >= 0 && duration < 60, `${duration} s`);
    assert(bytesIn >= 0, `${bytesIn} bytes`);
  }
}
