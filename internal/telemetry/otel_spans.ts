/**
 * The spans of a server's requests in OpenTelemetry.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import {
  type Attributes,
  type Span,
  SPAN_KIND_SERVER,
  SPAN_STATUS_ERROR,
  type Tracer,
  withSpan,
} from "../runtime/system/open_telemetry.ts";
import type {
  AnyServer,
  RequestStartEvent,
  RequestStopEvent,
} from "../stages/event_types.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { errorText } from "./log_text.ts";
import {
  addressAttributes,
  errorType,
  peerAttributes,
  serverAttributes,
} from "./attributes.ts";
import { listenTo } from "./subscribe.ts";

/** Makes a span for each request of a server, up to a number in each second. */
export class OtelSpans implements Disposable {
  readonly #server: AnyServer;
  readonly #tracer: Tracer;
  readonly #perSecond: number;
  readonly #onDropped: () => void;
  readonly #subscription: Disposable;
  readonly #spans = new Map<number, Span>();
  readonly #finishRequest: AnyServer["finishRequest"];
  #second = 0;
  #begun = 0;

  /**
   * @param server The server. Its `finishRequest` is replaced, so that handlers run within their spans.
   * @param tracer Makes the spans.
   * @param perSecond The most spans that begin in one second.
   * @param onDropped Called for each request without a span.
   */
  constructor(
    server: AnyServer,
    tracer: Tracer,
    perSecond: number,
    onDropped: () => void,
  ) {
    this.#server = server;
    this.#tracer = tracer;
    this.#perSecond = perSecond;
    this.#onDropped = onDropped;
    this.#finishRequest = server.finishRequest;
    server.finishRequest = this.#finishWithin;
    this.#subscription = listenTo(server, {
      "socketserver.request.start": (event) => this.#start(event),
      "socketserver.request.stop": (event) => this.#stop(event),
    });
  }

  readonly #finishWithin = (
    request: unknown,
    clientAddress: Address,
  ): void | Promise<void> => {
    const finish = () =>
      this.#finishRequest.call(this.#server, request, clientAddress);
    const observed = requestsOf(this.#server).observed(request);
    const span = observed && this.#spans.get(observed.id);
    return span === undefined ? finish() : withSpan(span, finish);
  };

  #start({ id, request, clientAddress }: RequestStartEvent): void {
    if (!this.#mayBegin()) return this.#onDropped();
    const span = this.#tracer.startSpan(this.#server.RequestHandlerClass.name, {
      root: true, // the loop may run within a span of the program
      kind: SPAN_KIND_SERVER,
      attributes: {
        ...serverAttributes(this.#server),
        ...addressAttributes("client", clientAddress),
        ...peerAttributes(request),
      },
    });
    this.#spans.set(id, span);
  }

  #mayBegin(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#begun = 0;
    this.#second = second;
    return this.#begun++ < this.#perSecond;
  }

  #stop(event: RequestStopEvent): void {
    const span = this.#spans.get(event.id);
    if (span === undefined) return;
    this.#spans.delete(event.id);
    span.setAttributes(endAttributes(event));
    if (event.error !== undefined) fail(span, event.error);
    span.end();
  }

  /** Ends the spans of the open requests, and makes no others. */
  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const span of this.#spans.values()) span.end();
    this.#spans.clear();
    if (this.#server.finishRequest === this.#finishWithin) {
      this.#server.finishRequest = this.#finishRequest;
    }
  }
}

function endAttributes(event: RequestStopEvent): Attributes {
  const { reason, rejected, bytesIn, bytesOut } = event;
  return {
    "socketserver.reason": reason,
    ...(rejected === undefined ? {} : { "socketserver.rejected": rejected }),
    "socketserver.bytes_in": bytesIn,
    ...(bytesOut === null ? {} : { "socketserver.bytes_out": bytesOut }),
  };
}

function fail(span: Span, error: unknown): void {
  span.setAttributes({ "error.type": errorType(error) });
  span.setStatus({ code: SPAN_STATUS_ERROR, message: errorText(error) });
  if (error instanceof Error) span.recordException(error);
}
