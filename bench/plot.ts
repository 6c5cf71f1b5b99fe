/**
 * The pictures: one of the ratios, one of the rates by connections, one of memory.
 *
 * @module
 */

import { parse, type Spec, View } from "npm:vega@6.2.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.4.1";
import { GROWTH } from "./comparisons.ts";
import type { Results } from "./results.ts";
import { ratio } from "./statistics.ts";

/** The colour of ours. */
export const OURS = "#0b6bcb";
/** The colour of the others. */
const OTHERS = "#a9b4c0";

/** What all pictures have in common. */
export const CONFIG: TopLevelSpec["config"] = {
  background: "white",
  font: "sans-serif",
  padding: 12,
  view: { stroke: null },
  axis: {
    labelFontSize: 12,

    domain: false,
    ticks: false,
    titleFontSize: 12,
    titleFontWeight: "normal",
  },
  title: { anchor: "start", fontSize: 14, offset: 12 },
};

/** The benchmarks of the picture of ratios, with their names there. */
const SHOWN: [name: string, label: string][] = [
  ["echo-64", "Echo, 64 connections, 64 bytes"],
  ["echo-512", "Echo, 512 connections, 64 bytes"],
  ["bulk", "Echo, 16 connections, 64 KiB"],
  ["connect", "Connect, echo, close"],
  ["lines", "Lines, one in a packet"],
  ["lines-pipelined", "Lines, 16 in a packet"],
  ["udp", "Datagrams"],
];

/** Draws the pictures of which there is something to draw. */
export async function draw(results: Results): Promise<void> {
  const rates = ratePanels(results);
  if (rates.length > 0) await write("rates", rateSpec(rates));
  const growth = growthRows(results);
  if (growth.length > 0) await write("growth", growthSpec(growth));
  const idle = idleBars(results);
  if (idle.length > 0) await write("idle", idleSpec(idle));
}

/** A bar: a server and what it reached. */
interface Bar {
  server: string;
  value: number;
  ours: boolean;
}

/** Per benchmark, the rates of all servers as parts of the plain loop's. */
function ratePanels(results: Results): object[] {
  return SHOWN.flatMap(([name, label]) => {
    const contenders = results[name]?.contenders ?? {};
    const plain = contenders["Deno.listen"] ??
      contenders["Deno.listenDatagram"];
    if (plain === undefined) return [];
    const bars = Object.entries(contenders).map(([server, { values }]) => ({
      server,
      value: ratio(values, plain.values),
      ours: server.startsWith("socketserver"),
    }));
    const title = { text: label, fontSize: 12, frame: "group", offset: 4 };
    return [{ title, ...barsOf(bars, 230, ".2f") }];
  });
}

function rateSpec(concat: object[]): TopLevelSpec {
  return {
    title: "Rates, as parts of the plain Deno loop's",
    concat: concat as never,
    columns: 2,
    spacing: 20,
    config: CONFIG,
  };
}

/** Bars with their values beside them, the longest first, ours in colour. */
function barsOf(values: Bar[], width: number, format: string) {
  const most = Math.max(...values.map(({ value }) => value));
  const order = values.toSorted((a, b) => b.value - a.value);
  const y = {
    field: "server",
    type: "nominal",
    sort: order.map(({ server }) => server),
    axis: { title: null, labelLimit: 0 },
  };
  const x = {
    field: "value",
    type: "quantitative",
    axis: null,
    scale: { domain: [0, most * 1.15] },
  };
  const color = {
    field: "ours",
    type: "nominal",
    scale: { domain: [true, false], range: [OURS, OTHERS] },
    legend: null,
  };
  return {
    data: { values },
    width,
    height: { step: 19 },
    encoding: { y, x },
    layer: [
      { mark: "bar", encoding: { color } },
      {
        mark: { type: "text", align: "left", dx: 4, fontSize: 11 },
        encoding: { text: { field: "value", type: "quantitative", format } },
      },
    ],
  };
}

function growthRows(results: Results) {
  return Object.entries(results["growth"]?.contenders ?? {})
    .map(([name, { median }]) => {
      const [server, connections] = name.split(", ");
      return { server, connections: Number(connections), rate: median };
    });
}

function growthSpec(values: object[]): TopLevelSpec {
  return {
    title: "Echo of 64 bytes over more and more connections",
    data: { values },
    width: 520,
    height: 240,
    mark: { type: "line", point: { size: 60 }, strokeWidth: 2 },
    encoding: {
      x: {
        field: "connections",
        type: "quantitative",
        scale: { type: "log" },
        axis: { values: GROWTH, format: ",", title: "connections" },
      },
      y: {
        field: "rate",
        type: "quantitative",
        axis: { title: "requests/s", format: "~s" },
      },
      color: {
        field: "server",
        type: "nominal",
        scale: {
          domain: ["socketserver", "Deno.listen", "C epoll"],
          range: [OURS, "#444", OTHERS],
        },
        legend: { title: null, orient: "bottom-right", labelFontSize: 12 },
      },
    },
    config: CONFIG,
  };
}

function idleBars(results: Results): Bar[] {
  return Object.entries(results["idle"]?.contenders ?? {})
    .map(([server, { median }]) => ({
      server,
      value: median,
      ours: server === "socketserver",
    }));
}

function idleSpec(bars: Bar[]): TopLevelSpec {
  return {
    title: "KiB of memory for each of 10,000 idle connections (less is better)",
    ...barsOf(bars, 460, ".1f"),
    config: CONFIG,
  } as TopLevelSpec;
}

/** Writes a picture as SVG. */
export async function write(name: string, spec: TopLevelSpec): Promise<void> {
  const view = new View(parse(compile(spec).spec as Spec), {
    renderer: "none",
  });
  const svg = await view.toSVG();
  view.finalize();
  const folder = new URL("plots/", import.meta.url);
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(new URL(`${name}.svg`, folder), svg + "\n");
}
