/**
 * The base of all servers.
 *
 * @module
 */

import { type Address, formatAddress } from "../base/address.ts";
import { checkTimeout } from "../base/arguments.ts";
import type { OSError } from "../base/errors.ts";
import { saySlowClose } from "./drain.ts";
import { checkBlocking, checkHandlerClass } from "./handler_class.ts";
import { checkNotLoading } from "./module_loading.ts";
import { noteClosed, noteServing, warnIfJustBegun } from "./never_served.ts";
import { untimedActions } from "./loop_waiter.ts";
import { checkAcceptsItself, ownServers } from "./accept_in.ts";
import { errorReport, isLostClient, say } from "../stages/report.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { processRequest, runHandler } from "./request_stages.ts";
import {
  requestTimeoutOf,
  setRequestTimeout,
} from "../requests/limit_settings.ts";
import { ServeLoop } from "./serve_loop.ts";
import { unawaited } from "../waiting/promises.ts";
import { waitForConnections } from "../requests/request_waits.ts";
import {
  type BaseServerOptions,
  checkOptions,
  effectiveOptions,
  type ServeForeverOptions,
  type ServerCloseOptions,
  type ServerCloseReport,
  setting,
  type WaitForConnectionsOptions,
} from "../stages/server_options.ts";
import type { ServerAddress, ServerStages } from "../stages/stages.ts";
import type { RequestHandlerConstructor } from "../stages/handler_types.ts";
import type {
  LimitName,
  RejectReason,
  ServerStatus,
} from "../stages/server_status.ts";

/**
 * The base of all servers: the loop, and one method for each stage of a request. A subclass provides `fileno`, the
 * number of the socket that the loop waits on, and `getRequest`.
 *
 * A request goes through these stages, in this order: `getRequest`, `verifyRequest`, `processRequest`, `finishRequest`
 * (the handler's `setup`, `handle`, `finish`), `shutdownRequest`, `closeRequest`. A request that is not accepted goes
 * through `rejectRequest`, `shutdownRequest` and `closeRequest`.
 *
 * Resource handling: the server owns its socket and its requests. {@linkcode BaseServer.serverClose}, or `await using`,
 * closes them.
 *
 * Error handling: an error of a handler goes to `handleError`, and the server goes on. An error of a hook of the loop
 * (`serviceActions`, `handleTimeout`) ends `serveForever` with that error. So does an error of `handleError` or
 * `shutdownRequest` without a mix-in; with a mix-in the server prints the error and goes on.
 *
 * @category Servers
 * @typeParam R The type of a request.
 * @typeParam A The type of the addresses.
 */
