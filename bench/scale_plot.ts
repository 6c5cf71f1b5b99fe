/**
 * The curves of the ways to run over processors: predicted, and measured.
 *
 * @module
 */

import type { TopLevelSpec } from "npm:vega-lite@6.4.1";
import { CORES, rateOf } from "./capacity.ts";
import type { Figures } from "./capacity_figures.ts";
import { CONFIG, OURS, write } from "./plot.ts";
import type { Scale } from "./scale_figures.ts";

/** The processors up to which the curves go. */
const MOST = 16;

/** The colours of the ways: tasks dark, workers blue and children green, lighter where the parent accepts. */
const COLORS: Record<string, string> = {
  "AsyncTCPServer": "#444",
  "ThreadingTCPServer": "#8ec1f0",
  "ThreadingTCPServer, acceptIn workers": OURS,
  "ForkingTCPServer": "#9ad6a5",
  "ForkingTCPServer, acceptIn children": "#1f8a3b",
};

/** A point of a curve. */
interface Row {
  load: string;
  way: string;
  processors: number;
  rate: number;
  /** Whether it was measured, and with the load on the same processors. */
  kind: "predicted" | "measured" | "measured, shared with the load";
}

/** Draws a picture for each load: curves of the predicted rates, and points of those that were measured. */
export async function drawScale(
  scale: Scale,
  figures: Record<string, Figures>,
): Promise<void> {
  const rows = [...measured(scale), ...predicted(scale, figures)];
  const loads = [...new Set(rows.map(({ load }) => load))];
  await write("scale", {
    title:
      "Rates by the processors of the server: points measured, curves predicted",
    hconcat: loads.map((load) =>
      panel(rows.filter((row) => row.load === load))
    ),
    config: CONFIG,
  } as TopLevelSpec);
}

function measured({ points }: Scale): Row[] {
  return points.map(({ load, way, processors, median, shared }) => ({
    ...{ load, way, processors, rate: median },
    kind: shared ? "measured, shared with the load" : "measured",
  }));
}

/** The predictions for what was measured, from the costs of a request. */
function predicted(
  { points }: Scale,
  figures: Record<string, Figures>,
): Row[] {
  const first = points.filter(({ processors, way }) =>
    processors === 1 && way in figures
  );
  return first.flatMap(({ load, way }) => {
    const { echo, connect } = figures[way];
    const costs = load.startsWith("connect") ? connect : echo;
    const workUs = load.includes("work") ? 100 : 0;
    return CORES.filter((cores) => cores <= MOST).map((processors): Row => ({
      ...{ load, way, processors, kind: "predicted" },
      rate: rateOf(way, costs, processors, workUs),
    }));
  });
}

function panel(values: Row[]): object {
  const only = (test: string) => [{ filter: test }];
  const x = {
    field: "processors",
    type: "quantitative",
    scale: { type: "log", base: 2 },
    axis: { title: "processors", values: [1, 2, 4, 8, 16], grid: false },
  };
  const y = {
    field: "rate",
    type: "quantitative",
    scale: { type: "log", nice: true },
    axis: { title: null, format: "~s", tickCount: 4 },
  };
  const color = {
    field: "way",
    type: "nominal",
    scale: { domain: Object.keys(COLORS), range: Object.values(COLORS) },
    legend: { title: null, orient: "bottom", columns: 1, labelLimit: 0 },
  };
  const shape = {
    field: "kind",
    type: "nominal",
    scale: {
      domain: ["measured", "measured, shared with the load"],
      range: ["circle", "triangle-up"],
    },
    legend: { title: null, orient: "bottom", columns: 1, labelLimit: 0 },
  };
  return {
    title: { text: values[0].load, fontSize: 12, offset: 4 },
    data: { values },
    width: 230,
    height: 220,
    encoding: { x, y, color },
    layer: [
      {
        transform: only("datum.kind === 'predicted'"),
        mark: { type: "line", strokeDash: [4, 3] },
      },
      {
        transform: only("datum.kind !== 'predicted'"),
        mark: { type: "point", filled: true, size: 60, opacity: 1 },
        encoding: { shape },
      },
    ],
  };
}
