/**
 * The text format of Prometheus, version 0.0.4.
 *
 * @module
 */

import type { DurationHistogram } from "./event_counts.ts";
import type { Labels, Metric, Sample } from "./metrics.ts";

/** The samples of a metric of all servers. */
export interface Family {
  readonly metric: Metric;
  readonly samples: readonly Sample[];
}

/** The histogram of one server. */
export interface LabelledHistogram {
  readonly labels: Labels;
  readonly histogram: DurationHistogram;
}

/** Returns a metric as text. */
export function familyText({ metric, samples }: Family): string {
  const { help, kind } = metric;
  const name = prometheusName(metric);
  const lines = samples.map(([value, labels]) =>
    sampleLine(name, labels, value)
  );
  return [...header(name, help, kind), ...lines].join("\n") + "\n";
}

/** Returns the histograms of all servers as text. */
export function histogramText(
  { name, unit, help }: Pick<Metric, "name" | "unit" | "help">,
  histograms: readonly LabelledHistogram[],
): string {
  const base = prometheusName({ name, unit });
  const lines = histograms.flatMap((each) => histogramLines(base, each));
  return [...header(base, help, "histogram"), ...lines].join("\n") + "\n";
}

function histogramLines(
  name: string,
  { labels, histogram }: LabelledHistogram,
): string[] {
  const { bounds, byReason } = histogram;
  return [...byReason].flatMap(([reason, { buckets, sum }]) => {
    const all = { ...labels, reason };
    let count = 0;
    const lines = buckets.map((bucket, index) => {
      const le = index < bounds.length ? String(bounds[index]) : "+Inf";
      return sampleLine(`${name}_bucket`, { ...all, le }, count += bucket);
    });
    return [
      ...lines,
      sampleLine(`${name}_sum`, all, sum),
      sampleLine(`${name}_count`, all, count),
    ];
  });
}

/** Returns the name of a metric in Prometheus: with its unit, and `_total` for a counter. */
function prometheusName(
  { name, unit, kind }: Pick<Metric, "name" | "unit"> & Partial<Metric>,
): string {
  const units: Record<string, string> = { s: "_seconds", By: "_bytes" };
  const total = kind === "counter" ? "_total" : "";
  return name.replaceAll(".", "_") + (units[unit] ?? "") + total;
}

function header(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) =>
    `${label}="${escapeLabel(text)}"`
  );
  return `${name}{${pairs.join(",")}} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}
