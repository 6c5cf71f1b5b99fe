/** The bridge to the OpenTelemetry of Deno: what a collector gets. */

import { assert, assertEquals } from "../deps.ts";
import { granted, mayRead } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

/** An attribute, in OTLP over JSON. */
interface Attribute {
  key: string;
  value: Record<string, string | number>;
}

/** A span, in OTLP over JSON. */
interface Span {
  name: string;
  kind: number;
  spanId: string;
  parentSpanId: string;
  attributes: Attribute[];
  events: { name: string }[];
  status: { code: number; message: string };
}

/** A value of a metric, in OTLP over JSON. */
interface DataPoint {
  attributes: Attribute[];
  asDouble?: number;
  count?: string;
}

/** A metric, in OTLP over JSON. */
interface Metric {
  name: string;
  unit: string;
  sum?: { dataPoints: DataPoint[]; isMonotonic: boolean };
  gauge?: { dataPoints: DataPoint[] };
  histogram?: { dataPoints: DataPoint[] };
}

/** The spans and metrics that a collector has received. */
class Collected {
  readonly spans: Span[] = [];
  /** The last export of each metric of this package. */
  readonly metrics = new Map<string, Metric>();

  // deno-lint-ignore no-explicit-any
  add(path: string, body: any): void {
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      for (const { spans } of scopeSpans) this.spans.push(...spans);
    }
    for (const { scopeMetrics } of body.resourceMetrics ?? []) {
      for (const { scope, metrics } of scopeMetrics) {
        if (scope.name !== "socketserver") continue;
        for (const metric of metrics) this.metrics.set(metric.name, metric);
      }
    }
    assert(/^\/v1\/(traces|metrics|logs)$/.test(path), path);
  }

  /** Returns the sum of the values of a metric whose attributes contain the given ones. */
  value(name: string, attributes: Record<string, unknown> = {}): number {
    const metric = this.metrics.get(name);
    assert(metric !== undefined, `no metric ${name}`);
    const { dataPoints } = metric.sum ?? metric.gauge ?? metric.histogram!;
    return dataPoints
      .filter((point) => contains(attributesOf(point), attributes))
      .reduce((sum, point) => sum + Number(point.asDouble ?? point.count), 0);
  }
}

function attributesOf(
  { attributes }: { attributes: Attribute[] },
): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
  );
}

function contains(
  all: Record<string, unknown>,
  some: Record<string, unknown>,
): boolean {
  return Object.entries(some).every(([key, value]) => all[key] === value);
}

const PROGRAM = new URL("../testdata/instrumented_server.ts", import.meta.url);

/** Runs the program, and collects what it exports. */
async function collect(): Promise<Collected> {
  const collected = new Collected();
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname !== "/inner") collected.add(pathname, await request.json());
      return Response.json({});
    },
  );
  const { port } = collector.addr as Deno.NetAddr;
  const { success, stdout, stderr } = await boundedCommand(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--allow-net", "--allow-read"],
      PROGRAM.href,
      String(port),
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "50",
      NO_COLOR: "1",
    },
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  assertEquals(decoder.decode(stdout), '{"enabled":true}\n'.repeat(3));
  return collected;
}

Deno.test({
  name: "instrument() exports spans and metrics under OTEL_DENO",
  ignore: !mayRead || !granted("run", "net"),
  async fn(t) {
    const collected = await collect();
    const spans = collected.spans.filter(({ name }) => name === "Answers");

    await t.step("a span of a request has the attributes of its sides", () => {
      assertEquals(spans.length, 4); // three in the process, and one in a worker
      const [{ kind, parentSpanId, ...first }] = spans;
      assertEquals({ kind, parentSpanId }, { kind: 2, parentSpanId: "" }); // a root of the kind "server"
      const attributes = attributesOf(first);
      for (const side of ["server", "client"]) {
        assertEquals(attributes[`${side}.address`], "127.0.0.1");
        assert(Number(attributes[`${side}.port`]) > 0);
      }
      const known = {
        "network.transport": "tcp",
        "network.type": "ipv4",
        "network.peer.address": "127.0.0.1",
        "socketserver.reason": "finished",
        "socketserver.bytes_in": 6,
        "socketserver.bytes_out": 6,
      };
      assert(contains(attributes, known), JSON.stringify(attributes));
      assertEquals("error.type" in attributes, false);
      assertEquals(first.status.code, 0);
    });

    await t.step("a span of the handler's work is a child", () => {
      const [inner, ...more] = collected.spans.filter(({ name, kind }) =>
        name === "GET" && kind === 3
      );
      assertEquals(more, []);
      assertEquals(inner.parentSpanId, spans[1].spanId);
    });

    await t.step("a span of a request that has failed says why", () => {
      const failed = spans[2];
      assertEquals(failed.status, { code: 2, message: "RangeError: as asked" });
      assertEquals(attributesOf(failed)["error.type"], "RangeError");
      assertEquals(failed.events.map(({ name }) => name), ["exception"]);
    });

    await t.step(
      "spansPerSecond bounds the spans, and counts the others",
      () => {
        const { length } = collected.spans.filter(({ name }) =>
          name === "Many"
        );
        assert(length >= 1 && length < 20, `${length} spans`);
        assertEquals(
          collected.value("socketserver.spans.dropped"),
          20 - length,
        );
      },
    );

    await t.step("the metrics have the counts, to the last request", () => {
      const { metrics } = collected;
      assertEquals(collected.value("socketserver.requests.accepted"), 24);
      assertEquals(collected.value("socketserver.handler.errors"), 1);
      const io = "socketserver.io";
      assertEquals(
        collected.value(io, { "network.io.direction": "receive" }),
        6 + 6 + 5 + 20 * 2 + 6,
      );
      assertEquals(metrics.get(io)!.unit, "By");
      assertEquals(metrics.get(io)!.sum!.isMonotonic, true);
      const duration = "socketserver.request.duration";
      const reason = { "socketserver.reason": "finished" };
      assertEquals(collected.value(duration, reason), 23);
      const error = { "error.type": "RangeError" };
      assertEquals(collected.value(duration, error), 1);
      assertEquals(metrics.get(duration)!.unit, "s");
      assert(metrics.has("socketserver.requests.active"));
      assert(metrics.has("socketserver.workers"));
    });
  },
});
