/**
 * Stand-ins for the parts of `@std/assert`, `@std/async` and `@std/testing` that the tests use, for machines that
 * cannot reach the package registry. Names, parameters and results are those of the packages, except `fakeTime()`,
 * which returns a `FakeTime`.
 *
 * @module
 */

import {
  AssertionError,
  deepStrictEqual,
  match,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

// deno-lint-ignore no-explicit-any -- as in @std/assert: any constructor will do
type Class<T> = abstract new (...args: any[]) => T;

/** Makes an assertion; throws if `expr` is falsy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  ok(expr, msg || undefined);
}

/** Asserts that two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  deepStrictEqual(actual, expected, msg);
}

/** Asserts that two values are the same (`Object.is`). */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  strictEqual(actual, expected, msg);
}

/** Asserts that two values are not the same (`Object.is`). */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  notStrictEqual(actual, expected, msg);
}

/** Asserts that `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Class<T>,
  msg?: string,
): asserts actual is T {
  ok(
    actual instanceof expectedType,
    msg ?? `expected a ${expectedType.name}, got ${actual}`,
  );
}

/** Asserts that a text matches a pattern. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  match(actual, expected, msg);
}

/** Asserts that a text includes another. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  ok(
    actual.includes(expected),
    msg ?? `expected "${actual}" to include "${expected}"`,
  );
}

/** Asserts that `actual` is greater than `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  ok(
    actual > expected,
    msg ?? `expected ${actual} to be greater than ${expected}`,
  );
}

/** Asserts that `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  ok(
    actual < expected,
    msg ?? `expected ${actual} to be less than ${expected}`,
  );
}

function checkThrown<E extends Error>(
  error: unknown,
  ErrorClass?: Class<E> | string,
  msgIncludes?: string,
  msg?: string,
): E {
  if (ErrorClass === undefined || typeof ErrorClass === "string") {
    return error as E;
  }
  assertInstanceOf(error, ErrorClass, msg);
  if (msgIncludes !== undefined) {
    assertStringIncludes(error.message, msgIncludes, msg);
  }
  return error;
}

function missing(
  what: string,
  ErrorClass?: Class<Error> | string,
  msg?: string,
): AssertionError {
  const said = typeof ErrorClass === "string" ? ErrorClass : msg;
  return new AssertionError({
    message: said ?? `expected the function to ${what}`,
  });
}

/** Executes a function that must throw, and returns the thrown value. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: Class<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return checkThrown(error, ErrorClass, msgIncludes, msg);
  }
  throw missing("throw", ErrorClass, msg);
}

/** Executes a function whose promise must reject; resolves to the reason. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: Class<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const promise = fn(); // a throw here is no rejection, as in the package
  try {
    await promise;
  } catch (error) {
    return checkThrown(error, ErrorClass, msgIncludes, msg);
  }
  throw missing("reject", ErrorClass, msg);
}

/** Resolves after `ms` milliseconds. */
export async function delay(
  ms: number,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  await sleep(ms, undefined, options);
}

/** Rejects with a `TimeoutError` if `p` does not settle within `ms` milliseconds. */
export async function deadline<T>(p: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = () =>
    reject(new DOMException("Signal timed out.", "TimeoutError"));
  const timer = setTimeout(late, ms);
  try {
    return await Promise.race([p, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A call that a spy has recorded. */
export interface SpyCall {
  // deno-lint-ignore no-explicit-any -- as in @std/testing: what the function takes
  args: any[];
  /** The result. */
  returned?: unknown;
}

/** A function that records its calls. */
export interface Spy {
  // deno-lint-ignore no-explicit-any -- as in @std/testing: what the function takes
  (...args: any[]): any;
  /** The calls, in their order. */
  calls: SpyCall[];
}

/** A method that records its calls until it is disposed of, which restores the method. */
export interface MethodSpy extends Spy, Disposable {}

// deno-lint-ignore no-explicit-any -- as in @std/testing: any function will do
function spyOn(original: (...args: any[]) => unknown): Spy {
  const calls: SpyCall[] = [];
  return Object.assign(function (this: unknown, ...args: unknown[]) {
    const call: SpyCall = { args };
    calls.push(call);
    return call.returned = original.apply(this, args);
  }, { calls });
}

/** Returns a function that records its calls, or wraps a method in one. */
// deno-lint-ignore no-explicit-any -- as in @std/testing: any function will do
export function spy(func?: (...args: any[]) => unknown): Spy;
export function spy<T extends object>(self: T, property: keyof T): MethodSpy;
export function spy<T extends object>(
  self: T | (() => unknown) = () => {},
  property?: keyof T,
): Spy {
  if (property === undefined) return spyOn(self as () => unknown);
  const descriptor = Object.getOwnPropertyDescriptor(self, property);
  const value = spyOn((self as T)[property] as () => unknown);
  const replaced = { value, configurable: true, writable: true };
  Object.defineProperty(self, property, replaced);
  const dispose = () => {
    if (descriptor === undefined) delete (self as T)[property];
    else Object.defineProperty(self, property, descriptor);
  };
  return Object.assign(value, { [Symbol.dispose]: dispose });
}

/** Asserts the number of calls of a spy. */
export function assertSpyCalls(spy: Spy, expectedCalls: number): void {
  strictEqual(spy.calls.length, expectedCalls, "the number of calls");
}

/** A clock that a test advances: timers and `Date`, but not `performance.now()`. */
export interface FakeTime extends Disposable {
  /** The time of `Date.now()`. */
  readonly now: number;
  /** Advances the clock, and runs the timers that are due. */
  tick(ms?: number): void;
  /** Advances the clock, runs the timers that are due, and lets promises settle in between. */
  tickAsync(ms?: number): Promise<void>;
}

/** The parts of `@sinonjs/fake-timers` that are used. */
interface FakeTimers {
  install(config: { toFake: string[] }): {
    now: number;
    tick(ms: number): void;
    tickAsync(ms: number): Promise<unknown>;
    uninstall(): void;
  };
}

/** The names that `FakeTime` of `@std/testing` replaces as well. */
const FAKED = [
  ...["setTimeout", "clearTimeout", "setInterval", "clearInterval"],
  "Date",
];

/** Replaces the timers and `Date` until the result is disposed. */
export async function fakeTime(): Promise<FakeTime> {
  const name = "@sinonjs/fake-timers"; // not a literal: offline, only the tests that use it fail
  const { default: timers } = await import(name) as { default: FakeTimers };
  const clock = timers.install({ toFake: FAKED });
  return {
    get now() {
      return clock.now;
    },
    tick: (ms = 0) => clock.tick(ms),
    tickAsync: async (ms = 0) => void await clock.tickAsync(ms),
    [Symbol.dispose]: () => clock.uninstall(),
  };
}
