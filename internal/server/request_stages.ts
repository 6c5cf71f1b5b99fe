/**
 * The stages of a request after `processRequest`: `finishRequest`, which runs `setup`, `handle` and `finish` of a handler,
 * `handleError` and `shutdownRequest`.
 *
 * The functions here await a stage only if the stage gave a promise. To await each one costs a datagram 0.8 us of 20,
 * 4 to 8 percent; an async function that awaits nothing costs next to nothing.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { TimeoutError } from "../base/errors.ts";
import { isGoodbye } from "../requests/idle_waits.ts";
import { sayHookFailedAndClose } from "../stages/report.ts";
import { reportError } from "../stages/events.ts";
import type {
  ActiveRequest,
  ReplacedRequests,
} from "../requests/active_requests.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type { ServerStages } from "../stages/stages.ts";
import { begun } from "../waiting/promises.ts";

/** Handles a request and closes it. Throws the error of a stage, which the loop reports. */
export async function processRequest<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
): Promise<void> {
  await server.finishRequest(request, clientAddress);
  const ended = shutdownCurrent(server, request);
  if (ended !== undefined) await ended;
}

/** Handles a request as a task: reports its error, and closes the request in any case. */
export async function processRequestTask<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
): Promise<void> {
  try {
    await server.finishRequest(request, clientAddress);
  } catch (error) {
    return await reportAndShutdown(server, request, clientAddress, error);
  }
  const ended = shutdownCurrent(server, request);
  if (ended !== undefined) await ended;
}

/** Shuts a request down, or the one that its handler has put in its place. */
export function shutdownCurrent<R>(
  server: ServerStages<R>,
  request: R,
): void | Promise<void> {
  const { replaced } = requestsOf(server);
  if (replaced === undefined) return server.shutdownRequest(request);
  return shutdownReplaced(server, replaced, replaced.currentOf(request) as R);
}

async function shutdownReplaced<R>(
  server: ServerStages<R>,
  replaced: ReplacedRequests,
  request: R,
): Promise<void> {
  try {
    await server.shutdownRequest(request);
  } finally {
    replaced.closeFormer(request);
  }
}

/** Reports an error of a request, unless the server has given the request up, and closes the request in any case. */
export async function reportAndShutdown<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  error: unknown,
): Promise<void> {
  const requests = requestsOf(server);
  try {
    const current = requests.replaced?.currentOf(request) ?? request;
    requests.results.fail(current, error);
    if (requests.results.counts(request)) {
      await reportError(server, current as R, clientAddress, error);
    }
  } finally {
    await shutdownCurrent(server, request);
  }
}

/**
 * Runs the task of a request as {@linkcode processRequestTask} does, and then ends the request. Written with callbacks,
 * because an async function would take 250 bytes of each idle connection.
 */
export function runTask<R>(
  server: ServerStages<R>,
  active: ActiveRequest<R>,
  clientAddress: Address,
): void {
  const handled = begun(() =>
    server.finishRequest(active.request, clientAddress)
  );
  const shutDown = () =>
    endAfter(
      server,
      active,
      clientAddress,
      () => shutdownCurrent(server, active.request),
    );
  const fail = (error: unknown) =>
    endAfter(
      server,
      active,
      clientAddress,
      () => reportAndShutdown(server, active.request, clientAddress, error),
    );
  if (handled === undefined) void shutDown();
  else Promise.resolve(handled).then(shutDown, fail);
}

/** Runs the last step of a request, or a task of a subclass that has all of them, and ends the request in any case. */
export async function endAfter(
  server: ServerStages,
  active: ActiveRequest,
  clientAddress: Address,
  step: () => void | Promise<void>,
): Promise<void> {
  try {
    const running = step();
    if (running !== undefined) await running;
  } catch (error) {
    active.result = "failed";
    sayHookFailedAndClose(active.request, clientAddress, error);
  } finally {
    requestsOf(server).end(active);
  }
}

/**
 * The part of a handler that runs.
 *
 * @category Testing
 */
export interface Runnable {
  /** Called before `handle`. */
  setup(): void | Promise<void>;
  /** Handles the request. */
  handle(): void | Promise<void>;
  /** Called after `handle`, also if `handle` threw. */
  finish(): void | Promise<void>;
  /** The error that `handle` threw. */
  failure?: unknown;
  /** The request. */
  readonly request?: unknown;
  /** Aborted when the server shuts down. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `setup`, `handle` and `finish`. `finish` is called also if `handle` threw, but not if `setup` threw. If both
 * `handle` and `finish` throw, the error is a `SuppressedError` with both. A `handle` that throws the reason of its own
 * aborted signal has stopped as the server asked, which is no error.
 *
 * An async function that waits for `handle` would take 230 bytes more of each idle connection.
 *
 * @returns A promise; undefined if no part of the handler had to wait.
 */
export function runHandler(handler: Runnable): void | Promise<void> {
  const ready = handler.setup();
  if (ready === undefined) return handleAndFinish(handler);
  return Promise.resolve(ready).then(() => handleAndFinish(handler));
}

function handleAndFinish(handler: Runnable): void | Promise<void> {
  let handled: void | Promise<void>;
  try {
    handled = handler.handle();
  } catch (error) {
    return finishFailed(handler, error);
  }
  if (handled === undefined) return handler.finish();
  return Promise.resolve(handled).then(
    () => handler.finish(),
    (error) => finishFailed(handler, error),
  );
}

/** Calls `finish` after `handle` threw, and throws the error of `handle`. */
async function finishFailed(handler: Runnable, error: unknown): Promise<void> {
  handler.failure = error;
  try {
    await handler.finish();
  } catch (second) {
    const message = "finish() threw after handle() had thrown";
    throw new SuppressedError(second, error, message);
  }
  if (isGoodbye(handler.request, error)) return;
  if (!isStop(handler, error)) throw error;
}

/**
 * Reports whether `handle` stopped because the server shuts down: its error is the reason of its own signal. The reason
 * of a request that took too long is a `TimeoutError`, which is reported.
 */
function isStop({ signal }: Runnable, error: unknown): boolean {
  return signal !== undefined && signal.aborted && signal.reason === error &&
    !(error instanceof TimeoutError);
}
