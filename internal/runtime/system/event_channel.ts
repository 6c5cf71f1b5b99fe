/**
 * Channels of `node:diagnostics_channel`, with subscribers that cannot harm.
 *
 * @module
 */

import {
  type Channel,
  channel,
  subscribe,
  unsubscribe,
} from "node:diagnostics_channel";

/** A function that hears of the events of a channel. */
type Subscriber = (event: unknown, name: string | symbol) => unknown;

/** A channel, with the list of subscribers that Node and Deno keep in it. */
type OpenChannel = Channel & { readonly _subscribers?: readonly Subscriber[] };

/**
 * A channel of `node:diagnostics_channel`. Programs subscribe by its name.
 *
 * Calls the subscribers itself: `Channel.publish` (Deno 2.9.6) lets the error of a subscriber end the process.
 *
 * @typeParam T The type of the events.
 */
export class EventChannel<T extends object> {
  readonly #channel: OpenChannel;
  readonly #onError: (name: string, error: unknown) => void;
  /** The subscribers that have failed. */
  readonly #failed = new WeakSet<Subscriber>();
  /** The name. */
  readonly name: string;

  /**
   * @param name The name.
   * @param onError Called with the first error of each subscriber. Must not throw.
   */
  constructor(name: string, onError: (name: string, error: unknown) => void) {
    this.name = name;
    this.#channel = channel(name);
    this.#onError = onError;
  }

  /** Whether anybody listens. Make no event otherwise. */
  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers;
  }

  /** Calls the subscribers. Never throws. */
  publish(event: T): void {
    const subscribers = this.#channel._subscribers;
    if (!Array.isArray(subscribers)) return this.#channel.publish(event);
    for (const subscriber of [...subscribers]) this.#call(subscriber, event);
  }

  #call(subscriber: Subscriber, event: T): void {
    try {
      const result = subscriber(event, this.name);
      if (result instanceof Promise) {
        result.catch((error) => this.#note(subscriber, error));
      }
    } catch (error) {
      this.#note(subscriber, error);
    }
  }

  #note(subscriber: Subscriber, error: unknown): void {
    if (this.#failed.has(subscriber)) return;
    this.#failed.add(subscriber);
    this.#onError(this.name, error);
  }
}

/** Subscribes to a channel until the result is disposed of. */
export function subscribeTo<T>(
  name: string,
  subscriber: (event: T) => unknown,
): Disposable {
  const hear = (event: unknown) => subscriber(event as T);
  subscribe(name, hear);
  return { [Symbol.dispose]: () => void unsubscribe(name, hear) };
}
