/**
 * Stand-ins for the parts of `@std/assert` and `@std/async` that the tests use, for machines that
 * cannot reach the package registry. Names, parameters and results are those of the packages.
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

/** Asserts that two values are the same one (`Object.is`). */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  strictEqual(actual, expected, msg);
}

/** Asserts that two values are not the same one (`Object.is`). */
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

/** Executes a function that is expected to throw, and returns what it throws. */
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

/** Executes a function whose promise is expected to reject; resolves to the reason. */
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

/** Rejects with a `TimeoutError` where `p` does not settle within `ms` milliseconds. */
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