export abstract class BaseServer<R = unknown, A extends Address = Address>
  implements ServerStages<R, A> {
  /** The seconds that `handleRequest` waits; null is no limit. */
  static timeout: number | null = null;
  /** Whether `handleError` prints the errors of clients that are gone or silent. */
  static reportLostClients = true;
  /** The seconds that `await using` and `serve` wait for the open requests; null is no limit. */
  static closeTimeout: number | null = 10;
  /** The seconds that a request may take; null is no limit. */
  static requestTimeout: number | null = null;
  /** A value for the handlers, which read it as `this.server.shared`. */
  static shared: unknown = undefined;

  /** The address of the server; the real address once the socket is bound. */
  serverAddress: A;
  /** The class that handles requests. */
  RequestHandlerClass: RequestHandlerConstructor;
  /** Whether `handleError` prints the errors of clients that are gone or silent. */
  reportLostClients: boolean;
  /**
   * The seconds that a request may take; null is no limit. May be changed at any time. A change applies to open
   * requests too: if there was no limit before, their time begins with the change. Setting it throws a RangeError for a
   * value out of range, and a TypeError for one that is not a number or null.
   */
  get requestTimeout(): number | null {
    return requestTimeoutOf(this);
  }

  set requestTimeout(requestTimeout: number | null) {
    setRequestTimeout(this, requestTimeout);
  }

  /** A value for the handlers, which read it as `this.server.shared`. */
  readonly shared: unknown;
  /**
   * The options that the server was created with, by name: those of the constructor, your own ones included, or else the
   * static fields of the class. `shared` is not among them. Handlers read them as `this.server.options`.
   */
  // deno-lint-ignore no-explicit-any
  readonly options: Readonly<Record<string, any>>;

  #timeout: number | null = null;
  #closeTimeout: number | null = null;
  readonly #loop: ServeLoop<R> = new ServeLoop(this);

  static {
    untimedActions.add(this.prototype.serviceActions);
    ownServers.add(this.prototype);
  }

  /**
   * Creates a server. No socket is opened.
   *
   * @param serverAddress `[host, port]`, or a path.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names.
   * @throws {TypeError} if the handler is not a class with a `handle` method, or the options are not an object.
   * @throws {Error} while a worker or a child loads the module of a handler: create the server only
   *   `if (import.meta.main)`.
   */
  constructor(
    serverAddress: ServerAddress<A>,
    RequestHandlerClass: RequestHandlerConstructor<R>,
    options: BaseServerOptions = {},
  ) {
    checkNotLoading();
    checkHandlerClass(RequestHandlerClass);
    checkBlocking(RequestHandlerClass, new.target);
    checkOptions(options, new.target);
    checkAcceptsItself(new.target, options);
    this.serverAddress = Array.isArray(serverAddress)
      ? [...serverAddress] as unknown as A
      : serverAddress as A; // anything else is for bind() to name
    this.RequestHandlerClass = RequestHandlerClass;
    this.timeout = setting(this, options, "timeout");
    this.reportLostClients = setting(this, options, "reportLostClients");
    this.closeTimeout = setting(this, options, "closeTimeout");
    this.requestTimeout = setting(this, options, "requestTimeout");
    this.shared = setting(this, options, "shared");
    this.options = Object.freeze(effectiveOptions(this.constructor, options));
  }

  /**
   * The seconds that {@linkcode BaseServer.handleRequest} waits; null is no limit. Setting it throws a RangeError for a
   * value out of range, and a TypeError for one that is not a number or null.
   */
  get timeout(): number | null {
    return this.#timeout;
  }

  set timeout(seconds: number | null) {
    checkTimeout(seconds);
    this.#timeout = seconds;
  }

  /**
   * The seconds that `await using` and `serve` wait for the open requests; null is no limit. Setting it throws a
   * RangeError for a value out of range, and a TypeError for one that is not a number or null.
   */
  get closeTimeout(): number | null {
    return this.#closeTimeout;
  }

  set closeTimeout(seconds: number | null) {
    checkTimeout(seconds);
    this.#closeTimeout = seconds;
  }

  /**
   * Makes the server ready for requests. May be overridden.
   *
   * @returns A promise if an override takes time: `serveForever` and `handleRequest` wait for it, and reject with its
   *   error.
   */
  serverActivate(): void | Promise<void> {}

  /**
   * Handles requests until {@linkcode BaseServer.shutdown} is called.
   *
   * @param options A signal that stops the loop, and the interval of `serviceActions`.
   * @throws {OSError} if the socket of the server fails.
   * @throws {Error} if the server serves already.
   * @throws {RangeError} if `pollInterval` is not positive.
   * @throws The error of a `serverBind` or `serverActivate` that returned a promise.
   */
  serveForever(options: ServeForeverOptions = {}): Promise<void> {
    noteServing(this);
    return this.#loop.serveForever(options);
  }

  /**
   * Stops {@linkcode BaseServer.serveForever}. May be called from anywhere, a handler included. If the server does not
   * serve, the next `serveForever` ends as soon as it begins.
   *
   * @returns A promise that resolves when the server gets no further request. The promise of `serveForever` resolves
   *   when the loop has ended.
   */
  shutdown(): Promise<void> {
    return this.#loop.shutdown();
  }

  /**
   * Stops accepting until {@linkcode BaseServer.resume}, also in a `serveForever` or `handleRequest` that begins later.
   * Open requests go on. Clients wait in the system's backlog meanwhile: once it is full, `requestQueueSize`, Linux
   * ignores further attempts, which TCP clients repeat for about two minutes, and a client of a Unix socket waits, or
   * fails with EAGAIN. Datagrams wait in the system's receive buffer, and are dropped once that is full.
   */
  suspend(): void {
    requestsOf(this).suspend(true);
  }

  /** Accepts again after {@linkcode BaseServer.suspend}, first the clients that are waiting. */
  resume(): void {
    requestsOf(this).suspend(false);
  }

  /**
   * Waits until at most `count` requests are open: before an update, for instance, after {@linkcode BaseServer.suspend}.
   *
   * @param count The most requests, an integer from 0.
   * @param options The limit of the wait, and a signal that ends it.
   * @throws {TimeoutError} after `timeout` seconds.
   * @throws {RangeError} if `count` is not an integer from 0, or `timeout` is negative.
   * @throws The reason of the signal.
   */
  waitForConnections(
    count: number,
    options: WaitForConnectionsOptions = {},
  ): Promise<void> {
    return unawaited(waitForConnections(requestsOf(this), count, options));
  }

  /** Runs after each request and every `pollInterval`. Does nothing here. May be overridden. */
  serviceActions(): void | Promise<void> {}

  /**
   * Handles one request, without a loop. Waits for the request at most `timeout` or the socket's timeout, whichever is
   * shorter, and then calls {@linkcode BaseServer.handleTimeout}.
   *
   * @throws {OSError} if the socket of the server fails.
   * @throws The error of a `serverBind` or `serverActivate` that returned a promise, or of `handleTimeout`.
   */
  handleRequest(): Promise<void> {
    noteServing(this);
    return this.#loop.handleRequest();
  }

  /** Runs if `handleRequest` got no request in time. Does nothing here. May be overridden. */
  handleTimeout(): void | Promise<void> {}

  /** Returns the socket number that the serve loop waits on, as `select` takes it. */
  abstract fileno(): number;

  /**
   * Gets a request. The loop calls this method when a request is ready. May be overridden.
   *
   * @returns The request, an object of its own, and the client's address; or a promise of them.
   * @throws {OSError} if there is no request after all. The server goes on, unless its socket is closed. The server also
   *   goes on after other errors of the system, such as a failed TLS handshake. Any other error ends the loop.
   */
  abstract getRequest(): [R, A] | Promise<[R, A]>;

  /**
   * Reports whether to accept a request. Rejected requests are closed, after `rejectRequest`. With a mix-in the loop gets
   * the next request while a promise of this method is pending. May be overridden.
   *
   * @param _request The request.
   * @param _clientAddress The client's address.
   * @returns Whether to accept the request; true here.
   */
  verifyRequest(
    _request: R,
    _clientAddress: A,
  ): boolean | Promise<boolean> {
    return true;
  }

  /**
   * Tells a client why its request is turned away, before the server closes the request. Does nothing here; an override
   * sends a line such as `421 too many connections`. An error goes to `handleError`. A server with a mix-in goes on
   * meanwhile.
   *
   * The hook has two seconds; then the connection is cut off. At most 128 calls run at a time, and further requests are
   * closed without one. On a server with `ssl` the request may be a connection before its handshake. May be overridden.
   *
   * @param _request The request.
   * @param _clientAddress The client's address.
   * @param _reason The limit that the request exceeds, or another reason for turning it away.
   */
  rejectRequest(
    _request: R,
    _clientAddress: A,
    _reason: RejectReason,
  ): void | Promise<void> {}

  /**
   * Handles a request to its end. The mix-ins override this method to run the request elsewhere. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise if the request takes time.
   */
  processRequest(request: R, clientAddress: A): void | Promise<void> {
    return processRequest(this, request, clientAddress);
  }

  /**
   * Closes the server: stops accepting, aborts the `signal` of the handlers, waits for the open requests, and cuts off
   * those that are left after the timeout. A handler, or a hook of a request, cannot wait for itself: called there,
   * `serverClose` resolves to zeros at once, and the rest goes on in the background. May be extended; call super.
   *
   * @param options The time to wait.
   * @returns The numbers of open requests that were idle, that finished, and that were cut off.
   */
  serverClose(options: ServerCloseOptions = {}): Promise<ServerCloseReport> {
    noteClosed(this);
    return this.#loop.close(options);
  }

  /**
   * Creates a handler for a request and runs `setup`, `handle` and `finish`. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise if the handler takes time.
   */
  finishRequest(request: R, clientAddress: A): void | Promise<void> {
    return runHandler(
      new this.RequestHandlerClass(request, clientAddress, this),
    );
  }

  /**
   * Ends a request. May be overridden.
   *
   * @param request The request.
   */
  shutdownRequest(request: R): void | Promise<void> {
    return this.closeRequest(request);
  }

  /**
   * Frees the resources of a request. May be overridden.
   *
   * @param _request The request.
   */
  closeRequest(_request: R): void | Promise<void> {}

  /**
   * Reports an error thrown while handling a request. Prints a report as Python's `handle_error` does, to stderr.
   * Prints nothing about lost clients if `reportLostClients` is false. May be overridden.
   *
   * @param _request The request.
   * @param clientAddress The client's address.
   * @param error The error.
   */
  handleError(
    _request: R,
    clientAddress: A,
    error: unknown,
  ): void | Promise<void> {
    if (!this.reportLostClients && isLostClient(error, clientAddress)) return;
    say(errorReport(clientAddress, error));
  }

  /**
   * Runs if {@linkcode BaseServer.getRequest} has failed and the server goes on: the client was gone, descriptors ran
   * out, or an override made a handshake that failed. Does nothing here. `status` counts these failures. Handshakes of
   * the option `ssl` have a hook of their own, `handleHandshakeError`. May be overridden.
   *
   * @param _error The error of `getRequest`.
   */
  handleAcceptError(_error: unknown): void | Promise<void> {}

  /**
   * Runs each time a limit is reached. Does nothing here. `status.limits` counts how often. The server does not wait
   * for the hook, and prints an error of it. May be overridden.
   *
   * @param _limit The name of the limit's setting.
   * @param _clientAddress The client that is over the limit; null if the limit holds for all clients together and the
   *   server stops accepting.
   */
  handleLimit(
    _limit: LimitName,
    _clientAddress: A | null,
  ): void | Promise<void> {}

  /**
   * Reports that descriptors or memory have run out: prints one line to stderr. The loop calls this hook once for each
   * shortage, which ends when the server has got ten requests in a row. May be overridden.
   *
   * @param error The error of `getRequest`, such as EMFILE.
   */
  handleShortage(error: OSError): void | Promise<void> {
    say(`${error.message}; clients wait until there is room again`);
  }

  /**
   * Reports that `serverClose` has waited a second for the open requests: prints one line to stderr. May be
   * overridden.
   *
   * @param clients The hosts, or paths, of the clients; "" for a client without one.
   * @param seconds The seconds until the requests are cut off; null is no limit.
   */
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void> {
    saySlowClose(formatAddress(this.serverAddress), clients, seconds);
  }

  /**
   * Returns a signal for the handler of a request. The signal is aborted when the server shuts down.
   *
   * @param request The request.
   * @returns The signal.
   */
  requestSignal(request: R): AbortSignal {
    return requestsOf(this).signal(request);
  }

  /** Returns a snapshot of the server's counters. */
  get status(): ServerStatus {
    const requests = requestsOf(this);
    return {
      ...requests.counters,
      state: this.#loop.state,
      active: requests.size,
      idle: requests.idle,
      limits: { ...requests.limitHits },
    };
  }

  /** Closes the server, for `await using`. Waits at most `closeTimeout` for the open requests. */
  async [Symbol.asyncDispose](): Promise<void> {
    warnIfJustBegun(this);
    await this.serverClose({ timeout: this.closeTimeout });
  }
}
