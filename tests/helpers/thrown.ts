/**
 * How calls end: the errors that they throw, by class and by code.
 *
 * @module
 */

import { constants } from "node:os";
import { OSError } from "../../socket.ts";
import { assertEquals, assertInstanceOf } from "../deps.ts";
import { within } from "./within.ts";

/** The error numbers of this system, by code. */
export const ERRNO = constants.errno;

/** Returns what a call rejects with, an error or not; fails if the call succeeds. */
export async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  try {
    await within(call);
  } catch (error) {
    return error;
  }
  throw new Error("the call did not reject");
}

/** Returns the error that a call throws; fails if it has another class. */
export async function errorOf<E extends Error>(
  // deno-lint-ignore no-explicit-any
  Class: abstract new (...args: any[]) => E,
  call: Promise<unknown> | (() => unknown),
): Promise<E> {
  try {
    await within(Promise.resolve(typeof call === "function" ? call() : call));
  } catch (error) {
    assertInstanceOf(error, Class);
    return error;
  }
  throw new Error(`expected ${Class.name}, but the call succeeded`);
}

/** Returns the code of the OSError that a call throws, and checks that the message ends with it; undefined if the call succeeds. */
export async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await within(Promise.resolve(call()));
  } catch (error) {
    assertInstanceOf(error, OSError);
    assertEquals(
      error.message.endsWith(`(${error.code})`),
      true,
      error.message,
    );
    return error.code;
  }
  return undefined;
}

/** Returns the codes of the OSErrors of calls that run at the same time. */
export function codesOf(
  calls: Promise<unknown>[],
): Promise<(string | undefined)[]> {
  return Promise.all(calls.map((call) => codeOf(() => call)));
}
